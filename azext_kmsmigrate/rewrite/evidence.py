"""What proves that every Secret is stored in one form, and the judgement. A verdict is never stronger than this."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from azext_kmsmigrate.migration.counts import SecretCounts
from azext_kmsmigrate.migration.proof import Course, ProofPass, ProofRecord
from azext_kmsmigrate.migration.secret import FailedSecret, StoredAs


class Grade(str, enum.Enum):
    """Where the positive sign of the provider came from."""

    DIRECT = "direct"  # the API servers' own counters around a write
    BEHAVIOURAL = "behavioural"  # the canary from before the change moved, then lay still
    NONE = "none"


@dataclass(frozen=True)
class PassRecord:
    """One pass over the Secrets.

    ``reads``, ``writes``: how many values the API servers told apart say they read from etcd and wrote to it meanwhile,
    by form; every client's are in it, so it bounds. ``restarted``: API servers whose counters began anew in between.
    ``digest``: SHA-256 over ``uid resourceVersion`` of every Secret as listed, in the order of the list.
    ``course``: how it went on over time.
    """

    counts: SecretCounts
    seconds: float
    changed_meanwhile: int = 0
    digest: str = ""
    reads: Mapping[str, int] = field(default_factory=dict)
    writes: Mapping[str, int] = field(default_factory=dict)
    restarted: int = 0
    course: Course = ()

    @property
    def kept(self) -> ProofPass:
        """As the journal keeps it."""
        return ProofPass(
            self.counts,
            self.seconds,
            self.changed_meanwhile,
            self.digest,
            dict(self.reads),
            dict(self.writes),
            self.restarted,
            self.course,
        )


@dataclass(frozen=True)
class Evidence:
    """The record of one proof.

    ``passes`` of the last round, in order: the first may rewrite, the last has to find everything current or changed by
    somebody else since. ``looks``: the closing ones, at what was written since; empty where the API servers' counters
    witnessed the proof. ``resource_version``: what is proven was written up to here. ``rewritten_earlier``: Secrets
    that earlier rounds rewrote. ``replicas``: API servers told apart by their counters, 0 when they could not be.
    ``systemic``: the failure that met so many Secrets in a row that a pass was stopped. ``unsettled``: the signs that
    disagree, when the API servers never came to write one form.
    """

    stored_as: StoredAs
    grade: Grade
    replicas: int
    canary_moves: int
    barrier: int
    passes: tuple[PassRecord, ...]
    kubernetes_version: str
    started_at: str
    finished_at: str
    scope: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    same_world: bool = True
    tripped: tuple[FailedSecret, ...] = ()
    failed: tuple[FailedSecret, ...] = ()
    systemic: str = ""
    unsettled: str = ""
    looks: tuple[PassRecord, ...] = ()
    resource_version: int = 0
    rewritten_earlier: int = 0

    @property
    def counts(self) -> SecretCounts:
        """What became of the Secrets in all rounds: see ``SecretCounts.over_rounds``."""
        if not self.passes:
            return SecretCounts(self.rewritten_earlier)
        first, *later = (*self.passes, *self.looks)
        return first.counts.over_rounds(self.rewritten_earlier + sum(one.counts.rewritten for one in later))

    @property
    def disturbed(self) -> str:
        """What another round may mend, as a sentence; empty when there is no such thing."""
        if self.tripped:
            first = self.tripped[0]
            met = f"The proof met a Secret in another form ({first.namespace}/{first.name})"
            return f"{met}: an API server wrote the old form late."
        if self.passes and self.passes[-1].restarted:
            return "An API server began anew during the proof."
        return ""

    @property
    def unverified(self) -> tuple[FailedSecret, ...]:
        """The Secrets that are known not to be proven; there may be more when the proof was stopped."""
        return (*self.tripped, *self.failed)

    @property
    def missing(self) -> tuple[str, ...]:
        """What this evidence lacks, in words; empty means proven."""
        lacks = []
        if self.unsettled:
            return (f"the API servers do not all write {self.stored_as.value}: {self.unsettled}",)
        if self.grade is Grade.NONE:
            lacks.append(
                "no sign of what the API servers write: their counters (/metrics) cannot be read, and no canary from "
                "before the change was seen to move; allow the user 'get' on the non-resource URL /metrics"
            )
        if self.systemic:
            lacks.append(f"the pass was stopped, because so many Secrets in a row failed with {self.systemic}")
        if self.failed:
            lacks.append(f"{len(self.failed)} Secrets could not be looked at or rewritten")
        if self.tripped:
            names = ", ".join(f"{s.namespace}/{s.name}" for s in self.tripped)
            lacks.append(f"the proof stopped at Secrets in another form, and there may be more ({names})")
        if not self.passes:
            lacks.append("no pass was completed")
        else:
            lacks += self._lacking_in(self.passes[-1])
        if not self.same_world:
            lacks.append("the cluster, or what its API servers write, changed during the proof")
        return tuple(lacks)

    def _lacking_in(self, proof: PassRecord) -> list[str]:
        lacks = []
        if proof.counts.rewritten and not self.tripped:
            lacks.append("the last pass still rewrote Secrets")
        if proof.restarted:
            lacks.append(f"{proof.restarted} API servers began anew during the proof: what they wrote then is unknown")
        for verb, values in (("read", proof.reads), ("wrote", proof.writes)):
            others = {form: n for form, n in values.items() if form != self.stored_as.value and n}
            if others and not self.tripped:
                told = ", ".join(f"{n} {form}" for form, n in sorted(others.items()))
                lacks.append(f"the API servers say that they {verb} values in another form during the proof ({told})")
        return lacks

    @property
    def verified(self) -> bool:
        return not self.missing

    @property
    def kept(self) -> ProofRecord:
        """As the journal keeps it for a report: Secrets are counted there, and not named."""
        lacks = replace(self, tripped=()).missing
        if self.tripped:
            lacks = (*lacks, f"the proof stopped at {len(self.tripped)} Secrets in another form; there may be more")
        return ProofRecord(
            stored_as=self.stored_as.value,
            grade=self.grade.value,
            replicas=self.replicas,
            canary_moves=self.canary_moves,
            signs=self.signs,
            barrier=self.barrier,
            passes=tuple(one.kept for one in self.passes),
            looks=tuple(one.kept for one in self.looks),
            resource_version=self.resource_version,
            kubernetes_version=self.kubernetes_version,
            started_at=self.started_at,
            finished_at=self.finished_at,
            missing=lacks,
        )
