"""A plan as the lines that are shown before the one question."""

from __future__ import annotations

from collections.abc import Iterator

from azext_kmsmigrate.migration.facts import ClusterFacts, KmsState
from azext_kmsmigrate.migration.plan import Plan
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.report.words import folded, harmless


def plan_lines(cluster: ClusterFacts, plan: Plan) -> Iterator[str]:
    """What is going to happen, and what cannot be undone."""
    yield f"Cluster {cluster.name.name} (resource group {cluster.name.group}), Kubernetes {cluster.version}."
    yield plan.summary
    for number, step in enumerate(plan.steps, 1):
        detail = f" [{step.detail}]" if step.detail else ""
        yield f"  {number}. {step.id.value}: {step.title}{detail}"
        yield f"     because {step.reason}"
    ids = [s.id for s in plan.steps]
    if StepId.UPGRADE in ids:
        yield "The upgrade cannot be undone, and with it goes the way back to KMS v1."
    if StepId.ENCRYPT_SECRETS in ids and cluster.kms_state in (KmsState.V1, KmsState.OFF):
        yield "Secrets are stored without KMS until the last of them is rewritten under KMS v2."


def shown(lines: Iterator[str], columns: int) -> Iterator[str]:
    """Such lines made harmless and folded, each under its own indentation."""
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        for part in folded(harmless(line), max(columns - 1 - indent, 20), 0):
            yield " " * indent + part
