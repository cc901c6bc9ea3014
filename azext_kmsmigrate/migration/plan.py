"""Decides the ordered steps from what is observed: the state table, as one pure function.

| control plane | KMS now | else known | the plan |
|---|---|---|---|
| below 1.27 | v1 on | | disable-kms, decrypt-secrets, upgrade, enable-kms, encrypt-secrets |
| below 1.27 | off | a key: typed, journal, or named | decrypt-secrets, upgrade, enable-kms, encrypt-secrets |
| 1.27 or later | off | as above | decrypt-secrets, (upgrade), enable-kms, encrypt-secrets |
| any | off | no key | refuse: which key? |
| 1.27 or later | v2 on | journal unfinished | encrypt-secrets, upgrade-node-pools if left |
| 1.27 or later | v2 on | journal complete, or none | nothing to do |
| 1.33 or later | platform- or customer-managed | | nothing to do |
| any | operation under way | journal unfinished | as the row of the state, after waiting for it |
| any | operation under way, last one failed | no journal | refuse |
| any | last operation failed | journal unfinished | as the row of the state, after one reconcile |
| any | stopped, deleting | | refuse |

A step that this run has already done and proven (``done``) is left out when none has to come before it: what is left
is always a suffix, so what was proven under another KMS state counts for nothing.
"""

from __future__ import annotations

import enum
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import dropwhile
from urllib.parse import urlsplit

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import Refused
from azext_kmsmigrate.migration import obstacles
from azext_kmsmigrate.migration.estimate import Estimate, Numbers, estimated
from azext_kmsmigrate.migration.facts import (
    PREMIUM,
    ClusterFacts,
    KmsProfile,
    KmsState,
    NetworkAccess,
    Offers,
    SupportPlan,
)
from azext_kmsmigrate.migration.journal import Journal
from azext_kmsmigrate.migration.step import PlannedStep, StepId
from azext_kmsmigrate.migration.upgrade_path import ANY_KMS_V2, Hop, Target, hops


class Preparation(str, enum.Enum):
    """What comes before the first step."""

    NONE = "None"
    WAIT = "Wait"  # an operation of ours is still under way in Azure: follow it, then look again
    RECONCILE = "Reconcile"  # our last operation failed: one PUT of the cluster as it is, then look again


@dataclass(frozen=True)
class Goal:
    """What the user asked for; empty means: as the journal or the cluster says.

    ``force_until``: pass over what AKS would refuse to upgrade for, deprecated APIs and PodDisruptionBudgets, for
    upgrades that begin before this time (UTC). ``tier``: the tier that may be changed to, with all that it costs, for a
    support plan that needs it.
    """

    kubernetes_version: str = ""
    key_id: str = ""
    network_access: NetworkAccess | None = None
    vault_id: str = ""
    support_plan: SupportPlan | None = None
    tier: str = ""
    force_until: datetime | None = None

    @property
    def option_text(self) -> str:
        """The options of ``plan`` that say the same, each with a space before it; empty for none."""
        options = {
            "--kubernetes-version": self.kubernetes_version,
            "--key-id": self.key_id,
            "--key-vault-access": self.network_access.value if self.network_access else "",
            "--key-vault": self.vault_id,
            "--tier": self.tier.lower(),
            "--k8s-support-plan": self.support_plan.value if self.support_plan else "",
        }
        return "".join(f" {option} {shlex.quote(value)}" for option, value in options.items() if value)


@dataclass(frozen=True)
class Situation:
    """Everything a plan is made from. ``done``: the steps this run has ended and, where it says so, proven.

    ``numbers``: what was measured for the estimate, which is left out without.
    """

    cluster: ClusterFacts
    offers: Offers
    journal: Journal | None = None
    done: frozenset[StepId] = frozenset()
    numbers: Numbers | None = None


@dataclass(frozen=True)
class Plan:
    """The ordered steps. ``blocked`` tells why none of them may begin; ``summary`` is one sentence.

    ``hops``: the upgrades, of which only the first is firm. ``support_plan``: the one to end with. ``back``: to KMS v1,
    see ``migration.reverting``.
    """

    state: KmsState
    summary: str
    steps: tuple[PlannedStep, ...] = ()
    target_kms: KmsProfile | None = None
    target: Target = ANY_KMS_V2
    hops: tuple[Hop, ...] = ()
    support_plan: SupportPlan = SupportPlan.COMMUNITY
    blocked: Refused | None = None
    preparation: Preparation = Preparation.NONE
    estimate: Estimate | None = None
    back: bool = False

    @property
    def hop(self) -> Hop | None:
        """The upgrade that is done next."""
        return self.hops[0] if self.hops else None

    @property
    def pending(self) -> bool:
        return bool(self.steps)


def decide(situation: Situation, goal: Goal) -> Plan:
    """The plan for what is observed. Raises nothing: a refusal is a plan that is blocked."""
    cluster, journal = situation.cluster, situation.journal
    ours = journal is not None and journal.unfinished
    if cluster.kms_state is KmsState.PLATFORM:
        return Plan(
            KmsState.PLATFORM,
            "Nothing to do: the cluster uses the newer KMS data encryption, which re-encrypts Secrets itself and "
            "cannot be turned off.",
        )
    if refusal := without_api_server(cluster):
        return Plan(cluster.kms_state, "Not possible now.", blocked=refusal)
    plan = _by_state(situation, goal)
    if plan.pending and not ours and (refusal := in_another_operation(cluster)):
        return replace(plan, blocked=refusal)
    if plan.pending:
        plan = replace(plan, preparation=preparation(cluster))
    plan = replace(plan, steps=tuple(dropwhile(lambda s: s.id in situation.done, plan.steps)))
    if plan.pending and situation.numbers is not None:
        steps, estimate = estimated(plan.steps, plan.hops, cluster, situation.numbers)
        return replace(plan, steps=steps, estimate=estimate)
    return plan


def _by_state(situation: Situation, goal: Goal) -> Plan:
    cluster, journal = situation.cluster, situation.journal
    if cluster.kms_state is KmsState.V2:
        if journal is None or not journal.unfinished:
            return Plan(KmsState.V2, "Nothing to do: KMS v2 is on.")
        steps = [_ENCRYPT]
        if _left_pools_behind(situation):
            steps.append(_pools(cluster))
        return Plan(
            KmsState.V2,
            "KMS v2 is on; the proof of an earlier run is not complete.",
            tuple(steps),
            target_kms=cluster.kms,
        )
    return _to_kms_v2(situation, goal)


def _to_kms_v2(situation: Situation, goal: Goal) -> Plan:
    cluster = situation.cluster
    state, where = cluster.kms_state, cluster.name.words
    journal = _unfinished(situation)
    version = goal.kubernetes_version or (journal.target_version if journal else "")
    try:
        target = Target.parse(version)
    except ValueError:
        return Plan(state, "No version is known.", blocked=Refused(errors.BAD_VERSION, version=version, **where))
    kms = target_kms(situation, goal)
    if kms is None:
        return Plan(state, "KMS is off and no key is known.", blocked=Refused(errors.KEY_UNKNOWN, **where))
    # A version kept in the journal may be behind the cluster by now; one below KMS v2 never leads to the end.
    bound = max(cluster.version, ANY_KMS_V2.at_least) if goal.kubernetes_version else ANY_KMS_V2.at_least
    if target.at_least.line < bound.line:
        return Plan(
            state,
            "The version asked for is too old.",
            blocked=Refused(errors.TARGET_TOO_OLD, target=version, bound=bound, **where),
        )
    upgrading = not target.reached_by(cluster.version)
    support = wanted_support(situation, goal)
    way = hops(cluster, situation.offers, target, support) if upgrading else ()
    blocked = None
    if upgrading:
        paid = PREMIUM if _agreed(situation) else goal.tier
        blocked = obstacles.to_upgrading(cluster, situation.offers, target, support, paid)
    return Plan(
        state,
        "Secrets are under KMS v1." if state is KmsState.V1 else "KMS is off.",
        tuple(_steps(situation, target, way, kms)),
        target_kms=kms,
        target=target,
        hops=way,
        support_plan=support,
        blocked=blocked,
    )


def _steps(situation: Situation, target: Target, way: tuple[Hop, ...], kms: KmsProfile) -> Iterator[PlannedStep]:
    cluster = situation.cluster
    if cluster.kms_state is KmsState.V1:
        yield PlannedStep(
            StepId.DISABLE_KMS,
            "KMS v1 is on, and AKS blocks the upgrade to 1.27 or later while it is",
            reversible=True,
            detail=cluster.kms.key_id,
        )
    yield PlannedStep(
        StepId.DECRYPT_SECRETS,
        "a Secret still under KMS v1 could be unreadable for good after the upgrade",
        reversible=True,
    )
    if not target.reached_by(cluster.version):
        yield PlannedStep(
            StepId.UPGRADE,
            f"KMS v2 needs Kubernetes 1.27 or later; the cluster runs {cluster.version}",
            reversible=False,
            detail=_upgrades(way) or str(target),
        )
    yield PlannedStep(
        StepId.ENABLE_KMS,
        f"on Kubernetes 1.27 or later this is KMS v2 ({kms.network_access.value.lower()} vault)",
        reversible=True,
        detail=kms.key_id,
    )
    yield _ENCRYPT
    # A whole-cluster hop takes along the pools that one before it left behind.
    if (way and not way[-1].whole) or (not way and _left_pools_behind(situation)):
        yield _pools(cluster)


_ENCRYPT = PlannedStep(
    StepId.ENCRYPT_SECRETS,
    "Secrets written before KMS was on are stored without it",
    reversible=True,
)


def _upgrades(way: tuple[Hop, ...]) -> str:
    """``1.27.9, control plane first, then 1.28.5, ...``: the scope once where it is the same for all."""
    scopes = ["control plane and node pools" if hop.whole else "control plane first" for hop in way]
    plan = ", with long term support" if any(hop.plan is SupportPlan.LONG_TERM for hop in way) else ""
    if len(set(scopes)) == 1:
        return f"{', then '.join(str(hop.version) for hop in way)}, {scopes[0]}{plan}"
    return ", then ".join(f"{hop.version}, {scope}" for hop, scope in zip(way, scopes, strict=True)) + plan


def _left_pools_behind(situation: Situation) -> bool:
    """Whether this migration upgraded the control plane first. Pools that were behind before are the user's own."""
    journal = _unfinished(situation)
    upgraded = journal is not None and journal.record_of(StepId.UPGRADE) is not None
    return upgraded and any(
        pool.upgradable and pool.version < situation.cluster.version for pool in situation.cluster.pools
    )


def _pools(cluster: ClusterFacts) -> PlannedStep:
    return PlannedStep(
        StepId.UPGRADE_NODE_POOLS,
        "the control plane went first, so that Secrets are not left without KMS while nodes drain",
        reversible=False,
        detail=", ".join(p.name for p in cluster.pools),
    )


def target_kms(situation: Situation, goal: Goal) -> KmsProfile | None:
    """The key, access mode and vault to turn KMS on with: as typed, else as in the journal, else as still named."""
    journal = _unfinished(situation)
    known = (journal and (journal.target_kms or journal.original_kms)) or situation.cluster.kms
    key_id = goal.key_id or known.key_id
    if not key_id:
        return None
    access = goal.network_access or (NetworkAccess.PRIVATE if goal.vault_id else known.network_access)
    vault_id = goal.vault_id or (known.vault_id if _same_vault(key_id, known.key_id) else "")
    vault_id = vault_id if access is NetworkAccess.PRIVATE else ""
    return KmsProfile(enabled=True, key_id=key_id, network_access=access, vault_id=vault_id)


def wanted_support(situation: Situation, goal: Goal) -> SupportPlan:
    """The support plan to end with: as typed, else as agreed to before, else as the cluster has it."""
    if goal.support_plan is not None:
        return goal.support_plan
    return SupportPlan.LONG_TERM if _agreed(situation) else situation.cluster.support_plan


def _agreed(situation: Situation) -> bool:
    """Whether this migration was begun with long term support, and what it costs, asked for."""
    journal = _unfinished(situation)
    return journal is not None and journal.support_plan == SupportPlan.LONG_TERM.value


def _same_vault(key_id: str, other: str) -> bool:
    return urlsplit(key_id).netloc.lower() == urlsplit(other).netloc.lower()


def _unfinished(situation: Situation) -> Journal | None:
    return situation.journal if situation.journal is not None and situation.journal.unfinished else None


def without_api_server(cluster: ClusterFacts) -> Refused | None:
    """What a cluster without an API server at work is refused with."""
    where = cluster.name.words
    if cluster.state == "Deleting":
        return Refused(errors.CLUSTER_DELETING, **where)
    if cluster.power != "Running":
        return Refused(errors.CLUSTER_STOPPED, power=cluster.power.lower(), **where)
    return None


def in_another_operation(cluster: ClusterFacts) -> Refused | None:
    """What a cluster is refused with whose operation is not one of ours."""
    where = cluster.name.words
    if cluster.busy:
        return Refused(errors.CLUSTER_BUSY, operation=cluster.state, **where)
    if cluster.failed:
        return Refused(errors.CLUSTER_FAILED, operation=cluster.state, **where)
    return None


def preparation(cluster: ClusterFacts) -> Preparation:
    """What comes first, where the last operation is one of ours."""
    if cluster.busy:
        return Preparation.WAIT
    return Preparation.RECONCILE if cluster.failed else Preparation.NONE


_BEFORE = {
    StepId.UPGRADE: frozenset({StepId.DECRYPT_SECRETS}),
    StepId.ENABLE_KMS: frozenset({StepId.DECRYPT_SECRETS}),
}


def only(plan: Plan, step: StepId, cluster: ClusterFacts) -> Plan:
    """The plan cut down to one documented step and the proof it stands on; blocked when another has to come first."""
    if plan.blocked:
        return plan
    wanted = _BEFORE.get(step, frozenset()) | {step}
    ids = [s.id for s in plan.steps]
    name = cluster.name.option_text
    if step not in ids:
        next_command = f"az aks kms-migrate show {name}"
        return replace(
            plan,
            steps=(),
            blocked=_not_next(step, "the cluster does not need it", next_command, cluster),
        )
    first = next(i for i in ids if i not in wanted or i is step)
    if first is not step:
        command = COMMAND_OF[first]
        return replace(
            plan,
            blocked=_not_next(step, f"'{first.value}' has to come first", f"{command} {name}", cluster),
        )
    return replace(plan, steps=tuple(s for s in plan.steps if s.id in wanted), estimate=None)


COMMAND_OF = {
    StepId.DISABLE_KMS: "az aks kms-migrate disable-kms",
    StepId.DECRYPT_SECRETS: "az aks kms-migrate rewrite-secrets",
    StepId.UPGRADE: "az aks kms-migrate upgrade",
    StepId.ENABLE_KMS: "az aks kms-migrate enable-kms",
    StepId.ENCRYPT_SECRETS: "az aks kms-migrate rewrite-secrets",
    StepId.UPGRADE_NODE_POOLS: "az aks kms-migrate start",
}


def _not_next(step: StepId, reason: str, next_command: str, cluster: ClusterFacts) -> Refused:
    return Refused(errors.STEP_NOT_NEXT, step=step.value, reason=reason, next=next_command, name=cluster.name.name)
