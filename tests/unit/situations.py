"""Builders of what was seen, with honest names."""

from __future__ import annotations

from azext_kmsmigrate.migration.facts import ClusterFacts, ClusterName, KmsProfile, NodePool, Offers, SupportPlan
from azext_kmsmigrate.migration.journal import Journal, StepRecord
from azext_kmsmigrate.migration.plan import Situation
from azext_kmsmigrate.migration.step import StepId, StepStatus
from azext_kmsmigrate.migration.version import KubernetesVersion

KEY = "https://vault.vault.azure.net/keys/etcd/0123456789abcdef0123456789abcdef"
OTHER_KEY = "https://vault.vault.azure.net/keys/etcd/fedcba9876543210fedcba9876543210"
NAME = ClusterName("blue", "shop", "sub", "/subscriptions/sub/blue")


def v(text: str) -> KubernetesVersion:
    return KubernetesVersion.parse(text)


def cluster(
    version: str = "1.26.15",
    *,
    kms: KmsProfile | None = None,
    pools: tuple[NodePool, ...] | None = None,
    state: str = "Succeeded",
    power: str = "Running",
    **more: object,
) -> ClusterFacts:
    """A cluster with KMS on and one pool of the same version, unless said otherwise."""
    return ClusterFacts(
        name=NAME,
        version=v(version),
        wanted=v(version),
        state=state,
        power=power,
        kms=KmsProfile(enabled=True, key_id=KEY) if kms is None else kms,
        pools=(pool(version),) if pools is None else pools,
        **more,  # type: ignore[arg-type]
    )


def pool(version: str = "1.26.15", *, name: str = "system", state: str = "Succeeded", kind: str = "") -> NodePool:
    return NodePool(name, v(version), v(version), state, 3, kind or "VirtualMachineScaleSets")


OFF = KmsProfile(enabled=False, key_id=KEY)
NEVER = KmsProfile()


def offers(*versions: str, onward: dict[str, list[str]] | None = None, plans: dict[str, str] | None = None) -> Offers:
    """What is offered now, where each version leads on to, and the support plans of minors: ``{"1.27": "lts"}``."""
    further = {v(version): tuple(map(v, to)) for version, to in (onward or {}).items()}
    words = {"both": frozenset(SupportPlan), "lts": frozenset({SupportPlan.LONG_TERM})}
    community = frozenset({SupportPlan.COMMUNITY})
    return Offers(
        tuple(map(v, versions)),
        further,
        {v(line).line: words.get(plan, community) for line, plan in (plans or {}).items()},
    )


def journal(*steps: StepId, completed: bool = False, **more: object) -> Journal:
    """A journal in which these steps are done."""
    return Journal(
        cluster_id=NAME.resource_id,
        started_at="2026-01-31T09:00:00Z",
        steps=tuple(StepRecord(s, StepStatus.DONE, "2026-01-31T09:00:00Z") for s in steps),
        completed_at="2026-01-31T10:00:00Z" if completed else "",
        **more,  # type: ignore[arg-type]
    )


def situation(
    seen: ClusterFacts,
    offered: Offers | None = None,
    kept: Journal | None = None,
    done: frozenset[StepId] = frozenset(),
) -> Situation:
    return Situation(seen, offers("1.27.1") if offered is None else offered, kept, done)
