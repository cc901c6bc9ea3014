"""Decides the next hop from what the live upgrade profile offers; never from arithmetic on versions.

Rules of AKS (https://learn.microsoft.com/azure/aks/supported-kubernetes-versions): a supported cluster goes one
minor version at a time and may upgrade its control plane first; an unsupported one jumps to what is offered, as a
whole cluster. Kubelets may be three minor versions older than the API server from 1.28 on, two before.

A minor version that AKS supports under long term support only is closed to a cluster under community support, unless
it changes its plan in the same request (Azure/AKS#4292). That costs money: it is never done unasked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from azext_kmsmigrate.migration.facts import ClusterFacts, Offers, SupportPlan
from azext_kmsmigrate.migration.version import KMS_V2_FROM, KubernetesVersion


@dataclass(frozen=True)
class Target:
    """Where the upgrade is to end: ``at_least``, exactly that patch or any patch of that minor version.

    ``open``: the user named nothing, so any version that has KMS v2 will do.
    """

    at_least: KubernetesVersion = KMS_V2_FROM
    exact: bool = False
    open: bool = False

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read ``1.27.1`` (that one), ``1.27`` (the newest patch of it that is offered) or nothing (1.27 or later).

        :raises ValueError: the text is not a version
        """
        if not text:
            return ANY_KMS_V2
        return cls(KubernetesVersion.parse(text), exact=text.count(".") == 2)

    def reached_by(self, version: KubernetesVersion) -> bool:
        return version >= self.at_least

    def __str__(self) -> str:
        if self.exact:
            return str(self.at_least)
        return f"{self.at_least.major}.{self.at_least.minor}" + (" or later" if self.open else "")

    @property
    def as_typed(self) -> str:
        """What ``parse`` reads back."""
        return "" if self.open else str(self)


ANY_KMS_V2 = Target(open=True)


@dataclass(frozen=True)
class Hop:
    """One upgrade: the control plane, and with ``whole`` every node pool in the same operation; ``why`` it is so.

    ``plan``: the support plan that is asked for in the same request; None leaves it as it is. ``conditional``: the
    location lists the version, but the cluster's upgrade profile does not offer it: Azure decides when it is asked.
    """

    version: KubernetesVersion
    whole: bool
    plan: SupportPlan | None = None
    conditional: bool = False
    why: str = ""


def next_hop(
    cluster: ClusterFacts, offers: Offers, target: Target, plan: SupportPlan = SupportPlan.COMMUNITY
) -> Hop | None:
    """The next upgrade towards the target, or None when nothing offered leads there.

    The target itself when it is offered; with no patch named, the newest patch of the lowest offered minor version
    that satisfies it. Otherwise the highest offered version from which the target can be reached. ``plan`` is the
    support plan to end with; what the location lists for it serves only where the upgrade profile leads nowhere.
    """
    way = _Way(offers, target, plan, cluster.support_plan)
    version = way.step(v for v in offers.versions if v > cluster.version)
    conditional = version is None and SupportPlan.LONG_TERM is plan is not cluster.support_plan
    if conditional:
        version = way.step(v for v in offers.onward if way.listed_for_long_term(v, cluster))
    if version is None:
        return None
    asked = plan if plan is not cluster.support_plan and (way.ends_with(version) or way.needs_plan(version)) else None
    why = _why_whole(cluster, version)
    return Hop(version, bool(why), asked, conditional, why or "a supported cluster may upgrade its control plane first")


def hops(
    cluster: ClusterFacts, offers: Offers, target: Target, plan: SupportPlan = SupportPlan.COMMUNITY
) -> tuple[Hop, ...]:
    """All upgrades to the target, as Azure lists them now; only the first is firm, the others are planned anew."""
    found: list[Hop] = []
    while (hop := next_hop(cluster, offers, target, plan)) is not None:
        found.append(hop)
        if target.reached_by(hop.version):
            break
        now = hop.plan or cluster.support_plan
        pools = tuple(replace(p, version=hop.version) if hop.whole else p for p in cluster.pools)
        supported = offers.supports(hop.version, now) if offers.plans else cluster.supported
        cluster = replace(cluster, version=hop.version, pools=pools, supported=supported, support_plan=now)
        offers = replace(offers, versions=offers.onward.get(hop.version, ()))
    return tuple(found)


@dataclass(frozen=True)
class _Way:
    """Where a cluster may go: what is offered, the target, the support plan to end with and the one it has."""

    offers: Offers
    target: Target
    plan: SupportPlan
    has: SupportPlan

    def step(self, offered: Iterable[KubernetesVersion]) -> KubernetesVersion | None:
        ahead = self._open(offered)
        if (version := self._reaching(ahead)) is not None:
            return version
        stepping_stones = [v for v in ahead if v < self.target.at_least and self._leads_on(v)]
        return stepping_stones[-1] if stepping_stones else None

    def ends_with(self, version: KubernetesVersion) -> bool:
        return self._reaching([version]) is not None

    def needs_plan(self, version: KubernetesVersion) -> bool:
        return not self.offers.under(version, self.has)

    def listed_for_long_term(self, version: KubernetesVersion, cluster: ClusterFacts) -> bool:
        """AKS takes an unsupported cluster to long term support over any number of minor versions, others by one."""
        near = version.minor - cluster.version.minor <= 1
        return version > cluster.version and self.needs_plan(version) and (near or cluster.supported is False)

    def _open(self, offered: Iterable[KubernetesVersion]) -> list[KubernetesVersion]:
        return sorted(v for v in offered if self.offers.under(v, self.plan) or self.offers.under(v, self.has))

    def _reaching(self, ahead: list[KubernetesVersion]) -> KubernetesVersion | None:
        ahead = [v for v in ahead if self.offers.under(v, self.plan)]
        if self.target.exact:
            return self.target.at_least if self.target.at_least in ahead else None
        enough = [v for v in ahead if self.target.reached_by(v)]
        if not self.target.open:
            enough = [v for v in enough if v.line == self.target.at_least.line]
        if not enough:
            return None
        return max(v for v in enough if v.line == enough[0].line)

    def _leads_on(self, version: KubernetesVersion) -> bool:
        """Whether the target can be reached from a version that is not it; a dead end would strand the cluster."""
        seen, ahead = {version}, [version]
        while ahead:
            here = ahead.pop()
            onward = self._open(v for v in self.offers.onward.get(here, ()) if v > here)
            if self._reaching(onward) is not None:
                return True
            fresh = [v for v in onward if v not in seen and v < self.target.at_least]
            seen.update(fresh)
            ahead.extend(fresh)
        return False


def _why_whole(cluster: ClusterFacts, version: KubernetesVersion) -> str:
    """Why the node pools have to go with the control plane; empty when they need not."""
    line = f"{cluster.version.major}.{cluster.version.minor}"
    if cluster.supported is None:
        return f"it could not be learnt whether AKS still supports {line}"
    if not cluster.supported:
        return f"AKS no longer supports {line}, and takes an unsupported cluster over as a whole only"
    if version.minor - cluster.version.minor > 1:
        return "a jump over minor versions is possible for the whole cluster only"
    skew = 3 if version.minor >= 28 else 2
    for pool in cluster.pools:
        if pool.kind == "AvailabilitySet":
            return f"node pool '{pool.name}' is an availability set, which goes with the control plane"
        if version.minor - pool.version.minor > skew:
            return f"node pool '{pool.name}' would be more than {skew} minor versions behind"
    return ""
