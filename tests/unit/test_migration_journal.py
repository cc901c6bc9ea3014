"""The journal as a value."""

from __future__ import annotations

from dataclasses import replace

import pytest

from azext_kmsmigrate.migration.facts import KmsState
from azext_kmsmigrate.migration.journal import (
    CanaryRecord,
    Journal,
    JournalUnreadableError,
    StepRecord,
    from_document,
    to_document,
)
from azext_kmsmigrate.migration.step import StepId, StepStatus

EMPTY = Journal.from_scratch(cluster_id="c", now="2026-01-31T09:00:00Z")


def test_a_new_journal_is_unfinished_and_has_no_steps() -> None:
    assert EMPTY.unfinished
    assert EMPTY.steps == ()
    assert EMPTY.running is None


def test_a_step_done_again_has_one_record_the_newest_at_the_end() -> None:
    def record(step: StepId, status: StepStatus) -> StepRecord:
        return StepRecord(step, status, "t")

    journal = (
        EMPTY.with_step(record(StepId.DISABLE_KMS, StepStatus.FAILED))
        .with_step(record(StepId.DECRYPT_SECRETS, StepStatus.DONE))
        .with_step(record(StepId.DISABLE_KMS, StepStatus.RUNNING))
    )
    assert [(r.id, r.status) for r in journal.steps] == [
        (StepId.DECRYPT_SECRETS, StepStatus.DONE),
        (StepId.DISABLE_KMS, StepStatus.RUNNING),
    ]
    assert journal.running == journal.record_of(StepId.DISABLE_KMS)


def test_fields_of_a_later_version_survive_being_read_and_written() -> None:
    document = {**to_document(EMPTY), "approvedBy": {"name": "somebody"}}
    assert to_document(from_document(document))["approvedBy"] == {"name": "somebody"}


def test_what_a_later_version_said_of_a_canary_or_a_step_does_not_pass_to_another() -> None:
    step = {"id": "upgrade", "status": "Done", "startedAt": "t", "later": 1}
    canary = {"uid": "u", "resourceVersion": "1", "before": "upgrade", "later": 1}
    journal = from_document({**to_document(EMPTY), "steps": [step], "canary": canary})
    kept = to_document(journal)
    assert (kept["steps"][0]["later"], kept["canary"]["later"]) == (1, 1)
    journal = replace(journal, canary=CanaryRecord("v", "2", StepId.ENABLE_KMS))
    fresh = to_document(journal.with_step(StepRecord(StepId.UPGRADE, StepStatus.RUNNING, "t")))
    assert "later" not in fresh["canary"]
    assert "later" not in fresh["steps"][0]


def test_an_unknown_field_cannot_take_the_place_of_a_known_one() -> None:
    journal = replace(EMPTY, unknown={"clusterId": "another"})
    assert to_document(journal)["clusterId"] == "c"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (None, "not a JSON object"),
        ([], "not a JSON object"),
        ({}, "schemaVersion is None, not 1"),
        ({"schemaVersion": 2}, "schemaVersion is 2, not 1"),
        ({"schemaVersion": 1}, "missing or malformed"),
        ({**to_document(EMPTY), "steps": [{"id": "no-such-step"}]}, "missing or malformed"),
        ({**to_document(EMPTY), "barrier": float("inf")}, "missing or malformed"),
    ],
)
def test_what_is_no_journal_is_told_in_words(document: object, reason: str) -> None:
    with pytest.raises(JournalUnreadableError, match=reason):
        from_document(document)


@pytest.mark.parametrize(
    ("before", "now", "tells"),
    [
        (StepId.DISABLE_KMS, KmsState.OFF, True),
        (StepId.DISABLE_KMS, KmsState.V1, False),
        (StepId.DISABLE_KMS, KmsState.V2, False),
        (StepId.ENABLE_KMS, KmsState.OFF, True),
        (StepId.ENABLE_KMS, KmsState.V2, True),
        (StepId.ENABLE_KMS, KmsState.V1, True),
    ],
)
def test_a_canary_tells_only_about_the_states_around_its_change(before: StepId, now: KmsState, tells: bool) -> None:
    canary = CanaryRecord("uid", "7", before)
    assert replace(EMPTY, canary=canary).canary_for(now) == (canary if tells else None)
    assert EMPTY.canary_for(now) is None
