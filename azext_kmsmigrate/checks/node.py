"""U-09: nodes that are not fit to be upgraded."""

from __future__ import annotations

from collections.abc import Iterator

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import KUBERNETES, Topic
from azext_kmsmigrate.checks.upgrading import BEFORE_UPGRADING, upgrading
from azext_kmsmigrate.migration.node import Node

NODES: Topic[tuple[Node, ...]] = Topic("nodes", KUBERNETES)


def _fit(scene: Scene) -> Judgement:
    if not upgrading(scene):
        return NotApplicable("no upgrade is planned")
    return _unfit(scene)


def _unfit(scene: Scene) -> Iterator[Finding]:
    for node in scene.of(NODES):
        subject = f"node {node.name}"
        if node.quarantined:
            yield Finding(
                subject,
                "An earlier upgrade could not drain it and set it aside (upgrade-status=Quarantined).",
                f"See which pods would not go: kubectl get pods -A --field-selector spec.nodeName={node.name}",
            )
        elif node.cordoned:
            yield Finding(
                subject,
                "It is cordoned: pods that leave other nodes find no room on it.",
                f"If it is healthy: kubectl uncordon {node.name}",
            )
        if not node.ready:
            yield Finding(
                subject,
                "It is not ready: AKS may wait for it, and fail the upgrade.",
                f"See why: kubectl describe node {node.name}",
            )


CHECKS = (
    Check(
        "U-09",
        "Every node is ready and takes pods",
        Category.UPGRADE,
        Severity.WARN,
        "Pods of drained nodes have to go somewhere.",
        "https://learn.microsoft.com/azure/aks/upgrade-aks-node-pools-rolling",
        BEFORE_UPGRADING,
        _fit,
        (NODES,),
    ),
)
