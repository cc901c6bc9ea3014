"""AZ-02 and AZ-03: whether the cluster is at work and at rest. The pattern for every file of checks."""

from __future__ import annotations

from collections.abc import Iterator

from azext_kmsmigrate.checks.check import Category, Check, Finding, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.migration.step import StepId


def _power(scene: Scene) -> Iterator[Finding]:
    cluster = scene.cluster
    if cluster.power != "Running":
        yield Finding(
            f"cluster '{cluster.name.name}'",
            f"It is {cluster.power.lower()}.",
            f"Type: az aks start {cluster.name.option_text}",
        )


CHECKS = (
    Check(
        "AZ-02",
        "The cluster is started",
        Category.AZURE,
        Severity.BLOCK,
        "A stopped cluster has no API server to rewrite Secrets with.",
        "https://learn.microsoft.com/azure/aks/start-stop-cluster",
        frozenset(StepId),
        _power,
    ),
)
