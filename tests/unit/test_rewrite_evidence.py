"""What evidence lacks, and what it counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate.migration.counts import SecretCounts
from azext_kmsmigrate.migration.secret import (
    FailedSecret,
    FailureClass,
    StoredAs,
)
from azext_kmsmigrate.rewrite.evidence import Evidence, Grade, PassRecord

PROOF = Evidence(
    stored_as=StoredAs.KMS_V2,
    grade=Grade.DIRECT,
    replicas=2,
    canary_moves=1,
    barrier=10,
    passes=(PassRecord(SecretCounts(rewritten=3), 1.0), PassRecord(SecretCounts(current=3), 1.0)),
    kubernetes_version="1.27.1",
    started_at="a",
    finished_at="b",
)
FAILED = (FailedSecret("ns", "s", FailureClass.INVALID, ""),)


def test_a_whole_proof_lacks_nothing() -> None:
    assert PROOF.missing == ()
    assert PROOF.verified


@pytest.mark.parametrize(
    ("evidence", "lacks"),
    [
        (replace(PROOF, grade=Grade.NONE), "no sign of what the API servers write"),
        (replace(PROOF, failed=FAILED), "1 Secrets could not be looked at or rewritten"),
        (replace(PROOF, tripped=FAILED), "Secrets in another form, and there may be more (ns/s)"),
        (replace(PROOF, passes=()), "no pass was completed"),
        (replace(PROOF, passes=(PassRecord(SecretCounts(rewritten=3), 1.0),)), "the last pass still rewrote"),
        (
            replace(PROOF, passes=(replace(PROOF.passes[1], reads={"kms-v2": 3, "plain": 1}),)),
            "another form during the proof (1 plain)",
        ),
        (
            replace(PROOF, passes=(replace(PROOF.passes[1], writes={"kms-v2": 3, "plain": 1}),)),
            "wrote values in another form during the proof (1 plain)",
        ),
        (replace(PROOF, unsettled="one still writes plain"), "do not all write kms-v2: one still writes plain"),
        (replace(PROOF, same_world=False), "changed during the proof"),
    ],
)
def test_a_proof_that_lacks_something_says_what(evidence: Evidence, lacks: str) -> None:
    assert not evidence.verified
    assert any(lacks in text for text in evidence.missing)


def test_counts_add_up_and_are_read_back() -> None:
    counts = SecretCounts(1, 2, 3, 4)
    assert counts.total == 10
    assert SecretCounts.from_document(counts.to_document()) == counts


some = st.integers(0, 50)


@given(st.builds(SecretCounts, some, some, some, some), st.lists(some, max_size=4))
def test_counts_over_rounds_add_up_and_sum_what_was_rewritten(newest: SecretCounts, earlier: list[int]) -> None:
    counts = newest.over_rounds(sum(earlier))
    assert counts.total == counts.rewritten + counts.current + counts.gone + counts.failed
    assert counts.rewritten == newest.rewritten + sum(earlier)
    assert (counts.gone, counts.failed) == (newest.gone, newest.failed)
    assert counts.total == max(newest.total, counts.rewritten + counts.gone + counts.failed)
    assert min(counts.current, *earlier, 0) == 0


def test_the_counts_of_evidence_are_those_of_all_rounds_passes_and_looks() -> None:
    moved = PassRecord(SecretCounts(rewritten=1, current=2), 1.0)
    evidence = replace(PROOF, passes=(PassRecord(SecretCounts(2, 8), 1.0), moved), looks=(moved,), rewritten_earlier=3)
    assert evidence.counts == SecretCounts(rewritten=7, current=3)
    assert replace(evidence, passes=(), looks=()).counts == SecretCounts(rewritten=3)
