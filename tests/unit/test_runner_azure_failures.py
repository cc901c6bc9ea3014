"""Whole migrations on an Azure that fails, refuses, or is not heard of again."""

from __future__ import annotations

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import AzureError, ClusterError
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.results import RunState
from azext_kmsmigrate.runner import Runner
from tests.sim.azure import Trouble
from tests.sim.cluster import FAST, SimCluster, agree
from tests.unit.runs import DECRYPT, ENABLE, ENCRYPT, assert_completes, assert_fails, steps_of


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


def test_a_lost_connection_while_kms_is_turned_off_does_not_forget_the_exposure() -> None:
    sim = SimCluster()
    sim.azure.lost["disable-kms"] = 1
    assert_fails(sim.start(), "KMSM205", 1)
    result = assert_completes(sim.after(60.0))
    assert result.exposure is not None
    assert result.exposure.start == "2026-01-31T09:00:00Z"


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


def test_an_operation_of_ours_that_is_still_under_way_is_followed() -> None:
    sim = SimCluster()
    sim.azure.lost["upgrade 1.27.1"] = 1
    assert_fails(sim.start(), "KMSM205", 1)
    assert sim.azure.show().busy
    result = sim.start()
    assert (result.state, steps_of(result)) == (RunState.COMPLETED, [DECRYPT, ENABLE, ENCRYPT])
    assert sim.puts.count("upgrade 1.27.1") == 1


def test_nodes_left_behind_by_a_whole_upgrade_end_the_run() -> None:
    sim = SimCluster()
    sim.lagging_kubelets = 2
    assert_fails(sim.start(), "KMSM309", 1)
    assert "enable-kms" not in sim.puts
