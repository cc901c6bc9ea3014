"""Whole migrations on an Azure that fails, refuses, or is not heard of again."""

from __future__ import annotations

import pytest

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import AzureError, ClusterError, Conflict, Entry
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.results import RunResult, RunState
from azext_kmsmigrate.runner import Runner
from tests.sim.azure import Trouble, refused_by_azure
from tests.sim.cluster import FAST, SimCluster, agree
from tests.unit.runs import DECRYPT, DISABLE, ENABLE, ENCRYPT, UPGRADE, assert_completes, assert_fails, steps_of


def test_turning_kms_off_that_fails_after_it_took_effect_is_rewritten_and_reconciled_once() -> None:
    sim = SimCluster()
    sim.azure.trouble["disable-kms"] = [Trouble(effect=True)]
    result = assert_completes(sim)
    assert sim.puts == ["disable-kms", "reconcile", "upgrade 1.27.1", "enable-kms"]
    assert any("Rewriting all Secrets all the same" in line for line in sim.said)
    assert result.exposure is not None


def test_turning_kms_off_that_fails_for_good_tells_the_state_and_continues_later() -> None:
    sim = SimCluster(roll=(0.0,))
    sim.azure.trouble["disable-kms"] = [Trouble(effect=True)]
    sim.azure.trouble["reconcile"] = [Trouble(), Trouble()]
    result = sim.start()
    assert_fails(result, "KMSM202", 1)
    assert (result.cluster.kms, result.cluster.provisioning_state) == ("Off", "Failed")
    assert result.problem is not None
    assert "KMS is off" in result.problem.why
    assert result.exposure is not None
    assert sim.forms == {"plain": 6}
    assert_fails(sim.start(), "KMSM202", 1)
    assert_completes(sim)
    assert sim.puts.count("disable-kms") == 1


def test_turning_kms_off_that_fails_without_effect_leaves_no_exposure() -> None:
    sim = SimCluster()
    sim.azure.trouble["disable-kms"] = [Trouble()]
    result = sim.start()
    assert_fails(result, "KMSM202", 1)
    assert (sim.forms, result.cluster.kms, result.exposure) == ({"kms-v1": 6}, "KmsV1", None)
    assert_completes(sim)


def test_an_azure_that_refuses_to_turn_kms_off_leaves_no_exposure() -> None:
    sim = SimCluster()
    sim.azure.refusals["disable-kms"] = [AzureError(errors.AZURE_FORBIDDEN, what="turning KMS off", code="HTTP 403")]
    result = sim.start()
    assert_fails(result, "KMSM204", 1)
    assert result.exposure is None
    assert sim.journal.exposed_from == ""


def test_a_lost_answer_while_kms_is_turned_off_is_recognised_and_the_exposure_not_forgotten() -> None:
    sim = SimCluster()
    sim.azure.lost["disable-kms"] = 1
    result = assert_completes_with(sim, puts=["disable-kms", "upgrade 1.27.1", "enable-kms"])
    assert result.exposure is not None
    assert result.exposure.start == "2026-01-31T09:00:00Z"


def assert_completes_with(sim: SimCluster, puts: list[str]) -> RunResult:
    result = sim.start()
    assert (result.state, result.problem) == (RunState.COMPLETED, None)
    assert sim.forms == {"kms-v2": 6}
    assert sim.puts == puts
    assert steps_of(result) == [DISABLE, DECRYPT, UPGRADE, ENABLE, ENCRYPT]
    return result


ALL_PUTS = ["disable-kms", "upgrade 1.27.1", "enable-kms"]
UNCERTAIN = [errors.AZURE_UNREACHABLE, errors.AZURE_UNAVAILABLE, errors.AZURE_THROTTLED]


@pytest.mark.parametrize("what", ALL_PUTS)
@pytest.mark.parametrize("entry", UNCERTAIN, ids=lambda e: e.code)
def test_a_request_that_azure_cannot_take_for_some_minutes_is_sent_once_it_can(what: str, entry: Entry) -> None:
    sim = SimCluster()
    sim.azure.refusals[what] = [AzureError(entry, what=what, code="HTTP 503") for _ in range(8)]
    assert_completes_with(sim, ALL_PUTS)


@pytest.mark.parametrize("entry", UNCERTAIN, ids=lambda e: e.code)
def test_an_azure_that_stays_away_ends_the_run_in_ten_minutes_without_a_claim_about_the_cluster(entry: Entry) -> None:
    sim = SimCluster()
    sim.azure.refusals["enable-kms"] = [AzureError(entry, what="enable-kms", code="HTTP 503") for _ in range(100)]
    began = sim.clock.monotonic()
    result = sim.start()
    assert_fails(result, entry.code, 1)
    assert result.problem is not None
    assert "stays as it was" not in result.problem.why
    assert sim.clock.monotonic() - began < 1200.0
    sim.azure.refusals.clear()
    assert_completes(sim)


def test_an_azure_that_cannot_be_read_for_five_minutes_is_waited_for() -> None:
    sim = SimCluster()
    sim.azure.before_put = lambda what: sim.azure.lost.update(observe=10) if what == "upgrade 1.27.1" else None
    assert_completes_with(sim, ALL_PUTS)


@pytest.mark.parametrize("what", ALL_PUTS)
def test_an_operation_that_another_one_took_the_place_of_is_looked_at_and_asked_for_again(what: str) -> None:
    sim = SimCluster()
    sim.azure.trouble[what] = [Trouble("Canceled", code="AKSOperationPreempted")]
    result = sim.start()
    assert sim.forms == {"kms-v2": 6}
    assert (result.state, sim.puts.count(what)) == (RunState.COMPLETED, 2)


@pytest.mark.parametrize("what", ALL_PUTS)
def test_an_operation_of_somebody_else_that_is_under_way_is_waited_for_and_then_ours_is_asked_for(what: str) -> None:
    sim = SimCluster()
    busy = Conflict(errors.CHANGED_MEANWHILE, what=what, code="OperationNotAllowed")
    sim.azure.refusals[what] = [busy, busy, busy]
    assert_completes_with(sim, ALL_PUTS)


def test_an_upgrade_that_fails_is_reconciled_and_tried_again_by_the_same_command() -> None:
    sim = SimCluster()
    sim.azure.trouble["upgrade 1.27.1"] = [Trouble(code="PodDrainFailure")]
    result = sim.start()
    assert_fails(result, "KMSM232", 1)
    assert result.problem is not None
    assert "PodDrainFailure" in result.problem.what
    assert_completes(sim)


def test_turning_kms_on_that_fails_is_reconciled_once() -> None:
    sim = SimCluster()
    sim.azure.trouble["enable-kms"] = [Trouble(effect=True)]
    assert_completes(sim)
    assert sim.puts[-2:] == ["enable-kms", "reconcile"]


def test_an_api_server_that_is_away_when_azure_fails_does_not_hide_what_azure_said() -> None:
    sim = SimCluster()
    sim.azure.trouble["upgrade 1.27.1"] = [Trouble(code="PodDrainFailure")]
    process = sim.process()
    sim.azure.before_put = lambda what: (
        process.journal_failures.append(ClusterError(errors.API_UNREACHABLE, what="write the journal", code="x"))
        if what.startswith("upgrade")
        else None
    )
    result = Runner(process.world(), FAST).run(Request(), agree)
    assert_fails(result, "KMSM232", 1)


def test_an_operation_of_ours_whose_answer_was_lost_is_followed_and_not_sent_again() -> None:
    sim = SimCluster()
    sim.azure.lost["upgrade 1.27.1"] = 1
    assert_completes_with(sim, ALL_PUTS)
    assert any("following it" in line for line in sim.said) or sim.puts.count("upgrade 1.27.1") == 1


def test_nodes_left_behind_by_a_whole_upgrade_end_the_run() -> None:
    sim = SimCluster()
    sim.lagging_kubelets = 2
    assert_fails(sim.start(), "KMSM309", 1)
    assert "enable-kms" not in sim.puts


STRANDING = [
    AzureError(errors.AZURE_REFUSED, what="turning KMS on", code="InvalidParameter", detail="no", next="start"),
    AzureError(errors.AZURE_FORBIDDEN, what="turning KMS on", code="HTTP 403"),
    refused_by_azure("turning KMS on", "ScopeLocked", "the scope is locked"),
    refused_by_azure("turning KMS on", "RequestDisallowedByPolicy", "disallowed by policy"),
]


@pytest.mark.parametrize("refusal", STRANDING, ids=lambda e: e.entry.code)
def test_kms_v2_that_is_refused_for_good_is_told_with_the_time_without_kms_and_start_goes_on_there(
    refusal: AzureError,
) -> None:
    sim = SimCluster()
    sim.azure.refusals["enable-kms"] = [refusal, refusal]
    for _ in range(2):
        result = sim.start()
        assert_fails(result, refusal.entry.code, 1)
        assert result.problem is not None
        assert "Secrets may be stored without KMS, since 2026-01-31T09:00:00Z" in result.problem.why
        assert result.problem.fix == refusal.fix
        assert (result.cluster.kms, sim.forms) == ("Off", {"plain": 6})
        assert result.next_command == "az aks kms-migrate start -g shop -n blue"
        shown = sim.after(61.0).runner().show()
        assert shown.journal is not None
        assert shown.journal.exposure.start == "2026-01-31T09:00:00Z"
    assert_completes(sim)
    assert sim.puts == ["disable-kms", "upgrade 1.27.1", "enable-kms"]


def test_kms_v2_that_fails_for_good_is_told_with_the_time_without_kms_and_start_goes_on_there() -> None:
    sim = SimCluster()
    sim.azure.trouble = {"enable-kms": [Trouble()], "reconcile": [Trouble(), Trouble()]}
    for _ in range(2):
        result = sim.start()
        assert_fails(result, "KMSM202", 1)
        assert result.problem is not None
        assert "without KMS, since 2026-01-31T09:00:00Z" in result.problem.why
        sim.after(61.0)
    assert_completes(sim)
    assert sim.puts.count("upgrade 1.27.1") == 1
