"""A plan as the lines that are shown before the one question."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from azext_kmsmigrate.migration.advice import manual, warnings
from azext_kmsmigrate.migration.facts import ClusterFacts
from azext_kmsmigrate.migration.plan import Plan
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.migration.upgrade_path import Hop
from azext_kmsmigrate.report.one_line import folded, harmless


def plan_lines(cluster: ClusterFacts, plan: Plan) -> Iterator[str]:
    """What is going to happen, how long it takes, what cannot be undone, and what is left to the user."""
    yield f"Cluster {cluster.name.name} (resource group {cluster.name.group}), Kubernetes {cluster.version}."
    yield plan.summary
    for number, step in enumerate(plan.steps, 1):
        detail = f" [{step.detail}]" if step.detail else ""
        time = f", {step.estimate}" if step.estimate else ""
        final = "" if step.reversible else ", cannot be undone"
        yield f"  {number}. {step.id.value}: {step.title}{detail}{time}{final}"
        yield f"     because {step.reason}"
        if step.id is StepId.UPGRADE:
            yield from map(_hop, plan.hops)
    yield from _times(plan)
    yield from warnings(cluster, plan)
    besides = list(manual(cluster, plan))
    if besides:
        yield "What stays for you to do:"
    for one in besides:
        yield f"  - {one.what}{': ' if one.command else ''}{one.command}."


def question(cluster: ClusterFacts, plan: Plan) -> str:
    """The one question: which cluster, and what of it there is no way back from."""
    final = [step.id.value for step in plan.steps if not step.reversible]
    lasting = f"Cannot be undone: {', '.join(final)}. " if final else ""
    return f"{lasting}Go on with cluster '{cluster.name.name}' in resource group '{cluster.name.group}'?"


def _hop(hop: Hop) -> str:
    scope = "control plane and node pools together" if hop.whole else "control plane first"
    return f"     {hop.version}: {scope}; {hop.why}"


def _times(plan: Plan) -> Iterator[str]:
    estimate = plan.estimate
    if estimate is None:
        return
    yield f"Estimated time: {estimate.total or 'not known'}. It stands on: {'; '.join(estimate.basis)}."
    if estimate.exposure:
        yield f"Estimated time that Secrets may be stored without KMS: {estimate.exposure}."


def shown(lines: Iterable[str], columns: int) -> Iterator[str]:
    """Such lines made harmless and folded, each under its own indentation."""
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        for part in folded(harmless(line), max(columns - 1 - indent, 20), 0):
            yield " " * indent + part
