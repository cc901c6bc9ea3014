"""U-08, the cores: whether the subscription's quota holds the nodes that an upgrade adds for its time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Finding, Severity
from azext_kmsmigrate.checks.pool import POOLS, Pool
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.checks.upgrading import target_version

REGIONAL = "cores"
SPOT = "lowPriorityCores"


@dataclass(frozen=True)
class Usage:
    """One quota of the subscription in the cluster's location. ``name``: as Compute has it (``standardDSv5Family``)."""

    name: str
    title: str
    used: int
    limit: int

    @property
    def free(self) -> int:
        return self.limit - self.used


@dataclass(frozen=True)
class VmSize:
    """``family``: the name of the quota that its cores count against."""

    family: str
    cores: int


@dataclass(frozen=True)
class Compute:
    """Quotas by name, and what the VM sizes of the node pools count; both with names in lower case."""

    usages: Mapping[str, Usage]
    sizes: Mapping[str, VmSize]


COMPUTE: Topic[Compute] = Topic("compute quotas", "Microsoft.Compute", seconds=60.0)


def missing_cores(scene: Scene) -> Iterator[Finding]:
    """A finding for each quota that does not hold what the upgrade adds.

    AKS needs the nodes of one pool at least at the same time: a quota that is too small for a single pool blocks. One
    that is too small only for all pools at once is a warning.
    """
    compute, version = scene.of(COMPUTE), target_version(scene)
    wanted: dict[str, list[tuple[Pool, int]]] = defaultdict(list)
    for pool in scene.of(POOLS):
        size = compute.sizes.get(pool.vm_size.lower())
        cores = pool.extra_nodes(version) * size.cores if size else 0
        if size is not None and cores:
            for quota in (SPOT,) if pool.spot else (REGIONAL, size.family):
                wanted[quota.lower()].append((pool, cores))
    for name, needs in sorted(wanted.items()):
        usage = compute.usages.get(name)
        if usage is None:
            continue
        pool, most = max(needs, key=lambda need: need[1])
        together = sum(cores for _, cores in needs)
        if together > usage.free:
            alone = most > usage.free
            yield Finding(
                f"quota '{usage.title}'",
                f"{usage.used} of {usage.limit} cores are used. The upgrade adds nodes for its time: "
                + (
                    f"node pool '{pool.name}' alone needs {most} cores more."
                    if alone
                    else f"all node pools at once need {together} cores more."
                ),
                f"Ask for more (https://portal.azure.com/#view/Microsoft_Azure_Capacity/QuotaMenuBlade/~/myQuotas), or "
                f"let fewer nodes be added: {_smaller_surge(scene, pool)}",
                Severity.BLOCK if alone else Severity.WARN,
            )


def _smaller_surge(scene: Scene, pool: Pool) -> str:
    update = f"az aks nodepool update {scene.cluster.name.pool_option_text} -n {pool.name}"
    if pool.extra_nodes(target_version(scene)) > 1:
        return f"{update} --max-surge 1"
    return f"{update} --max-surge 0 --max-unavailable 1"
