"""Whatever is seen and whatever is asked for, the plan keeps the order and the rules."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from azext_kmsmigrate.migration.facts import (
    ClusterFacts,
    KmsProfile,
    KmsState,
    NetworkAccess,
    NodePool,
    Offers,
    SupportPlan,
)
from azext_kmsmigrate.migration.journal import Journal, StepRecord
from azext_kmsmigrate.migration.plan import Goal, Preparation, Situation, decide, only
from azext_kmsmigrate.migration.step import StepId, StepStatus
from azext_kmsmigrate.migration.upgrade_path import Target, hops, next_hop
from azext_kmsmigrate.migration.version import KMS_V2_FROM, KubernetesVersion
from tests.unit.situations import NAME, cluster

versions = st.builds(KubernetesVersion, st.just(1), st.integers(23, 35), st.integers(0, 20))
states = st.sampled_from(["Succeeded", "Failed", "Canceled", "Updating", "Upgrading", "Creating", "Deleting", "odd"])
words = st.one_of(versions.map(str), versions.map(lambda v: f"{v.major}.{v.minor}"), st.just(""), st.text(max_size=6))
keys = st.sampled_from(["", "https://v.vault.azure.net/keys/k/1", "nonsense"])
accesses = st.sampled_from(list(NetworkAccess))
profiles = st.builds(KmsProfile, st.booleans(), keys, accesses, st.sampled_from(["", "/v"]))
support_plans = st.sampled_from([SupportPlan.COMMUNITY, SupportPlan.COMMUNITY, SupportPlan.LONG_TERM])
pools = st.lists(
    st.builds(
        NodePool,
        st.sampled_from(["a", "b"]),
        versions,
        versions,
        st.sampled_from(["Succeeded", "Failed", "Upgrading"]),
        st.integers(0, 3),
        st.sampled_from(["VirtualMachineScaleSets", "AvailabilitySet"]),
    ),
    max_size=3,
).map(tuple)
clusters = st.builds(
    cluster,
    versions.map(str),
    kms=profiles,
    pools=pools,
    state=states,
    power=st.sampled_from(["Running", "Running", "Running", "Stopped"]),
    platform_kms=st.sampled_from([False, False, False, True]),
    identity=st.sampled_from(["UserAssigned", "UserAssigned", "SystemAssigned", ""]),
    vnet_integration=st.booleans(),
    supported=st.sampled_from([True, False, None]),
    tier=st.sampled_from(["", "Free", "Standard", "Premium"]),
    support_plan=support_plans,
)
records = st.builds(StepRecord, st.sampled_from(list(StepId)), st.sampled_from(list(StepStatus)), st.just("t"))
journals = st.none() | st.builds(
    Journal,
    st.just(NAME.resource_id),
    st.just("t"),
    original_kms=st.none() | profiles,
    target_kms=st.none() | profiles,
    target_version=words,
    steps=st.lists(records, max_size=4).map(tuple),
    completed_at=st.sampled_from(["", "t"]),
    support_plan=st.sampled_from(["", "", "AKSLongTermSupport", "?"]),
)
offers = st.builds(
    Offers,
    st.lists(versions, max_size=5).map(tuple),
    st.dictionaries(versions, st.lists(versions, max_size=3).map(tuple), max_size=4),
    st.dictionaries(
        versions.map(lambda v: v.line), st.frozensets(st.sampled_from(list(SupportPlan)), min_size=1), max_size=12
    ),
)
situations = st.builds(
    Situation,
    clusters,
    offers,
    journals,
    st.frozensets(st.sampled_from([StepId.DECRYPT_SECRETS, StepId.ENCRYPT_SECRETS, StepId.UPGRADE_NODE_POOLS])),
)
goals = st.builds(
    Goal,
    words,
    keys,
    st.none() | accesses,
    st.sampled_from(["", "/typed"]),
    st.sampled_from([None, None, *SupportPlan]),
    st.sampled_from(["", "premium"]),
)


@given(situations, goals)
def test_decide_raises_nothing_and_keeps_the_documented_order(seen: Situation, goal: Goal) -> None:
    plan = decide(seen, goal)
    places = [step.id.place for step in plan.steps]
    assert places == sorted(set(places))
    assert plan.state is seen.cluster.kms_state
    assert plan.blocked is None or str(plan.blocked)


@given(situations, goals)
def test_the_upgrade_is_never_planned_on_an_unproven_step(seen: Situation, goal: Goal) -> None:
    ids = [step.id for step in decide(seen, goal).steps]
    if StepId.UPGRADE in ids:
        assert StepId.DECRYPT_SECRETS in ids or StepId.DECRYPT_SECRETS in seen.done
    if StepId.DISABLE_KMS in ids:
        assert StepId.DECRYPT_SECRETS in ids
    if StepId.ENABLE_KMS in ids:
        assert StepId.ENCRYPT_SECRETS in ids


@given(situations, goals)
def test_kms_is_never_turned_off_unless_the_whole_way_is_open(seen: Situation, goal: Goal) -> None:
    plan = decide(seen, goal)
    if plan.blocked is None and StepId.DISABLE_KMS in [s.id for s in plan.steps]:
        assert plan.hop is not None
        assert plan.target_kms is not None
        assert plan.target_kms.key_id
        assert seen.cluster.kms_state is KmsState.V1


@given(situations, goals)
def test_every_plan_that_may_begin_ends_on_kms_v2(seen: Situation, goal: Goal) -> None:
    plan = decide(seen, goal)
    if plan.blocked is None and plan.pending and seen.cluster.kms_state is not KmsState.V2:
        assert plan.target_kms is not None
        assert plan.target_kms.enabled
        ids = [step.id for step in plan.steps]
        assert StepId.UPGRADE in ids or seen.cluster.version >= KMS_V2_FROM


@given(situations, goals)
def test_nothing_may_begin_on_a_cluster_that_is_away_or_in_somebody_elses_hands(seen: Situation, goal: Goal) -> None:
    plan = decide(seen, goal)
    facts = seen.cluster
    unfinished = seen.journal is not None and seen.journal.unfinished
    if not plan.pending or facts.kms_state is KmsState.PLATFORM:
        return
    if facts.power != "Running" or facts.state == "Deleting" or (facts.state != "Succeeded" and not unfinished):
        assert plan.blocked is not None
    elif facts.state != "Succeeded":
        assert plan.preparation is not Preparation.NONE


@given(situations, goals, st.sampled_from(list(StepId)))
def test_a_step_by_itself_is_that_step_and_its_proof_or_a_refusal(seen: Situation, goal: Goal, step: StepId) -> None:
    plan = only(decide(seen, goal), step, seen.cluster)
    if plan.blocked is None:
        assert [s.id for s in plan.steps] in ([step], [StepId.DECRYPT_SECRETS, step])


@given(clusters, offers, words, support_plans)
def test_a_hop_is_one_of_the_offers_goes_up_and_never_passes_the_target(
    seen: ClusterFacts, offered: Offers, typed: str, plan: SupportPlan
) -> None:
    try:
        target = Target.parse(typed)
    except ValueError:
        return
    hop = next_hop(seen, offered, target, plan)
    if hop is None:
        return
    assert hop.version in (offered.onward if hop.conditional else offered.versions)
    assert hop.version > seen.version
    if target.exact:
        assert hop.version <= target.at_least
    if not target.open:
        assert hop.version.line <= target.at_least.line


near = st.builds(KubernetesVersion, st.just(1), st.integers(25, 29), st.integers(0, 1))
near_clusters = st.builds(
    lambda version, plan, supported: cluster(str(version), support_plan=plan, supported=supported),
    near,
    support_plans,
    st.sampled_from([True, False, None]),
)
near_offers = st.builds(
    Offers,
    st.lists(near, max_size=3).map(tuple),
    st.dictionaries(near, st.lists(near, max_size=3).map(tuple), max_size=10),
    st.dictionaries(
        near.map(lambda v: v.line), st.frozensets(st.sampled_from(list(SupportPlan)), min_size=1), max_size=5
    ),
)
near_words = st.just("") | near.map(str) | near.map(lambda v: f"{v.major}.{v.minor}")


@settings(max_examples=500)
@given(near_clusters, near_offers, near_words, support_plans)
def test_the_hops_begin_with_the_next_one_go_up_and_lead_to_the_target_under_the_plan_asked_for(
    seen: ClusterFacts, offered: Offers, typed: str, plan: SupportPlan
) -> None:
    try:
        target = Target.parse(typed)
    except ValueError:
        return
    way = hops(seen, offered, target, plan)
    assert way[:1] == tuple(h for h in [next_hop(seen, offered, target, plan)] if h)
    versions_ = [seen.version, *(hop.version for hop in way)]
    assert versions_ == sorted(set(versions_))
    if way:
        assert target.reached_by(way[-1].version)
        assert offered.under(way[-1].version, plan)
    has = seen.support_plan
    for hop in way:
        has = hop.plan or has
        assert offered.under(hop.version, has)


@given(situations, goals)
def test_long_term_support_is_never_asked_for_unless_the_user_did(seen: Situation, goal: Goal) -> None:
    plan = decide(seen, goal)
    kept = seen.journal is not None and seen.journal.unfinished and seen.journal.support_plan == "AKSLongTermSupport"
    if any(hop.plan is SupportPlan.LONG_TERM for hop in plan.hops):
        assert goal.support_plan is SupportPlan.LONG_TERM or kept
    if plan.blocked is None and any(hop.plan is SupportPlan.LONG_TERM for hop in plan.hops):
        assert kept or "premium" in (goal.tier, seen.cluster.tier.lower())
    if goal.support_plan is None and not kept and seen.cluster.support_plan is SupportPlan.COMMUNITY:
        assert all(seen.offers.under(hop.version, SupportPlan.COMMUNITY) for hop in plan.hops)


@given(clusters, offers, words)
def test_only_a_supported_cluster_upgrades_its_control_plane_first(
    seen: ClusterFacts, offered: Offers, typed: str
) -> None:
    try:
        hop = next_hop(seen, offered, Target.parse(typed))
    except ValueError:
        return
    if hop is not None and not hop.whole:
        assert seen.supported is True
        assert hop.version.minor - seen.version.minor <= 1
    assert hop is None or hop.why
