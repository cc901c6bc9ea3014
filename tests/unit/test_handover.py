"""What a report says of a migration: before it, in its middle, at its end, and when the world went on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import KmsMigrateError
from azext_kmsmigrate.handover.document import Report, Verdict
from azext_kmsmigrate.handover.form import ReportForm, form_of
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.chronicle import Chronicle
from azext_kmsmigrate.migration.journal import to_document
from azext_kmsmigrate.migration.plan import Goal
from azext_kmsmigrate.migration.secret import Failure, FailureClass
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.migration.version import KubernetesVersion
from azext_kmsmigrate.runner import Runner
from tests.sim.cluster import FAST, KEY, OTHER_KEY, SimCluster, agree
from tests.sim.process import Killed
from tests.unit.runs import UNASKED, steps_of


def report_on(sim: SimCluster) -> Report:
    return sim.runner().report()


def migrated(**options: Any) -> SimCluster:
    sim = SimCluster(**options)
    sim.start()
    return sim


def test_nothing_recorded_is_said_and_nothing_is_made_of_it() -> None:
    report = report_on(SimCluster())
    assert report.verdict is Verdict.NOT_RECORDED
    assert (report.migration, report.steps, report.proofs, report.runs) == (None, [], [], [])
    assert [key.key_id for key in report.keys] == [KEY]
    assert report.next_command == "az aks kms-migrate start -g shop -n blue"


def test_a_report_asks_only() -> None:
    sim = migrated()
    stored, writes, puts = sim.journal_document, sim.api.writes, list(sim.puts)
    report_on(sim)
    assert (sim.journal_document, sim.api.writes, sim.puts) == (stored, writes, puts)


def test_a_finished_migration_is_reported_as_its_run_told_it() -> None:
    sim = SimCluster()
    run = sim.start()
    report = report_on(sim)
    assert report.verdict is Verdict.PROVEN
    assert report.differences == []
    assert [step.id for step in report.steps] == steps_of(run)
    assert report.exposure == run.exposure
    assert report.exposure_seconds is not None
    decrypt, encrypt = report.proofs
    assert (decrypt.evidence.stored_as, encrypt.evidence.stored_as) == ("plain", "kms-v2")
    assert encrypt.evidence == run.evidence
    assert [segment.kms for segment in report.timeline] == ["KmsV1", "Off", "Off", "KmsV2"]
    assert [segment.kubernetes_version for segment in report.timeline] == ["1.26.15", "1.26.15", "1.27.1", "1.27.1"]
    (only,) = report.runs
    assert (only.outcome, only.problem, only.command) == ("Completed", None, "az aks kms-migrate start")
    assert [key.key_id for key in report.keys] == [KEY]


def test_a_new_key_leaves_two_to_keep_the_old_one_until_its_copies_are_gone() -> None:
    sim = SimCluster()
    sim.start(Request(Goal(key_id=OTHER_KEY)))
    new, old = report_on(sim).keys
    assert (new.key_id, old.key_id) == (OTHER_KEY, KEY)
    assert "no copy of etcd from before" in old.keep_until


def test_in_the_middle_exposure_is_open_and_counted_up_to_now() -> None:
    sim = SimCluster()
    sim.start(Request(stop_after=StepId.DECRYPT_SECRETS, skipped=frozenset({"U-06", "K-12"})))
    report = report_on(sim.after(600.0))
    assert report.verdict is Verdict.UNFINISHED
    assert report.exposure.end is None
    assert report.exposure_seconds is not None
    assert report.exposure_seconds >= 600.0
    assert any("may be stored without KMS encryption since" in sentence for sentence in report.told)
    assert {check.id for check in report.checks.skipped} == {"U-06", "K-12"}
    assert {check.id for check in report.checks.skipped if check.by} == {"U-06"}
    assert report.runs[0].outcome == "Stopped"
    assert report.next_command == "az aks kms-migrate start -g shop -n blue"


def test_every_run_of_a_migration_is_told_the_killed_one_too() -> None:
    sim = SimCluster()
    with pytest.raises(Killed):
        Runner(sim.process(kill_at=120).world(), FAST).run(Request(), agree)
    sim.after(61.0).start()
    report = report_on(sim)
    assert report.verdict is Verdict.PROVEN
    assert [run.outcome for run in report.runs] == [None, "Completed"]


def test_a_run_that_fails_keeps_its_code_and_its_proof_says_what_lacks() -> None:
    sim = SimCluster()
    sim.api.always[("ns-0", "secret-0")] = Failure(FailureClass.ADMISSION_DENIED, "webhook guard")
    failed = sim.start(UNASKED)
    report = report_on(sim)
    assert failed.problem is not None
    assert (report.runs[-1].outcome, report.runs[-1].problem) == ("Failed", failed.problem.code)
    (proof,) = report.proofs
    assert not proof.holds
    assert proof.evidence.missing
    assert "secret-0" not in " ".join(proof.evidence.missing)


@pytest.mark.parametrize(
    ("change", "what", "grave"),
    [
        (lambda c: replace(c, kms=replace(c.kms, key_id=OTHER_KEY)), "Key", True),
        (lambda c: replace(c, kms=replace(c.kms, enabled=False)), "KMS state", True),
        (lambda c: replace(c, platform_kms=True), "KMS state", True),
        (lambda c: replace(c, version=KubernetesVersion(1, 28, 3)), "Kubernetes version", False),
        (lambda c: replace(c, state="Failed"), "Provisioning state", False),
    ],
)
def test_what_changed_since_comes_first_and_takes_the_proof_away_where_it_must(
    change: Any, what: str, grave: bool
) -> None:
    sim = migrated()
    sim.meddle(change)
    report = report_on(sim)
    assert [(d.what, d.grave) for d in report.differences] == [(what, grave)]
    assert report.verdict is (Verdict.CHANGED if grave else Verdict.PROVEN)
    assert report.proofs[-1].holds  # of its own date


@pytest.mark.parametrize("seen", [True, False], ids=["ends seen", "ends that nobody saw"])
def test_an_old_journal_without_a_chronicle_is_unproven_and_says_what_its_steps_say(seen: bool) -> None:
    sim = migrated()
    journal = sim.journal
    if not seen:
        journal = replace(journal, steps=tuple(replace(one, finished_at="") for one in journal.steps))
    sim.journal_document = json.dumps(to_document(replace(journal, chronicle=Chronicle())))
    report = report_on(sim)
    assert report.verdict is Verdict.UNPROVEN
    assert report.next_command == "az aks kms-migrate verify -g shop -n blue"
    assert [segment.kms for segment in report.timeline] == ["KmsV1", "Off", "KmsV2"]
    assert report.runs == []


def test_the_way_back_is_reported_as_such() -> None:
    sim = SimCluster()
    sim.start(Request(stop_after=StepId.DISABLE_KMS))
    sim.start(Request(back=True))
    report = report_on(sim)
    assert report.verdict is Verdict.PROVEN
    assert report.migration is not None
    assert report.migration.goal == "KmsV1"
    assert report.proofs[-1].evidence.stored_as == "kms-v1"
    assert "KMS v1" in report.headline
    assert report.runs[-1].command == "az aks kms-migrate revert"


def test_without_the_journal_there_is_no_report() -> None:
    sim = migrated()
    sim.meddle(lambda c: replace(c, power="Stopped"))
    with pytest.raises(KmsMigrateError) as caught:
        report_on(sim)
    assert caught.value.entry is errors.CLUSTER_STOPPED


def test_the_journal_names_no_secret() -> None:
    sim = migrated()
    assert "secret-" not in sim.journal_document


@pytest.mark.parametrize(
    ("asked", "path", "form"),
    [
        (None, None, ReportForm.JSON),
        (None, "a.md", ReportForm.MARKDOWN),
        (None, "a.b.HTML", ReportForm.HTML),
        (None, "x/report.htm", ReportForm.HTML),
        (None, "report.json", ReportForm.JSON),
        (None, "report.txt", None),
        (None, "-", None),
        ("html", "report.md", ReportForm.HTML),
        ("markdown", "-", ReportForm.MARKDOWN),
    ],
)
def test_the_form_is_what_was_asked_for_else_what_the_ending_says(
    asked: str | None, path: str | None, form: ReportForm | None
) -> None:
    assert form_of(asked, path) is form
