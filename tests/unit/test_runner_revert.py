"""``revert`` on the simulated cluster: back to KMS v1 with the original key, from wherever a migration stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from azext_kmsmigrate.errors import Refused
from azext_kmsmigrate.exit_codes import exit_code
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.events import Counting, Moment, Phase
from azext_kmsmigrate.migration.facts import KmsProfile, NetworkAccess
from azext_kmsmigrate.migration.journal import Direction
from azext_kmsmigrate.migration.plan import Goal
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.results import RunResult, RunState
from azext_kmsmigrate.runner import Runner
from tests.sim.azure import Trouble, disabled, refused_by_azure
from tests.sim.cluster import FAST, KEY, OTHER_KEY, SimCluster, agree, with_kms
from tests.unit.runs import ENABLE, ENCRYPT, assert_completes, assert_fails, steps_of

BACK = Request(back=True)


def stopped_after(step: StepId, sim: SimCluster | None = None) -> SimCluster:
    sim = sim or SimCluster()
    sim.start(Request(stop_after=step))
    return sim.after(61.0)


def assert_back(sim: SimCluster, request: Request = BACK) -> RunResult:
    result = sim.start(request)
    assert (result.state, result.problem) == (RunState.COMPLETED, None)
    assert exit_code(result) == 0
    assert sim.forms == {"kms-v1": 6}
    assert sim.azure.show().kms == KmsProfile(True, KEY)
    assert result.evidence is not None
    assert (result.evidence.stored_as, result.evidence.missing) == ("kms-v1", [])
    assert sim.journal.completed_at
    assert sim.journal.direction is Direction.BACK
    assert sim.api.find_canary() is None
    assert "KMS v1 is on" in result.summary
    return result


@pytest.mark.parametrize("step", [StepId.DISABLE_KMS, StepId.DECRYPT_SECRETS])
@pytest.mark.parametrize("metrics", [True, False])
def test_from_wherever_a_migration_stopped_below_1_27_it_is_back_to_kms_v1(step: StepId, metrics: bool) -> None:
    sim = SimCluster()
    sim.api.metrics = metrics
    result = assert_back(stopped_after(step, sim))
    assert steps_of(result) == [ENABLE, ENCRYPT]
    assert sim.puts == ["disable-kms", "enable-kms"]
    assert result.exposure is not None
    assert result.exposure.end is not None


def test_right_after_kms_was_turned_off_while_an_api_server_still_writes_kms_v1() -> None:
    sim = SimCluster(roll=(0.0, 200.0))
    sim.api.metrics = False
    sim.start(Request(stop_after=StepId.DISABLE_KMS))
    assert_back(sim)


def test_api_servers_that_never_change_over_do_not_keep_it_from_turning_kms_on() -> None:
    sim = SimCluster(roll=(0.0, 1e9))
    sim.start(Request(stop_after=StepId.DISABLE_KMS))
    sim.roll = [0.0]
    result = assert_back(sim)
    assert any("all the same" in line for line in sim.said)
    assert result.evidence is not None
    assert result.evidence.grade == "direct"


def test_what_was_disabled_by_hand_goes_back_too() -> None:
    assert_back(SimCluster(kms=False))


def test_a_second_revert_does_nothing() -> None:
    sim = stopped_after(StepId.DECRYPT_SECRETS)
    assert_back(sim)
    puts, kept = list(sim.puts), sim.journal_document
    again = sim.start(BACK)
    assert again.state is RunState.NOTHING_TO_DO
    assert (sim.puts, sim.journal_document) == (puts, kept)


def test_a_start_after_a_revert_starts_anew_and_keeps_no_word_of_it() -> None:
    sim = stopped_after(StepId.DECRYPT_SECRETS)
    assert_back(sim)
    assert_completes(sim)
    assert sim.journal.direction is Direction.FORWARD
    assert sim.puts == ["disable-kms", "enable-kms", "disable-kms", "upgrade 1.27.1", "enable-kms"]


def test_a_start_before_the_revert_is_done_goes_forward_with_the_key_that_was_typed_first() -> None:
    sim = SimCluster()
    sim.start(Request(Goal(key_id=OTHER_KEY), stop_after=StepId.DECRYPT_SECRETS))
    sim.azure.refusals["enable-kms"] = [refused_by_azure("enable-kms", "ScopeLocked", "locked")]
    assert sim.start(BACK).state is RunState.FAILED
    assert_completes(sim)
    assert sim.azure.show().kms.key_id == OTHER_KEY


def test_after_the_upgrade_it_says_that_there_is_no_way_back_and_changes_nothing() -> None:
    sim = stopped_after(StepId.UPGRADE)
    puts, kept = list(sim.puts), sim.journal_document
    with pytest.raises(Refused, match="KMSM131"):
        sim.start(BACK)
    assert (sim.puts, sim.journal_document) == (puts, kept)
    assert_completes(sim)


def test_a_disable_that_azure_undid_is_proven_to_be_as_before() -> None:
    sim = stopped_after(StepId.DISABLE_KMS)
    sim.meddle(with_kms())
    sim.after(61.0)
    assert steps_of(assert_back(sim)) == [ENCRYPT]


def test_an_enabling_that_fails_is_reconciled_once_and_typed_again_it_goes_on() -> None:
    sim = stopped_after(StepId.DECRYPT_SECRETS)
    sim.azure.trouble = {"enable-kms": [Trouble()], "reconcile": [Trouble()]}
    result = sim.start(BACK)
    assert_fails(result, "KMSM202", 1)
    assert result.problem is not None
    assert "without KMS, since" in result.problem.why
    assert result.next_command == "az aks kms-migrate revert -g shop -n blue"
    assert_back(sim)


def test_a_private_vault_is_given_back() -> None:
    vault = "/subscriptions/sub/resourceGroups/shop/providers/Microsoft.KeyVault/vaults/vault"
    private = KmsProfile(True, KEY, NetworkAccess.PRIVATE, vault)
    sim = SimCluster()
    sim.meddle(lambda facts: replace(facts, vnet_integration=True, kms=private))
    stopped_after(StepId.DECRYPT_SECRETS, sim)
    assert sim.start(BACK).state is RunState.COMPLETED
    assert sim.azure.show().kms == private


def test_the_checks_of_turning_kms_on_are_asked_first() -> None:
    sim = stopped_after(StepId.DECRYPT_SECRETS)
    sim.meddle(lambda facts: replace(facts, pools=tuple(replace(p, state="Failed") for p in facts.pools)))
    puts = list(sim.puts)
    result = sim.start(BACK)
    assert_fails(result, "KMSM115", 11)
    assert sim.puts == puts


def test_kms_turned_off_again_in_between_is_told_as_drift() -> None:
    sim = stopped_after(StepId.DECRYPT_SECRETS)
    process = sim.process()
    seen = [0]

    def meddle(moment: Moment) -> None:
        if isinstance(moment, Counting) and moment.phase is Phase.PROVING and not seen[0]:
            seen[0] = 1
            sim.meddle(disabled)

    process.on_moment = meddle
    result = Runner(process.world(), FAST).run(BACK, agree)
    assert result.state is RunState.FAILED
    assert result.problem is not None
    assert_back(sim.after(61.0))
