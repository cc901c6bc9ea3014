"""Runs on a simulated cluster in which a Secret cannot be rewritten: it is known before anything is changed."""

from __future__ import annotations

import copy

import pytest

from azext_kmsmigrate.check_document import CheckDocument
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.events import Counting, Moment, Phase
from azext_kmsmigrate.migration.plan import Goal
from azext_kmsmigrate.migration.secret import Failure, FailureClass
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.results import CheckReport, RunResult, RunState
from azext_kmsmigrate.runner import Runner
from tests.sim.cluster import FAST, SimCluster, agree
from tests.unit.runs import UNASKED, assert_completes, assert_fails

IN_THE_WAY = [
    FailureClass.ADMISSION_DENIED,
    FailureClass.WEBHOOK_DOWN,
    FailureClass.FORBIDDEN,
    FailureClass.INVALID,
    FailureClass.UNDECRYPTABLE,
]


def c04(result: RunResult | CheckReport) -> CheckDocument:
    return next(check for check in result.checks if check.id == "C-04")


@pytest.mark.parametrize("kind", IN_THE_WAY)
def test_a_secret_that_cannot_be_rewritten_is_named_before_anything_is_changed(kind: FailureClass) -> None:
    sim = SimCluster()
    sim.api.always["ns-1", "secret-4"] = Failure(kind, "what is in the way")
    before = copy.deepcopy(sim.api.secrets)
    result = sim.start()
    assert_fails(result, "KMSM115", 11)
    (finding,) = c04(result).findings
    assert (finding.object, finding.severity) == ("Secret ns-1/secret-4", "block")
    assert kind.value in finding.what
    assert "what is in the way" in finding.what
    assert (sim.puts, sim.api.secrets, sim.journal_document) == ([], before, "")
    del sim.api.always["ns-1", "secret-4"]
    assert_completes(sim)


def test_every_secret_is_tried_once_before_kms_is_turned_off_and_never_again() -> None:
    sim = SimCluster(secrets=40)
    sim.start(Request(stop_after=StepId.DISABLE_KMS))
    assert sim.api.dry_runs == 40
    assert sim.start().state is RunState.COMPLETED
    assert sim.api.dry_runs == 40


def test_one_step_by_itself_tries_every_secret_when_it_turns_kms_off() -> None:
    sim = SimCluster(secrets=40)
    sim.start(Request(only=StepId.DISABLE_KMS))
    assert sim.api.dry_runs == 40


def test_who_leaves_the_check_out_is_kept_in_the_journal_and_nothing_is_tried() -> None:
    sim = SimCluster()
    sim.api.deny("ns-1", "secret-4", "deny.example.com")
    result = sim.start(UNASKED)
    assert_fails(result, "KMSM401", 11)
    assert sim.api.dry_runs == 0
    assert "C-04" in [skipped.id for skipped in sim.journal.skipped_checks]


def test_a_webhook_that_takes_no_part_in_dry_runs_is_told_and_the_run_goes_on() -> None:
    sim = SimCluster()
    sim.api.deny_dry_runs("ns-1", "secret-4", "old.example.com")
    report = sim.runner().check(Goal())
    assert (report.ready, c04(report).outcome) == (True, "warned")
    assert "dryRunUnsupported" in c04(report).findings[0].what
    assert sim.start().state is RunState.COMPLETED


def test_check_shows_how_far_the_dry_run_is_and_ctrl_c_ends_it_with_nothing_changed() -> None:
    sim = SimCluster(secrets=1500)
    process = sim.process()
    runner = Runner(process.world(), FAST)
    told: list[Moment] = []

    def interrupt(moment: Moment) -> None:
        told.append(moment)
        if isinstance(moment, Counting):
            raise KeyboardInterrupt

    process.on_moment = interrupt
    with pytest.raises(KeyboardInterrupt):
        runner.run(Request(), agree)
    assert isinstance(told[-1], Counting)
    assert (told[-1].phase, told[-1].of) == (Phase.TRYING, 1500)
    assert (sim.puts, sim.api.writes) == ([], 0)


def test_of_very_many_only_the_first_are_shown_with_every_cause_and_all_are_counted() -> None:
    sim = SimCluster(secrets=400)
    keys = list(sim.api.secrets)
    for key in keys[:300]:
        sim.api.deny(*key, "deny.example.com")
    sim.api.always[keys[399]] = Failure(FailureClass.INVALID, "data[tls.key]")
    report = sim.runner().check(Goal())
    whole, short = c04(report), c04(report.shortened(100))
    assert (len(whole.findings), len(short.findings), short.findings_count) == (301, 100, 301)
    assert any("invalid" in finding.what for finding in short.findings)
    result = sim.start()
    assert (len(c04(result).findings), c04(result).findings_count) == (100, 301)
    lines = [line for line in sim.said if "C-04" in line]
    assert len(lines) < 50
    assert any("281 more" in line for line in lines)
    assert any("invalid" in line for line in lines)
