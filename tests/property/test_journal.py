"""The journal document: what was written is read back, and nothing that is found there breaks the reader."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from azext_kmsmigrate.migration.chronicle import (
    MOST_RUNS,
    ChecksRecord,
    Chronicle,
    Observation,
    RunRecord,
)
from azext_kmsmigrate.migration.counts import SecretCounts
from azext_kmsmigrate.migration.facts import KmsProfile, NetworkAccess
from azext_kmsmigrate.migration.journal import (
    CanaryRecord,
    Direction,
    Journal,
    JournalUnreadableError,
    SkippedCheck,
    StepRecord,
    from_document,
    to_document,
)
from azext_kmsmigrate.migration.proof import MOST_SAMPLES, ProofPass, ProofRecord
from azext_kmsmigrate.migration.step import StepId, StepStatus

texts = st.text(max_size=8)
numbers = st.integers(0, 10**9)
profiles = st.builds(KmsProfile, st.booleans(), texts, st.sampled_from(list(NetworkAccess)), texts)
counts = st.builds(SecretCounts, numbers, numbers, numbers, numbers)
steps = st.sampled_from(list(StepId))
records = st.builds(
    StepRecord, steps, st.sampled_from(list(StepStatus)), texts, texts, texts, secrets=st.none() | counts
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
passes = st.builds(
    ProofPass,
    counts,
    st.integers(0, 10**6).map(float),
    numbers,
    texts,
    st.dictionaries(st.sampled_from(["plain", "kms-v1", "kms-v2"]), numbers),
    st.dictionaries(st.sampled_from(["plain", "kms-v1", "kms-v2"]), numbers),
    numbers,
    st.lists(st.tuples(st.integers(0, 10**5).map(lambda n: n / 4), numbers), max_size=5).map(sorted).map(tuple),
)
proofs = st.builds(
    ProofRecord,
    texts,
    texts,
    numbers,
    numbers,
    st.lists(texts, max_size=2).map(tuple),
    numbers,
    st.lists(passes, max_size=2).map(tuple),
    st.lists(passes.map(lambda one: replace(one, course=())), max_size=2).map(tuple),
    numbers,
    texts,
    texts,
    texts,
    st.lists(texts, max_size=2).map(tuple),
)
short = st.text("ab:# ", max_size=8)
runs = st.builds(RunRecord, short, short, short, short, short, short, short, short)
observations = st.builds(Observation, short, short, short, short)


_TOLD = (
    Chronicle()
    .with_run(RunRecord("az aks kms-migrate start", "me", "t"))
    .with_observation(Observation("t", "KmsV1", "1.26.15", "https://vault/keys/etcd/1"))
    .with_checks(ChecksRecord("t", 50, ("K-12",)))
    .with_proof(
        StepId.ENCRYPT_SECRETS,
        ProofRecord("kms-v2", "direct", 2, 1, (), 7, (ProofPass(SecretCounts(), 1.0),), (), 9, "1.27.1", "t", "t", ()),
    )
)
journals = st.builds(
    Journal,
    texts,
    texts,
    original_kms=st.none() | profiles,
    target_kms=st.none() | profiles,
    target_version=texts,
    steps=st.lists(records, max_size=4).map(tuple),
    canary=st.none() | st.builds(CanaryRecord, texts, numbers.map(str), steps),
    barrier=numbers,
    exposed_from=texts,
    exposed_to=texts,
    last_problem=texts,
    completed_at=texts,
    support_plan=texts,
    plan_digest=texts,
    forced_until=texts,
    direction=st.sampled_from(list(Direction)),
    cluster_uid=texts,
    skipped_checks=st.lists(st.builds(SkippedCheck, texts, texts, texts), max_size=3).map(tuple),
    chronicle=st.sampled_from([Chronicle(), _TOLD]),
    unknown=st.dictionaries(st.sampled_from(["later", "x"]), st.integers() | texts, max_size=2),
)


@given(journals)
def test_a_journal_is_read_back_as_it_was_written(journal: Journal) -> None:
    assert from_document(json.loads(json.dumps(to_document(journal)))) == journal


@given(json_values)
def test_any_other_document_is_unreadable_and_nothing_else(document: object) -> None:
    try:
        from_document(document)
    except JournalUnreadableError:
        return
    raise AssertionError("a random document was taken for a journal")


_FIELDS = sorted(to_document(Journal("c", "t")))
_FULL = to_document(
    Journal(
        "c",
        "t",
        original_kms=KmsProfile(),
        target_kms=KmsProfile(),
        steps=(StepRecord(StepId.UPGRADE, StepStatus.DONE, "t", secrets=SecretCounts()),),
        canary=CanaryRecord("u", "1", StepId.ENABLE_KMS),
    )
)
_INSIDE = ["originalKms", "targetKms", "canary", "exposure"]


@given(st.sampled_from(_FIELDS), json_values)
def test_a_damaged_field_is_read_or_told_and_nothing_else(field: str, value: object) -> None:
    _read_or_told({**_FULL, field: value})


@given(st.sampled_from(_INSIDE), st.data(), json_values)
def test_a_damaged_part_of_a_field_is_read_or_told_and_nothing_else(
    field: str, data: st.DataObject, value: object
) -> None:
    part = data.draw(st.sampled_from(sorted(_FULL[field])))
    _read_or_told({**_FULL, field: {**_FULL[field], part: value}})


@given(st.sampled_from(["id", "status", "startedAt", "finishedAt", "detail", "secrets"]), json_values)
def test_a_damaged_step_is_read_or_told_and_nothing_else(part: str, value: object) -> None:
    _read_or_told({**_FULL, "steps": [{**_FULL["steps"][0], part: value}]})


@given(st.sampled_from(["total", "rewritten", "current", "gone", "failed"]), json_values)
def test_damaged_counts_are_read_or_told_and_nothing_else(part: str, value: object) -> None:
    step = _FULL["steps"][0]
    _read_or_told({**_FULL, "steps": [{**step, "secrets": {**step["secrets"], part: value}}]})


def _dressed(value: Any, data: st.DataObject) -> Any:
    """The document with fields of a later version in every object of it, at any depth."""
    if isinstance(value, list):
        return [_dressed(one, data) for one in value]
    if not isinstance(value, dict):
        return value
    later = data.draw(st.dictionaries(st.sampled_from(["later", "another"]), json_values, max_size=2))
    return {**{key: _dressed(inner, data) for key, inner in value.items()}, **later}


@settings(deadline=None)  # the documents are deep, and the machine may be busy
@given(journals, st.data())
def test_fields_of_a_later_version_survive_at_every_level(journal: Journal, data: st.DataObject) -> None:
    document = _dressed(to_document(replace(journal, unknown={})), data)
    assert to_document(from_document(document)) == document


@settings(deadline=None)
@given(journals, st.data())
def test_they_survive_a_change_of_something_else(journal: Journal, data: st.DataObject) -> None:
    document = _dressed(to_document(replace(journal, unknown={}, canary=None)), data)
    changed = to_document(replace(from_document(document), last_problem="x", barrier=7))
    assert changed == {**document, "lastProblem": "x", "barrier": 7}


def _read_or_told(document: dict[str, object]) -> None:
    """Either it is a journal, and then it can be written again, or the one error says that it is none."""
    try:
        journal = from_document(document)
    except JournalUnreadableError:
        return
    assert from_document(json.loads(json.dumps(to_document(journal)))) == journal


long_texts = st.text(max_size=50).map(lambda text: text * 5_000)


@settings(deadline=None, max_examples=25)
@given(journals.map(lambda one: replace(one, unknown={})), long_texts, st.integers(0, 3_000))
def test_it_stays_below_64_kib_whatever_is_to_be_told(journal: Journal, text: str, checks: int) -> None:
    told, one = Chronicle(), ProofPass(SecretCounts(), 1.0, course=((10.0**5 + 0.25, 10**9),) * MOST_SAMPLES)
    lots = (text,) * 20
    lacking = ProofRecord("kms-v2", "direct", 1, 1, lots, 1, (one,) * 9, (one,) * 9, 1, "", "t", "t", lots)
    for number in range(checks // 30):
        told = told.with_run(RunRecord(text, text, "2026-01-31T09:00:00Z", text, text))
        told = told.with_observation(Observation("2026-01-31T09:00:00Z", "KmsV1", str(number), text))
    for step in (StepId.DECRYPT_SECRETS, StepId.ENCRYPT_SECRETS):
        told = told.with_proof(step, lacking)
    full = replace(
        journal,
        chronicle=told.with_checks(ChecksRecord("t", 1, (text,) * checks, (), ())).with_checks(
            ChecksRecord("t", 1, (), tuple(f"K-{n}" for n in range(63)), ())
        ),
        last_problem=text,
        steps=tuple(StepRecord(step, StepStatus.DONE, "t", detail=text) for step in StepId),
        skipped_checks=tuple(SkippedCheck(f"K-{n}", text[:250], "2026-01-31T09:00:00Z") for n in range(checks)),
    )
    stored = json.dumps(to_document(full), indent=1, sort_keys=True)
    assert len(stored.encode()) < 64 * 1024


# what a report is made from


@given(st.lists(runs, max_size=2 * MOST_RUNS))
def test_the_newest_runs_are_kept_and_the_others_counted(given_runs: list[RunRecord]) -> None:
    chronicle = Chronicle()
    for run in given_runs:
        chronicle = chronicle.with_run(run)
    assert chronicle.runs == tuple(given_runs[-MOST_RUNS:])
    assert chronicle.left_out_runs + len(chronicle.runs) == len(given_runs)


@given(proofs)
def test_a_proof_is_read_back_as_it_was_kept(proof: ProofRecord) -> None:
    kept = json.loads(json.dumps(proof.to_document()))
    assert ProofRecord.from_document(kept) == proof


@given(st.lists(observations, max_size=6))
def test_only_what_changed_is_observed_anew(seen: list[Observation]) -> None:
    chronicle = Chronicle()
    for one in [*seen, *seen[-1:]]:
        chronicle = chronicle.with_observation(one)

    def facts(one: Observation) -> tuple[str, str, str]:
        return one.kms, one.kubernetes_version, one.key_id

    kept = chronicle.observations
    assert all(facts(one) != facts(other) for one, other in itertools.pairwise(kept))
    assert {facts(one) for one in kept} == {facts(one) for one in seen}
    assert not seen or facts(kept[-1]) == facts(seen[-1])


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["runs", "observations", "checks", "proofs", "leftOutRuns"]), json_values))
def test_a_damaged_chronicle_is_read_as_far_as_it_can_be_and_added_to(document: dict[str, Any]) -> None:
    chronicle = Chronicle(document)
    before = chronicle.runs
    assert isinstance(chronicle.observations, tuple)
    assert isinstance(chronicle.checks, tuple)
    assert chronicle.proof_of(StepId.ENCRYPT_SECRETS) is None
    run = RunRecord("start", "me", "t")
    after = chronicle.with_run(run).with_run_ended("t", "Completed", "")
    assert after.runs == (*before, replace(run, ended_at="t", outcome="Completed"))
