"""The node pools as they matter to an upgrade: U-03, U-04, U-05, U-10 and U-17.

Sources: https://learn.microsoft.com/azure/aks/supported-kubernetes-versions (skew),
https://learn.microsoft.com/azure/aks/availability-sets-on-aks, https://learn.microsoft.com/azure/aks/upgrade-options.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.profile import PROFILE
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.checks.upgrading import BEFORE_UPGRADING, target_version, upgrading
from azext_kmsmigrate.migration.version import KubernetesVersion

_FIRST_WITH_SURGE_BY_SHARE = 32  # "default max surge 10 % from 1.32 on, 1 node before": AKS release notes
_FIRST_WITHOUT_WINDOWS_2019 = 33


@dataclass(frozen=True)
class Pool:
    """One agent pool. ``surge`` (``maxSurge``) as AKS has it: a number of nodes, a share (``10%``), or empty.

    ``nodes_at_most``: what the autoscaler may grow it to, 0 without one. ``subnet_id``: where its nodes are, empty for
    a network that AKS made; ``pod_subnet_id``: where its pods are, when that is another.
    """

    name: str
    version: KubernetesVersion
    count: int = 1
    kind: str = "VirtualMachineScaleSets"
    mode: str = "System"
    os_sku: str = "Ubuntu"
    vm_size: str = ""
    spot: bool = False
    snapshot: bool = False
    surge: str = ""
    max_pods: int = 0
    nodes_at_most: int = 0
    subnet_id: str = ""
    pod_subnet_id: str = ""

    def extra_nodes(self, version: KubernetesVersion) -> int:
        """How many nodes an upgrade to the version adds for its time."""
        if self.kind == "AvailabilitySet" or self.mode == "Machines" or not self.count:
            return 0
        text = self.surge or ("10%" if version.minor >= _FIRST_WITH_SURGE_BY_SHARE else "1")
        if text.endswith("%"):
            return math.ceil(self.count * float(text[:-1]) / 100)
        return min(int(text), self.count)


POOLS: Topic[tuple[Pool, ...]] = Topic("node pools", "Microsoft.ContainerService")


def _skew(scene: Scene) -> Iterator[Finding]:
    control_plane = scene.cluster.version
    allowed = 3 if control_plane.minor >= 28 else 2
    for pool in scene.cluster.pools:
        subject = f"node pool '{pool.name}'"
        if pool.version > control_plane:
            yield Finding(
                subject,
                f"Its nodes run Kubernetes {pool.version}, the control plane {control_plane}: AKS refuses every "
                "upgrade of a cluster with nodes newer than the control plane.",
                f"Type: az aks upgrade {scene.cluster.name.option_text} --control-plane-only -k {pool.version}",
                Severity.BLOCK,
            )
        elif control_plane.minor - pool.version.minor > allowed:
            yield Finding(
                subject,
                f"Its nodes run Kubernetes {pool.version}: more than {allowed} minor versions behind the control "
                f"plane ({control_plane}). The upgrade has to take control plane and nodes together.",
                f"Or bring the nodes up first: az aks nodepool upgrade {scene.cluster.name.pool_option_text} "
                f"-n {pool.name} -k {control_plane}",
                Severity.WARN,
            )


def _availability_sets(scene: Scene) -> Iterator[Finding]:
    for pool in scene.of(POOLS):
        if pool.kind == "AvailabilitySet":
            yield Finding(
                f"node pool '{pool.name}'",
                "It is made of an availability set: those are retired in AKS, and the cluster can be upgraded only "
                "as a whole.",
                "After this migration, while KMS with a private vault is off: "
                f"az aks update {scene.cluster.name.option_text} --migrate-vmas-to-vms",
            )


def _operating_systems(scene: Scene) -> Judgement:
    if not upgrading(scene):
        return NotApplicable("no upgrade is planned")
    return _unsupported_systems(scene)


def _unsupported_systems(scene: Scene) -> Iterator[Finding]:
    version, cluster = target_version(scene), scene.cluster.name
    where = cluster.pool_option_text
    for pool in scene.of(POOLS):
        subject = f"node pool '{pool.name}'"
        if pool.os_sku == "Windows2019" and version.minor >= _FIRST_WITHOUT_WINDOWS_2019:
            yield Finding(
                subject,
                f"Windows Server 2019 does not run on Kubernetes {version}: the upgrade of the pool would be refused.",
                f"Move its pods to a pool of Windows Server 2022 (az aks nodepool add {where} -n NEW --os-type Windows "
                f"--os-sku Windows2022), then: az aks nodepool delete {where} -n {pool.name}",
                Severity.BLOCK,
            )
        elif pool.os_sku in ("CBLMariner", "Mariner"):
            yield Finding(
                subject,
                f"Its system is {pool.os_sku}, which is retired; new nodes may not come up.",
                f"Type: az aks nodepool update {where} -n {pool.name} --os-sku AzureLinux",
            )
        if pool.snapshot:
            yield Finding(
                subject,
                "It was made from a snapshot: the upgrade lets go of the snapshot's node image and version.",
                "Nothing to type, if newer nodes are wanted.",
                Severity.INFO,
            )


def _autoscaler(scene: Scene) -> Iterator[Finding]:
    for pool in scene.of(POOLS):
        if pool.nodes_at_most and pool.count >= pool.nodes_at_most:
            yield Finding(
                f"node pool '{pool.name}'",
                f"It has {pool.count} nodes, as many as its autoscaler allows. Nodes that the upgrade adds come on top "
                "of them; pods that find no room wait meanwhile.",
                f"Type, if that matters: az aks nodepool update {scene.cluster.name.pool_option_text} "
                f"-n {pool.name} --update-cluster-autoscaler --min-count 1 "
                f"--max-count {pool.nodes_at_most + 1}",
            )


def _unlike_pools(scene: Scene) -> Iterator[Finding]:
    where = scene.cluster.name.pool_option_text
    if scene.of(PROFILE).node_provisioning == "Auto":
        yield Finding(
            "node provisioning",
            "Nodes that AKS makes by itself are in no node pool: they are replaced in their own time after the "
            "upgrade, and are not waited for.",
            "See them afterwards: kubectl get nodes -l karpenter.sh/nodepool",
            Severity.INFO,
        )
    for pool in scene.of(POOLS):
        subject = f"node pool '{pool.name}'"
        if pool.mode == "Machines":
            yield Finding(
                subject,
                "It holds single machines: AKS does not upgrade them with the cluster.",
                f"Upgrade them by hand afterwards: az aks machine list {where} --nodepool-name {pool.name} -o table",
            )
        elif pool.spot:
            yield Finding(
                subject,
                "Its nodes are spot machines: they are replaced without waiting for their pods.",
                "Nothing to type, if its pods bear to be stopped at any time.",
                Severity.INFO,
            )


CHECKS = (
    Check(
        "U-03",
        "The node pools' versions fit the control plane's",
        Category.UPGRADE,
        Severity.BLOCK,
        "AKS refuses an upgrade after which nodes are newer than the control plane or too old for it.",
        "https://learn.microsoft.com/azure/aks/supported-kubernetes-versions",
        BEFORE_UPGRADING,
        _skew,
    ),
    Check(
        "U-04",
        "No node pool is an availability set",
        Category.UPGRADE,
        Severity.WARN,
        "Availability sets are retired, and cannot be upgraded apart from the control plane.",
        "https://learn.microsoft.com/azure/aks/availability-sets-on-aks",
        BEFORE_UPGRADING,
        _availability_sets,
        (POOLS,),
    ),
    Check(
        "U-05",
        "Every node pool's system runs on the version upgraded to",
        Category.UPGRADE,
        Severity.WARN,
        "A pool whose system is not offered for a version stops the upgrade, with KMS off.",
        "https://learn.microsoft.com/azure/aks/upgrade-windows-os",
        BEFORE_UPGRADING,
        _operating_systems,
        (POOLS,),
    ),
    Check(
        "U-10",
        "Autoscalers have room above the nodes there are",
        Category.UPGRADE,
        Severity.INFO,
        "Pods that are moved while nodes are replaced may need a node more.",
        "https://learn.microsoft.com/azure/aks/cluster-autoscaler",
        BEFORE_UPGRADING,
        _autoscaler,
        (POOLS,),
    ),
    Check(
        "U-17",
        "Every node pool is upgraded with the cluster",
        Category.UPGRADE,
        Severity.WARN,
        "Pools of single machines stay behind, and spot nodes go without notice.",
        "https://learn.microsoft.com/azure/aks/upgrade-aks-node-pools-rolling",
        BEFORE_UPGRADING,
        _unlike_pools,
        (POOLS, PROFILE),
    ),
)
