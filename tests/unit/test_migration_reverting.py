"""The way back: every row of its state table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import Entry
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsProfile, NetworkAccess, Offers
from azext_kmsmigrate.migration.journal import Journal
from azext_kmsmigrate.migration.plan import Goal, Preparation, Situation
from azext_kmsmigrate.migration.reverting import decide_back
from tests.sim.cluster import KEY, OTHER_KEY
from tests.unit.situations import cluster, v

OFF, ON = KmsProfile(enabled=False, key_id=KEY), KmsProfile(enabled=True, key_id=KEY)
OPEN = replace(Journal.from_scratch(cluster_id="c", now="t"), original_kms=ON)
DONE = replace(OPEN, completed_at="t")


def back(seen: ClusterFacts, journal: Journal | None = None, goal: Goal | None = None) -> Any:
    return decide_back(Situation(seen, Offers(), journal), goal or Goal())


@pytest.mark.parametrize(
    ("kms", "journal", "typed", "key"),
    [
        (replace(OFF, key_id=""), OPEN, "", KEY),
        (OFF, None, "", KEY),
        (OFF, DONE, "", KEY),
        (replace(OFF, key_id=OTHER_KEY), OPEN, "", KEY),
        (replace(OFF, key_id=""), None, OTHER_KEY, OTHER_KEY),
        (replace(OFF, key_id=""), DONE, OTHER_KEY, OTHER_KEY),
        (OFF, OPEN, KEY, KEY),
    ],
)
def test_kms_off_goes_on_with_the_original_key_and_then_all_secrets_are_proven(
    kms: KmsProfile, journal: Journal | None, typed: str, key: str
) -> None:
    plan = back(cluster("1.26.15", kms=kms), journal, Goal(key_id=typed))
    assert plan.blocked is None
    assert [s.id.value for s in plan.steps] == ["enable-kms", "encrypt-secrets"]
    assert all(s.reversible for s in plan.steps)
    assert "KMS v1" in plan.steps[0].title
    assert (plan.target_kms.enabled, plan.target_kms.key_id) == (True, key)
    assert plan.hops == ()


def test_kms_v1_on_after_a_migration_that_broke_off_is_proven() -> None:
    plan = back(cluster("1.26.15", kms=ON), OPEN)
    assert [s.id.value for s in plan.steps] == ["encrypt-secrets"]


@pytest.mark.parametrize("journal", [None, DONE])
@pytest.mark.parametrize("typed", ["", KEY])
def test_kms_v1_on_and_nothing_unfinished_is_nothing_to_do(journal: Journal | None, typed: str) -> None:
    plan = back(cluster("1.26.15", kms=ON), journal, Goal(key_id=typed))
    assert (plan.pending, plan.blocked) == (False, None)


def test_a_private_vault_is_given_back_as_it_was() -> None:
    private = KmsProfile(True, KEY, NetworkAccess.PRIVATE, "/vault")
    seen = cluster("1.26.15", kms=replace(OFF, key_id=""), vnet_integration=True)
    assert back(seen, replace(OPEN, original_kms=private)).target_kms == private


@pytest.mark.parametrize(
    ("seen", "journal", "typed", "entry"),
    [
        (cluster("1.27.1", kms=ON), OPEN, "", errors.NO_WAY_BACK),
        (cluster("1.27.1", kms=ON), None, "", errors.NO_WAY_BACK),
        (cluster("1.27.1", kms=OFF), OPEN, "", errors.NO_WAY_BACK),
        (replace(cluster("1.26.15", kms=OFF, state="Upgrading"), wanted=v("1.27.1")), OPEN, "", errors.NO_WAY_BACK),
        (replace(cluster("1.26.15", kms=OFF, state="Failed"), wanted=v("1.27.1")), OPEN, "", errors.NO_WAY_BACK),
        (cluster("1.34.4", kms=OFF, platform_kms=True), None, "", errors.KMS_PLATFORM),
        (cluster("1.26.15", kms=replace(OFF, key_id="")), None, "", errors.ORIGINAL_KEY_UNKNOWN),
        (cluster("1.26.15", kms=OFF), OPEN, OTHER_KEY, errors.NOT_THE_ORIGINAL_KEY),
        (cluster("1.26.15", kms=ON), None, OTHER_KEY, errors.NOT_THE_ORIGINAL_KEY),
        (cluster("1.26.15", kms=replace(ON, key_id=OTHER_KEY)), OPEN, "", errors.NOT_THE_ORIGINAL_KEY),
        (cluster("1.26.15", kms=OFF, state="Updating"), None, "", errors.CLUSTER_BUSY),
        (cluster("1.26.15", kms=OFF, state="Failed"), DONE, "", errors.CLUSTER_FAILED),
        (cluster("1.26.15", kms=OFF, power="Stopped"), OPEN, "", errors.CLUSTER_STOPPED),
        (cluster("1.26.15", kms=OFF, state="Deleting"), OPEN, "", errors.CLUSTER_DELETING),
    ],
)
def test_it_is_refused(seen: ClusterFacts, journal: Journal | None, typed: str, entry: Entry) -> None:
    blocked = back(seen, journal, Goal(key_id=typed)).blocked
    assert blocked is not None
    assert blocked.entry is entry
    if entry is errors.NO_WAY_BACK:
        assert "az aks kms-migrate start" in blocked.fix


@pytest.mark.parametrize(("state", "preparation"), [("Updating", Preparation.WAIT), ("Failed", Preparation.RECONCILE)])
def test_an_operation_of_ours_is_followed_or_reconciled_first(state: str, preparation: Preparation) -> None:
    plan = back(cluster("1.26.15", kms=OFF, state=state), OPEN)
    assert (plan.blocked, plan.preparation) == (None, preparation)
