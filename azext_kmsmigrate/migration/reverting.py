"""Decides the way back to KMS v1 with the original key: its own state table, as one pure function.

| control plane | KMS now | else known | the plan |
|---|---|---|---|
| below 1.27 | off | a key: of the journal, else still named, else typed | enable-kms, encrypt-secrets |
| below 1.27 | v1 on | journal unfinished, the key is the original one | encrypt-secrets |
| below 1.27 | v1 on | journal complete, or none | nothing to do |
| below 1.27 | v1 on, or a key typed | the original key is another one | refuse: Secrets may lie under that one |
| below 1.27 | off | no key | refuse: which key? |
| 1.27 or later, or asked for by an upgrade | | | refuse: no way back, the way forward |
| platform- or customer-managed | | | refuse |
| any | operation under way, or failed | journal unfinished | as the row of the state, after waiting or one reconcile |
| any | operation under way, or failed | | refuse |
| any | stopped, deleting | | refuse |

The steps are those of the migration's end, for turning KMS on below 1.27 is KMS v1.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import dropwhile

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import Entry, Refused
from azext_kmsmigrate.migration.estimate import estimated
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsProfile, KmsState, NetworkAccess
from azext_kmsmigrate.migration.plan import Goal, Plan, Situation, in_another_operation, preparation, without_api_server
from azext_kmsmigrate.migration.step import PlannedStep, StepId
from azext_kmsmigrate.migration.version import KMS_V2_FROM


def decide_back(situation: Situation, goal: Goal) -> Plan:
    """The plan of ``revert``. Raises nothing: a refusal is a plan that is blocked."""
    cluster = situation.cluster
    blocked = without_api_server(cluster) or _no_way_back(cluster)
    if blocked:
        return _plan(cluster, "There is no way back.", blocked=blocked)
    ours = situation.journal is not None and situation.journal.unfinished
    if cluster.kms_state is KmsState.V1 and not ours and not goal.key_id:
        return _plan(cluster, "Nothing to do: KMS v1 is on, and no migration is unfinished.")
    plan = _by_key(situation, goal)
    if plan.pending and not ours and (refusal := in_another_operation(cluster)):
        return replace(plan, blocked=refusal)
    if not plan.pending:
        return plan
    plan = replace(plan, preparation=preparation(cluster))
    plan = replace(plan, steps=tuple(dropwhile(lambda s: s.id in situation.done, plan.steps)))
    if plan.pending and situation.numbers is not None:
        steps, estimate = estimated(plan.steps, (), cluster, situation.numbers)
        return replace(plan, steps=steps, estimate=estimate)
    return plan


def original_kms(situation: Situation, goal: Goal) -> KmsProfile | None:
    """The profile that KMS v1 had, as far as it is known; a typed key counts where nothing else names one."""
    journal = situation.journal
    kept = journal.original_kms if journal is not None and journal.unfinished else None
    if kept is not None and kept.key_id:
        return replace(kept, enabled=True)
    named = situation.cluster.kms
    if named.key_id:
        return replace(named, enabled=True)
    if not goal.key_id:
        return None
    access = goal.network_access or (NetworkAccess.PRIVATE if goal.vault_id else NetworkAccess.PUBLIC)
    return KmsProfile(True, goal.key_id, access, goal.vault_id if access is NetworkAccess.PRIVATE else "")


def _by_key(situation: Situation, goal: Goal) -> Plan:
    cluster, original = situation.cluster, original_kms(situation, goal)
    if original is None:
        return _plan(cluster, "KMS is off and no key is known.", blocked=_refused(errors.ORIGINAL_KEY_UNKNOWN, cluster))
    for other in (goal.key_id, cluster.kms.key_id if cluster.kms_state is KmsState.V1 else ""):
        if other and other != original.key_id:
            refusal = _refused(errors.NOT_THE_ORIGINAL_KEY, cluster, key=other, original=original.key_id)
            return _plan(cluster, "Another key than the original one.", blocked=refusal)
    if cluster.kms_state is KmsState.V1:
        if situation.journal is None or not situation.journal.unfinished:
            return _plan(cluster, "Nothing to do: KMS v1 is on, and no migration is unfinished.")
        return _plan(cluster, "KMS v1 is on; Secrets may still be stored without it.", (_ENCRYPT,), original)
    return _plan(
        cluster,
        "KMS is off; it goes back to KMS v1 with the original key.",
        (_enable(original), _ENCRYPT),
        original,
    )


def _no_way_back(cluster: ClusterFacts) -> Refused | None:
    if cluster.kms_state is KmsState.PLATFORM:
        return _refused(errors.KMS_PLATFORM, cluster)
    if max(cluster.version, cluster.wanted) < KMS_V2_FROM:
        return None
    if cluster.version >= KMS_V2_FROM:
        return _refused(errors.NO_WAY_BACK, cluster, reached=f"runs Kubernetes {cluster.version}")
    return _refused(errors.NO_WAY_BACK, cluster, reached=f"is on its way to Kubernetes {cluster.wanted}")


_ENCRYPT = PlannedStep(
    StepId.ENCRYPT_SECRETS,
    "Secrets written before KMS was on again are stored without it",
    reversible=True,
    titled="Rewrite all Secrets under KMS v1, and prove it",
)


def _enable(kms: KmsProfile) -> PlannedStep:
    return PlannedStep(
        StepId.ENABLE_KMS,
        f"below Kubernetes 1.27 this is KMS v1 ({kms.network_access.value.lower()} vault)",
        reversible=True,
        detail=kms.key_id,
        titled="Turn on KMS v1 again",
    )


def _plan(
    cluster: ClusterFacts,
    summary: str,
    steps: tuple[PlannedStep, ...] = (),
    kms: KmsProfile | None = None,
    blocked: Refused | None = None,
) -> Plan:
    return Plan(cluster.kms_state, summary, steps, target_kms=kms, blocked=blocked, back=True)


def _refused(entry: Entry, cluster: ClusterFacts, **values: object) -> Refused:
    return Refused(entry, **cluster.name.words, **values)
