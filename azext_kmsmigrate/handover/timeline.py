"""What was so from when to when, and what happened when. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from azext_kmsmigrate.handover.document import EventDocument, SegmentDocument
from azext_kmsmigrate.handover.spoken import spoken
from azext_kmsmigrate.migration.chronicle import Observation
from azext_kmsmigrate.migration.facts import KmsState
from azext_kmsmigrate.migration.journal import Direction, Journal
from azext_kmsmigrate.migration.step import StepId, StepStatus


def segments(journal: Journal) -> list[SegmentDocument]:
    """The cluster as Azure said it was, from one observation to the next; the last one lasts as far as is known."""
    seen = journal.chronicle.observations or tuple(_brought_about(journal))
    ends = [one.at for one in seen[1:]]
    return [
        SegmentDocument(one.kms, one.kubernetes_version, one.key_id or None, one.at, end)
        for one, end in zip(seen, [*ends, None], strict=True)
    ]


def _brought_about(journal: Journal) -> Iterator[Observation]:
    """In a journal without observations: what its steps have made of the cluster."""
    original = journal.original_kms.key_id if journal.original_kms else ""
    if journal.record_of(StepId.DISABLE_KMS) is not None:
        yield Observation(journal.started_at, KmsState.V1.value, "", original)
    off, on = journal.record_of(StepId.DISABLE_KMS), journal.record_of(StepId.ENABLE_KMS)
    if off is not None and off.status is StepStatus.DONE:
        yield Observation(off.finished_at or off.started_at, KmsState.OFF.value, "", "")
    if on is not None and on.status is StepStatus.DONE:
        state = KmsState.V1 if journal.direction is Direction.BACK else KmsState.V2
        yield Observation(
            on.finished_at or on.started_at, state.value, "", journal.target_kms.key_id if journal.target_kms else ""
        )


def events(journal: Journal) -> list[EventDocument]:
    """Runs, what Azure was seen to say, proofs, and the exposure, in the order of time."""
    return sorted(_events(journal), key=lambda event: event.at)


def _events(journal: Journal) -> Iterator[EventDocument]:
    for number, run in enumerate(journal.chronicle.runs, journal.chronicle.left_out_runs + 1):
        yield EventDocument(run.started_at, f"Run {number} begins: {run.command}")
    before: SegmentDocument | None = None
    for one in segments(journal):
        yield EventDocument(one.start, _seen(one, before))
        before = one
    if journal.exposed_from:
        yield EventDocument(journal.exposed_from, "KMS is being turned off: Secrets may be stored without it from now")
    for step in (StepId.DECRYPT_SECRETS, StepId.ENCRYPT_SECRETS):
        proof = journal.chronicle.proof_of(step)
        if proof is not None:
            found = f"every Secret is stored as {proof.stored_as}" if proof.holds else "not proven"
            yield EventDocument(proof.finished_at, f"Proof of {step.value}: {found}")
    if journal.exposed_to:
        yield EventDocument(journal.exposed_to, "The last Secret is proven under KMS again: exposure ends")
    if journal.completed_at:
        yield EventDocument(journal.completed_at, "Everything is done and proven")
    for number, run in enumerate(journal.chronicle.runs, journal.chronicle.left_out_runs + 1):
        if run.ended_at:
            how = f"{run.outcome} ({run.problem})" if run.problem else run.outcome
            yield EventDocument(run.ended_at, f"Run {number} ends: {how}")


def _seen(one: SegmentDocument, before: SegmentDocument | None) -> str:
    """What changed against the look before; all of it at the first."""
    known = _facts(before) if before else {}
    news = [f"{fact}{value}" for fact, value in _facts(one).items() if value and known.get(fact) != value]
    return f"Azure says: {', '.join(news)}"


def _facts(one: SegmentDocument) -> dict[str, str]:
    return {
        "": spoken(one.kms),
        "Kubernetes ": one.kubernetes_version,
        "key ": one.key_id or "",
    }
