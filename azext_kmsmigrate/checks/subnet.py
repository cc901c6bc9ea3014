"""U-08, the addresses: whether the pools' subnets hold the nodes, and their pods, that an upgrade adds for its time.

Azure CNI gives every pod of a node an address of the subnet when the node is made; overlay and kubenet give one to the
node alone; a pod subnet takes the pods' (https://learn.microsoft.com/azure/aks/azure-cni-overview).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.pool import POOLS, Pool
from azext_kmsmigrate.checks.profile import PROFILE
from azext_kmsmigrate.checks.quota import COMPUTE, missing_cores
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.checks.upgrading import BEFORE_UPGRADING, target_version, upgrading

_KEPT_BY_AZURE = 5  # addresses of every subnet


@dataclass(frozen=True)
class Subnet:
    """``size``: addresses of its ranges; ``used``: those that network interfaces and others have."""

    id: str
    size: int
    used: int

    @property
    def name(self) -> str:
        return self.id.rsplit("/", 1)[-1]

    @property
    def free(self) -> int:
        return max(0, self.size - _KEPT_BY_AZURE - self.used)


SUBNETS: Topic[Mapping[str, Subnet]] = Topic("subnets of the node pools", "Microsoft.Network")
"""By id in lower case."""


def _room(scene: Scene) -> Judgement:
    if not upgrading(scene):
        return NotApplicable("no upgrade is planned")
    return _missing_room(scene)


def _missing_room(scene: Scene) -> Iterator[Finding]:
    yield from missing_cores(scene)
    if any(pool.subnet_id or pool.pod_subnet_id for pool in scene.of(POOLS)):
        yield from _missing_addresses(scene)


def _missing_addresses(scene: Scene) -> Iterator[Finding]:
    profile, subnets, version = scene.of(PROFILE), scene.of(SUBNETS), target_version(scene)
    flat = profile.network_plugin == "azure" and profile.network_mode != "overlay"
    wanted: dict[str, list[tuple[Pool, int]]] = defaultdict(list)
    for pool in scene.of(POOLS):
        extra = pool.extra_nodes(version)
        pods_here = pool.max_pods if flat and not pool.pod_subnet_id else 0
        if extra and pool.subnet_id:
            wanted[pool.subnet_id.lower()].append((pool, extra * (1 + pods_here)))
        if extra and pool.pod_subnet_id:
            wanted[pool.pod_subnet_id.lower()].append((pool, extra * pool.max_pods))
    for id_, needs in wanted.items():
        subnet = subnets.get(id_)
        if subnet is None:
            continue
        pool, most = max(needs, key=lambda need: need[1])
        together = sum(addresses for _, addresses in needs)
        if together > subnet.free:
            alone = most > subnet.free
            yield Finding(
                f"subnet '{subnet.name}'",
                f"{subnet.free} of its {subnet.size} addresses are free. The upgrade adds nodes for its time: "
                + (
                    f"node pool '{pool.name}' alone needs {most} addresses."
                    if alone
                    else f"all node pools at once need {together} addresses."
                ),
                "Free addresses (scale a pool down), or let no node be added: az aks nodepool update "
                f"{scene.cluster.name.pool_option_text} -n {pool.name} "
                "--max-surge 0 --max-unavailable 1",
                Severity.BLOCK if alone else Severity.WARN,
            )


CHECKS = (
    Check(
        "U-08",
        "Quota and subnets hold the nodes that the upgrade adds",
        Category.UPGRADE,
        Severity.BLOCK,
        "Without room for them the upgrade fails midway (QuotaExceeded, SubnetIsFull), with KMS off.",
        "https://learn.microsoft.com/azure/aks/upgrade-aks-node-pools-rolling",
        BEFORE_UPGRADING,
        _room,
        (POOLS, PROFILE, COMPUTE, SUBNETS),
    ),
)
