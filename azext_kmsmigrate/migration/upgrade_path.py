"""Decides the next hop from what the live upgrade profile offers; never from arithmetic on versions.

Rules of AKS (https://learn.microsoft.com/azure/aks/supported-kubernetes-versions): a supported cluster goes one
minor version at a time and may upgrade its control plane first; an unsupported one jumps to what is offered, as a
whole cluster. Kubelets may be three minor versions older than the API server from 1.28 on, two before.
"""

from __future__ import annotations

from dataclasses import dataclass

from azext_kmsmigrate.migration.facts import ClusterFacts, Offers
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
    """One upgrade: the control plane, and with ``whole`` every node pool in the same operation."""

    version: KubernetesVersion
    whole: bool


def next_hop(cluster: ClusterFacts, offers: Offers, target: Target) -> Hop | None:
    """The next upgrade towards the target, or None when nothing offered leads there.

    The target itself when it is offered; with no patch named, the newest patch of the lowest offered minor version
    that satisfies it. Otherwise the highest offered version from which the target can be reached.
    """
    ahead = sorted(v for v in offers.versions if v > cluster.version)
    version = _reaching(ahead, target)
    if version is None:
        stepping_stones = [v for v in ahead if v < target.at_least and _leads_on(v, offers, target)]
        if not stepping_stones:
            return None
        version = stepping_stones[-1]
    return Hop(version, whole=not _control_plane_first(cluster, version))


def _reaching(ahead: list[KubernetesVersion], target: Target) -> KubernetesVersion | None:
    if target.exact:
        return target.at_least if target.at_least in ahead else None
    enough = [v for v in ahead if target.reached_by(v)]
    if not target.open:
        enough = [v for v in enough if v.line == target.at_least.line]
    if not enough:
        return None
    return max(v for v in enough if v.line == enough[0].line)


def _leads_on(version: KubernetesVersion, offers: Offers, target: Target) -> bool:
    """Whether the target can be reached from a version that is not it; a dead end would strand the cluster there."""
    seen, ahead = {version}, [version]
    while ahead:
        onward = sorted(offers.onward.get(ahead.pop(), ()))
        if _reaching(onward, target) is not None:
            return True
        fresh = [v for v in onward if v not in seen and v < target.at_least]
        seen.update(fresh)
        ahead.extend(fresh)
    return False


def _control_plane_first(cluster: ClusterFacts, version: KubernetesVersion) -> bool:
    if cluster.supported is not True or version.minor - cluster.version.minor > 1:
        return False
    skew = 3 if version.minor >= 28 else 2
    return all(pool.kind != "AvailabilitySet" and version.minor - pool.version.minor <= skew for pool in cluster.pools)
