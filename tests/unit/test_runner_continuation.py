"""The same command again: stopped, interrupted, declined, beside another run."""

from __future__ import annotations

import pytest

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import Refused
from azext_kmsmigrate.exit_codes import exit_code
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.events import Moment, Operating
from azext_kmsmigrate.migration.facts import ClusterFacts
from azext_kmsmigrate.migration.step import StepId, StepStatus
from azext_kmsmigrate.results import RunState
from azext_kmsmigrate.runner import Runner
from tests.sim.cluster import FAST, SimCluster, agree, with_kms
from tests.unit.runs import assert_completes, steps_of


def test_start_a_second_time_finds_nothing_to_do_and_writes_nothing() -> None:
    sim = SimCluster()
    assert_completes(sim)
    before = (list(sim.puts), sim.api.writes, sim.journal_version)
    again = sim.start()
    assert again.state is RunState.NOTHING_TO_DO
    assert exit_code(again) == 0
    assert (sim.puts, sim.api.writes, sim.journal_version) == before


@pytest.mark.parametrize("metrics", [True, False])
@pytest.mark.parametrize("step", list(StepId))
def test_stopped_after_any_step_the_same_command_comes_to_the_same_end(step: StepId, metrics: bool) -> None:
    sim = SimCluster(supported=True)
    sim.api.metrics = metrics
    stopped = sim.start(Request(stop_after=step))
    last = step is StepId.UPGRADE_NODE_POOLS
    assert stopped.state is (RunState.COMPLETED if last else RunState.STOPPED)
    assert steps_of(stopped)[-1] == step.value
    assert stopped.cluster.kubernetes_version == str(sim.azure.show().version)
    assert stopped.cluster.kms == sim.azure.show().kms_state.value
    assert exit_code(stopped) == 0
    if not last:
        assert_completes(sim)
    assert [p.what for p in sim.changing_puts] == [
        "disable-kms",
        "upgrade 1.27.1",
        "enable-kms",
        "upgrade-pool system 1.27.1",
        "upgrade-pool user 1.27.1",
    ]


@pytest.mark.parametrize("step", [s for s in StepId if s is not StepId.UPGRADE_NODE_POOLS])
def test_stop_after_a_step_that_is_already_done_goes_no_further(step: StepId) -> None:
    sim = SimCluster(supported=True)
    sim.start(Request(stop_after=step))
    puts = list(sim.puts)
    again = sim.start(Request(stop_after=step))
    assert again.state in (RunState.STOPPED, RunState.NOTHING_TO_DO)
    assert sim.puts == puts


def test_the_steps_typed_one_by_one_come_to_the_same_end() -> None:
    sim = SimCluster()
    for step in (StepId.DISABLE_KMS, StepId.UPGRADE, StepId.ENABLE_KMS):
        result = sim.start(Request(only=step))
        assert (result.state, result.problem) == (RunState.COMPLETED, None)
    assert sim.runner().rewrite(agree).state is RunState.COMPLETED
    assert sim.forms == {"kms-v2": 6}
    assert sim.puts == ["disable-kms", "upgrade 1.27.1", "enable-kms"]


@pytest.mark.parametrize("step", [StepId.UPGRADE, StepId.ENABLE_KMS])
def test_a_step_by_itself_is_refused_while_another_has_to_come_first(step: StepId) -> None:
    sim = SimCluster()
    with pytest.raises(Refused, match="KMSM112"):
        sim.start(Request(only=step))
    assert sim.puts == []


def test_another_run_that_finished_before_the_lease_was_ours_leaves_nothing_to_do() -> None:
    sim = SimCluster()

    saved: list[int] = []

    def agree_late(cluster: ClusterFacts, plan: object, found: object) -> None:
        assert sim.start().state is RunState.COMPLETED
        saved.append(sim.journal_version)

    result = sim.start(confirm=agree_late)
    assert result.state is RunState.NOTHING_TO_DO
    assert sim.journal_version == saved[0]
    assert len(sim.journal.steps) == 5


def test_kms_turned_on_by_somebody_while_the_user_read_the_plan_is_not_turned_off_unasked() -> None:
    sim = SimCluster(kms=False)
    with pytest.raises(Refused, match="KMSM109"):
        sim.start(confirm=lambda cluster, plan, found: sim.meddle(with_kms()))
    assert (sim.puts, sim.api.writes, sim.lease_holder) == ([], 0, "")


def test_a_second_run_is_refused_while_the_first_is_at_work() -> None:
    sim = SimCluster()
    sim.lease_holder, sim.lease_until = "somebody", 1000.0
    with pytest.raises(Refused, match="KMSM306"):
        sim.start()
    assert (sim.puts, sim.api.writes) == ([], 0)


def test_a_user_who_declines_changes_nothing() -> None:
    sim = SimCluster()

    def decline(cluster: ClusterFacts, plan: object, found: object) -> None:
        raise Refused(errors.DECLINED)

    with pytest.raises(Refused, match="KMSM502"):
        sim.start(confirm=decline)
    assert (sim.puts, sim.api.writes, sim.journal_document, sim.lease_holder) == ([], 0, "", "")


def test_ctrl_c_stops_at_a_safe_point_and_says_how_to_continue() -> None:
    sim = SimCluster()
    process = sim.process()
    process.interrupt_at_tick = 10
    result = Runner(process.world(), FAST).run(Request(), agree)
    assert result.state is RunState.STOPPED
    assert exit_code(result) == 20
    assert result.problem is not None
    assert result.problem.code == "KMSM901"
    assert result.next_command == "az aks kms-migrate start -g shop -n blue"
    assert_completes(sim)


@pytest.mark.parametrize("what", ["disable-kms", "upgrade 1.27.1", "enable-kms"])
def test_a_step_that_was_left_to_azure_and_followed_to_its_end_is_told_with_its_times(what: str) -> None:
    sim = SimCluster()
    sim.azure.operation_seconds = 600.0
    process = sim.process()

    def leave(moment: Moment) -> None:
        if isinstance(moment, Operating) and moment.what == what:
            raise KeyboardInterrupt

    process.on_moment = leave
    step = what.partition(" ")[0]
    assert Runner(process.world(), FAST).run(Request(), agree).state is RunState.STOPPED
    record = sim.journal.running
    assert record is not None
    result = sim.after(100.0).start()
    assert result.state is RunState.COMPLETED
    told = result.steps[0]
    assert (told.id, told.status, told.started_at) == (step, "Done", record.started_at)
    assert 600.0 <= told.duration_seconds <= 700.0
    stored = sim.journal.record_of(record.id)
    assert stored is not None
    assert stored.status is StepStatus.DONE


def test_a_step_that_ended_while_nobody_looked_is_none_of_this_run() -> None:
    sim = SimCluster()
    process = sim.process()

    def leave(moment: Moment) -> None:
        if isinstance(moment, Operating):
            raise KeyboardInterrupt

    process.on_moment = leave
    Runner(process.world(), FAST).run(Request(), agree)
    result = sim.after(86_400.0).start()
    assert steps_of(result) == ["decrypt-secrets", "upgrade", "enable-kms", "encrypt-secrets"]
