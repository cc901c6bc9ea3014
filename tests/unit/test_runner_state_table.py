"""Whole migrations: every row of the state table, end to end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from azext_kmsmigrate.errors import Refused
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.facts import KmsProfile, NetworkAccess
from azext_kmsmigrate.migration.plan import Goal
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.results import RunState
from tests.sim.cluster import KEY, OTHER_KEY, SimCluster
from tests.unit.runs import DECRYPT, DISABLE, ENABLE, ENCRYPT, POOLS, UPGRADE, assert_completes, steps_of


def test_below_1_27_with_kms_on_everything_is_done() -> None:
    sim = SimCluster()
    result = assert_completes(sim)
    assert steps_of(result) == [DISABLE, DECRYPT, UPGRADE, ENABLE, ENCRYPT]
    assert sim.puts == ["disable-kms", "upgrade 1.27.1", "enable-kms"]
    assert result.keep_keys == [KEY]
    assert result.exposure is not None
    assert result.exposure.start is not None
    assert result.exposure.end is not None
    assert result.exposure.start < result.exposure.end


def test_below_1_27_with_kms_off_and_a_key_still_named_it_starts_with_the_proof() -> None:
    result = assert_completes(SimCluster(kms=False))
    assert steps_of(result) == [DECRYPT, UPGRADE, ENABLE, ENCRYPT]


def test_with_kms_never_on_and_a_key_typed_it_is_turned_on_with_that_key() -> None:
    sim = SimCluster(kms=False, key_id="")
    assert_completes(sim, Goal(key_id=OTHER_KEY))
    assert sim.azure.show().kms == KmsProfile(True, OTHER_KEY)


def test_with_kms_off_and_no_key_known_it_asks_which() -> None:
    sim = SimCluster(kms=False, key_id="")
    with pytest.raises(Refused, match="KMSM102"):
        sim.start()
    assert sim.puts == []


def test_from_1_27_on_with_kms_off_only_the_rest_is_done() -> None:
    result = assert_completes(SimCluster(version="1.27.1", kms=False))
    assert steps_of(result) == [DECRYPT, ENABLE, ENCRYPT]


def test_node_pools_that_somebody_left_behind_are_not_upgraded_unasked() -> None:
    sim = SimCluster(version="1.27.1", kms=False, pool_version="1.26.15")
    assert_completes(sim)
    assert sim.puts == ["enable-kms"]


def test_with_kms_v2_on_and_no_journal_there_is_nothing_to_do() -> None:
    sim = SimCluster(version="1.27.1")
    result = sim.start()
    assert result.state is RunState.NOTHING_TO_DO
    assert (sim.puts, sim.api.writes, sim.journal_document) == ([], 0, "")


def test_on_the_newer_kms_experience_there_is_nothing_to_do() -> None:
    sim = SimCluster(version="1.34.4")
    sim.meddle(lambda facts: replace(facts, platform_kms=True))
    assert sim.start().state is RunState.NOTHING_TO_DO
    assert sim.puts == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda f: replace(f, power="Stopped"), "KMSM103"),
        (lambda f: replace(f, state="Deleting"), "KMSM114"),
        (lambda f: replace(f, state="Upgrading"), "KMSM104"),
        (lambda f: replace(f, state="Failed"), "KMSM105"),
        (lambda f: replace(f, version=f.version._replace(minor=25)), "KMSM107"),
    ],
)
def test_a_cluster_that_cannot_get_to_the_end_is_refused_before_anything_is_changed(change: object, code: str) -> None:
    sim = SimCluster()
    sim.meddle(change)  # type: ignore[arg-type]
    with pytest.raises(Refused, match=code):
        sim.start()
    assert (sim.puts, sim.api.writes, sim.journal_document) == ([], 0, "")


def test_a_supported_cluster_upgrades_its_control_plane_first_and_its_pools_after_the_last_proof() -> None:
    sim = SimCluster(supported=True)
    result = assert_completes(sim)
    assert steps_of(result) == [DISABLE, DECRYPT, UPGRADE, ENABLE, ENCRYPT, POOLS]
    assert sim.puts[-2:] == ["upgrade-pool system 1.27.1", "upgrade-pool user 1.27.1"]


def test_a_target_several_hops_away_is_reached_hop_by_hop() -> None:
    sim = SimCluster()
    assert_completes(sim, Goal(kubernetes_version="1.28"))
    assert sim.puts == ["disable-kms", "upgrade 1.27.1", "upgrade 1.28.3", "enable-kms"]


def test_the_target_typed_first_is_kept_by_the_run_that_continues() -> None:
    sim = SimCluster()
    sim.start(Request(Goal(kubernetes_version="1.28", key_id=OTHER_KEY), stop_after=StepId.DISABLE_KMS))
    assert_completes(sim)
    assert (str(sim.azure.show().version), sim.azure.show().kms.key_id) == ("1.28.3", OTHER_KEY)
    result = sim.runner().show()
    assert result.journal is not None
    assert result.journal.original_key_id == KEY


PRIVATE_VAULT = "/subscriptions/sub/resourceGroups/shop/providers/Microsoft.KeyVault/vaults/vault"


def test_a_private_vault_is_given_back_as_it_was() -> None:
    sim = SimCluster()
    private = KmsProfile(True, KEY, NetworkAccess.PRIVATE, PRIVATE_VAULT)
    sim.meddle(lambda facts: replace(facts, vnet_integration=True, kms=private))
    assert_completes(sim)
    assert sim.azure.show().kms == private
