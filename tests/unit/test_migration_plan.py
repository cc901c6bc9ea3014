"""The state table: each row reads "situation => what start does"."""

from __future__ import annotations

import pytest

from azext_kmsmigrate.migration.facts import KmsProfile, NetworkAccess
from azext_kmsmigrate.migration.plan import Goal, Plan, Preparation, Situation, decide, only, target_kms
from azext_kmsmigrate.migration.step import StepId
from tests.unit.situations import (
    KEY,
    NEVER,
    OFF,
    OTHER_KEY,
    cluster,
    journal,
    offers,
    pool,
    situation,
)

DISABLE, DECRYPT, UPGRADE = StepId.DISABLE_KMS, StepId.DECRYPT_SECRETS, StepId.UPGRADE
ENABLE, ENCRYPT, POOLS = StepId.ENABLE_KMS, StepId.ENCRYPT_SECRETS, StepId.UPGRADE_NODE_POOLS
V1_ORIGINAL = KmsProfile(enabled=True, key_id=KEY)


def ids(plan: Plan) -> list[StepId]:
    return [step.id for step in plan.steps]


def code(plan: Plan) -> str:
    return plan.blocked.entry.code if plan.blocked else ""


ALL = [DISABLE, DECRYPT, UPGRADE, ENABLE, ENCRYPT]
ROWS: list[tuple[str, Situation, Goal, list[StepId]]] = [
    ("below 1.27, v1 on", situation(cluster()), Goal(), ALL),
    ("below 1.27, v1 on, unfinished journal", situation(cluster(), kept=journal()), Goal(), ALL),
    ("below 1.27, v1 on, complete journal", situation(cluster(), kept=journal(completed=True)), Goal(), ALL),
    ("below 1.27, off, key still named", situation(cluster(kms=OFF)), Goal(), ALL[1:]),
    ("below 1.27, off, key typed", situation(cluster(kms=NEVER)), Goal(key_id=KEY), ALL[1:]),
    (
        "below 1.27, off, key in the journal only",
        situation(cluster(kms=NEVER), kept=journal(DISABLE, original_kms=V1_ORIGINAL)),
        Goal(),
        ALL[1:],
    ),
    ("1.27 or later, off, key named", situation(cluster("1.27.1", kms=OFF)), Goal(), [DECRYPT, ENABLE, ENCRYPT]),
    (
        "1.27 or later, off, a later version asked for",
        situation(cluster("1.27.1", kms=OFF), offers("1.28.3")),
        Goal(kubernetes_version="1.28"),
        [DECRYPT, UPGRADE, ENABLE, ENCRYPT],
    ),
    (
        "1.27 or later, off, a later version in the journal",
        situation(cluster("1.27.1", kms=OFF), offers("1.28.3"), journal(target_version="1.28.3")),
        Goal(),
        [DECRYPT, UPGRADE, ENABLE, ENCRYPT],
    ),
    (
        "1.27 or later, off, the version in the journal is behind by now",
        situation(cluster("1.28.3", kms=OFF), kept=journal(target_version="1.27")),
        Goal(),
        [DECRYPT, ENABLE, ENCRYPT],
    ),
    (
        "1.27 or later, off, our upgrade left the pools behind",
        situation(cluster("1.27.1", kms=OFF, pools=(pool(),)), kept=journal(UPGRADE)),
        Goal(),
        [DECRYPT, ENABLE, ENCRYPT, POOLS],
    ),
    (
        "1.27 or later, off, the pools were behind before",
        situation(cluster("1.27.1", kms=OFF, pools=(pool(),)), kept=journal(DECRYPT)),
        Goal(),
        [DECRYPT, ENABLE, ENCRYPT],
    ),
    ("v2 on, journal unfinished", situation(cluster("1.27.1"), kept=journal(ENABLE)), Goal(), [ENCRYPT]),
    (
        "v2 on, journal unfinished, our upgrade left the pools behind",
        situation(cluster("1.27.1", pools=(pool(),)), kept=journal(UPGRADE)),
        Goal(),
        [ENCRYPT, POOLS],
    ),
    (
        "v2 on, journal unfinished, the pools were behind before",
        situation(cluster("1.27.1", pools=(pool(),)), kept=journal(ENABLE)),
        Goal(),
        [ENCRYPT],
    ),
    ("v2 on, journal complete", situation(cluster("1.27.1"), kept=journal(completed=True)), Goal(), []),
    ("v2 on, no journal", situation(cluster("1.27.1")), Goal(), []),
    ("v2 on, no journal, busy", situation(cluster("1.27.1", state="Updating")), Goal(), []),
    ("platform-managed", situation(cluster("1.34.4", platform_kms=True)), Goal(), []),
    ("platform-managed, journal", situation(cluster("1.34.4", platform_kms=True), kept=journal()), Goal(), []),
    ("supported: control plane first", situation(cluster(supported=True)), Goal(), [*ALL, POOLS]),
    ("unsupported: the whole cluster", situation(cluster(supported=False)), Goal(), ALL),
    ("support unknown: the whole cluster", situation(cluster(supported=None)), Goal(), ALL),
]


@pytest.mark.parametrize(("seen", "goal", "steps"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_what_is_seen_decides_the_steps(seen: Situation, goal: Goal, steps: list[StepId]) -> None:
    plan = decide(seen, goal)
    assert ids(plan) == steps
    assert plan.blocked is None
    assert plan.preparation is Preparation.NONE
    assert plan.pending == bool(steps)


PRIVATE = KmsProfile(True, KEY, NetworkAccess.PRIVATE, "/v")
REFUSED: list[tuple[str, Situation, Goal, str]] = [
    ("off, no key known", situation(cluster(kms=NEVER)), Goal(), "KMSM102"),
    ("off from 1.27, no key known", situation(cluster("1.27.1", kms=NEVER)), Goal(), "KMSM102"),
    (
        "off, the key is in a journal of a finished migration only",
        situation(cluster(kms=NEVER), kept=journal(completed=True, original_kms=V1_ORIGINAL)),
        Goal(),
        "KMSM102",
    ),
    ("stopped", situation(cluster(power="Stopped")), Goal(), "KMSM103"),
    ("stopped, journal unfinished", situation(cluster(power="Stopped"), kept=journal()), Goal(), "KMSM103"),
    ("starting", situation(cluster(power="Starting", state="Starting")), Goal(), "KMSM103"),
    ("deleting", situation(cluster(state="Deleting"), kept=journal()), Goal(), "KMSM114"),
    ("busy, no journal", situation(cluster(state="Upgrading")), Goal(), "KMSM104"),
    ("busy, complete journal", situation(cluster(state="Upgrading"), kept=journal(completed=True)), Goal(), "KMSM104"),
    ("failed, no journal", situation(cluster(state="Failed")), Goal(), "KMSM105"),
    ("canceled, no journal", situation(cluster(state="Canceled")), Goal(), "KMSM105"),
    ("nothing offered", situation(cluster(), offers()), Goal(), "KMSM107"),
    ("the version asked for is not offered", situation(cluster()), Goal(kubernetes_version="1.27.9"), "KMSM107"),
    ("only a later minor is offered", situation(cluster(), offers("1.28.3")), Goal("1.27"), "KMSM107"),
    ("a version before KMS v2", situation(cluster()), Goal(kubernetes_version="1.26.20"), "KMSM108"),
    (
        "a journal whose version is before KMS v2",
        situation(cluster(), kept=journal(target_version="1.26")),
        Goal(),
        "KMSM108",
    ),
    ("a first hop that leads nowhere", situation(cluster()), Goal(kubernetes_version="1.28"), "KMSM107"),
    ("an older version", situation(cluster("1.28.3", kms=OFF)), Goal(kubernetes_version="1.27"), "KMSM108"),
    ("a version that is none", situation(cluster()), Goal(kubernetes_version="latest"), "KMSM507"),
    ("a journal whose version is none", situation(cluster(), kept=journal(target_version="?")), Goal(), "KMSM507"),
]


@pytest.mark.parametrize(("seen", "goal", "refusal"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_cannot_come_to_the_end_is_refused_before_it_begins(seen: Situation, goal: Goal, refusal: str) -> None:
    assert code(decide(seen, goal)) == refusal


@pytest.mark.parametrize("seen", [cluster(power="Stopped"), cluster(state="Deleting"), cluster(kms=NEVER)])
def test_nothing_is_planned_on_a_cluster_without_api_server_or_key(seen: object) -> None:
    assert ids(decide(situation(seen), Goal())) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "preparation"),
    [
        ("Updating", Preparation.WAIT),
        ("Upgrading", Preparation.WAIT),
        ("Failed", Preparation.RECONCILE),
        ("Canceled", Preparation.RECONCILE),
        ("Succeeded", Preparation.NONE),
    ],
)
def test_an_operation_of_an_unfinished_migration_is_waited_for_or_reconciled(
    state: str, preparation: Preparation
) -> None:
    plan = decide(situation(cluster(kms=OFF, state=state), kept=journal(DISABLE)), Goal())
    assert (plan.preparation, plan.blocked, ids(plan)) == (preparation, None, ALL[1:])


# what this run has done


def test_a_step_done_in_this_run_is_left_out() -> None:
    assert ids(decide(situation(cluster(kms=OFF), done=frozenset({DECRYPT})), Goal())) == [UPGRADE, ENABLE, ENCRYPT]


def test_with_everything_done_nothing_is_left() -> None:
    seen = situation(cluster("1.27.1"), kept=journal(UPGRADE), done=frozenset({DECRYPT, ENCRYPT}))
    assert ids(decide(seen, Goal())) == []


def test_a_proof_from_before_kms_was_turned_on_again_counts_for_nothing() -> None:
    assert ids(decide(situation(cluster(), done=frozenset({DECRYPT})), Goal())) == ALL


def test_a_proof_of_kms_v2_from_before_it_was_turned_off_counts_for_nothing() -> None:
    seen = situation(cluster("1.27.1", kms=OFF), kept=journal(ENABLE), done=frozenset({ENCRYPT}))
    assert ids(decide(seen, Goal())) == [DECRYPT, ENABLE, ENCRYPT]


# which key


def test_the_key_typed_wins_over_the_journal_and_the_journal_over_the_cluster() -> None:
    kept = journal(original_kms=KmsProfile(True, "journal-original"), target_kms=KmsProfile(True, "journal-target"))
    seen = cluster(kms=KmsProfile(False, "cluster"))
    wanted = [
        (Goal(key_id="typed"), kept, "typed"),
        (Goal(), kept, "journal-target"),
        (Goal(), journal(original_kms=KmsProfile(True, "journal-original")), "journal-original"),
        (Goal(), journal(), "cluster"),
        (Goal(), None, "cluster"),
        (Goal(), journal(completed=True, target_kms=KmsProfile(True, "old")), "cluster"),
    ]
    for goal, known, key in wanted:
        found = target_kms(situation(seen, kept=known), goal)
        assert found is not None
        assert (found.key_id, found.enabled) == (key, True)


def test_access_and_vault_are_those_of_before_unless_typed() -> None:
    before = situation(cluster(kms=KmsProfile(True, KEY, NetworkAccess.PRIVATE, "/old")))
    wanted = [
        (Goal(), (NetworkAccess.PRIVATE, "/old")),
        (Goal(vault_id="/new"), (NetworkAccess.PRIVATE, "/new")),
        (Goal(network_access=NetworkAccess.PUBLIC), (NetworkAccess.PUBLIC, "")),
        (Goal(key_id=OTHER_KEY), (NetworkAccess.PRIVATE, "/old")),
    ]
    for goal, expected in wanted:
        found = target_kms(before, goal)
        assert found is not None
        assert (found.network_access, found.vault_id) == expected


def test_a_vault_typed_alone_is_a_private_vault_and_not_dropped() -> None:
    found = target_kms(situation(cluster()), Goal(vault_id="/v"))
    assert found == KmsProfile(True, KEY, NetworkAccess.PRIVATE, "/v")


# one documented step by itself

ONLY: list[tuple[str, Situation, StepId, list[StepId], str]] = [
    ("disable first", situation(cluster()), DISABLE, [DISABLE], ""),
    ("upgrade while v1 is on", situation(cluster()), UPGRADE, [], "KMSM112"),
    ("upgrade stands on the proof", situation(cluster(kms=OFF)), UPGRADE, [DECRYPT, UPGRADE], ""),
    ("enable while below 1.27", situation(cluster(kms=OFF)), ENABLE, [], "KMSM112"),
    ("enable stands on the proof", situation(cluster("1.27.1", kms=OFF)), ENABLE, [DECRYPT, ENABLE], ""),
    ("disable when off", situation(cluster(kms=OFF)), DISABLE, [], "KMSM112"),
    ("disable on v2", situation(cluster("1.27.1")), DISABLE, [], "KMSM112"),
    ("upgrade on a stopped cluster", situation(cluster(power="Stopped")), UPGRADE, [], "KMSM103"),
]


@pytest.mark.parametrize(("seen", "step", "steps", "refusal"), [r[1:] for r in ONLY], ids=[r[0] for r in ONLY])
def test_one_step_by_itself(seen: Situation, step: StepId, steps: list[StepId], refusal: str) -> None:
    plan = only(decide(seen, Goal()), step, seen.cluster)
    assert code(plan) == refusal
    if not refusal:
        assert ids(plan) == steps


def test_a_step_that_is_not_next_names_the_command_that_is() -> None:
    seen = situation(cluster())
    blocked = only(decide(seen, Goal()), UPGRADE, seen.cluster).blocked
    assert blocked is not None
    assert blocked.fix == "Type: az aks kms-migrate disable-kms -g shop -n blue"


def test_the_steps_say_what_they_act_on() -> None:
    plan = decide(situation(cluster(), offers("1.27.1")), Goal())
    assert [(s.id, s.detail) for s in plan.steps] == [
        (DISABLE, KEY),
        (DECRYPT, ""),
        (UPGRADE, "1.27.1, control plane and node pools"),
        (ENABLE, KEY),
        (ENCRYPT, ""),
    ]
    on = offers("1.27.1", onward={"1.27.1": ["1.28.3"]})
    far = decide(situation(cluster(supported=True), on), Goal(kubernetes_version="1.28.3"))
    assert next(s.detail for s in far.steps if s.id is UPGRADE) == "1.27.1, then 1.28.3, control plane first"
