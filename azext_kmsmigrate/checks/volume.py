"""U-14: PersistentVolumes that are bound to zones by the labels that Kubernetes has left behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import KUBERNETES, Topic
from azext_kmsmigrate.checks.upgrading import BEFORE_UPGRADING, target_version, upgrading

OLD_TOPOLOGY = ("failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region")
_GONE_FROM = (1, 26)


@dataclass(frozen=True)
class Volume:
    """One PersistentVolume. ``topology``: the old labels that it carries or asks nodes for."""

    name: str
    claim: str = ""
    topology: tuple[str, ...] = ()


VOLUMES: Topic[tuple[Volume, ...]] = Topic("PersistentVolumes", KUBERNETES)


def _topology(scene: Scene) -> Judgement:
    if not upgrading(scene):
        return NotApplicable("no upgrade is planned")
    return _old_topology(scene)


def _old_topology(scene: Scene) -> Iterator[Finding]:
    crossed = scene.cluster.version.line < _GONE_FROM <= target_version(scene).line
    for volume in scene.of(VOLUMES):
        if volume.topology:
            used = f" (claim {volume.claim})" if volume.claim else ""
            yield Finding(
                f"PersistentVolume {volume.name}{used}",
                f"It names its zone by {volume.topology[0]}, which nodes no longer carry from 1.26 on: its pods find "
                "no node.",
                "Make it anew with topology.kubernetes.io labels from a snapshot of its disk; see it with: "
                f"kubectl get pv {volume.name} -o yaml",
                Severity.BLOCK if crossed else Severity.WARN,
            )


CHECKS = (
    Check(
        "U-14",
        "No PersistentVolume names its zone by the old labels",
        Category.UPGRADE,
        Severity.BLOCK,
        "Pods with such a disk cannot be placed on upgraded nodes, and the upgrade fails.",
        "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/create-upgrade-delete/aks-upgrade-blocked",
        BEFORE_UPGRADING,
        _topology,
        (VOLUMES,),
    ),
)
