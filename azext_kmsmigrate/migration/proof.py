"""A proof as the journal keeps it for a report: what ``rewrite.evidence`` says, without a Secret's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from azext_kmsmigrate.migration.counts import SecretCounts
from azext_kmsmigrate.migration.excerpt import excerpt

MOST_SAMPLES = 60  # of the course of one pass
_MOST_PASSES, _MOST_LOOKS, _MOST_TEXTS, _MOST_FORMS = 2, 5, 5, 6

Course = tuple[tuple[float, int], ...]
"""How a pass went on: seconds since it began, and Secrets dealt with by then."""


@dataclass(frozen=True)
class ProofPass:
    """One pass; see ``rewrite.evidence.PassRecord``. Its course is stored as ``seconds:secrets`` pairs in a text."""

    counts: SecretCounts
    seconds: float
    changed_meanwhile: int = 0
    digest: str = ""
    reads: Mapping[str, int] = field(default_factory=dict)
    writes: Mapping[str, int] = field(default_factory=dict)
    restarted: int = 0
    course: Course = ()

    def to_document(self) -> dict[str, Any]:
        return {
            "secrets": self.counts.to_document(),
            "seconds": self.seconds,
            "changedMeanwhile": self.changed_meanwhile,
            "digest": excerpt(self.digest, 80),
            "reads": dict(list(self.reads.items())[:_MOST_FORMS]),
            "writes": dict(list(self.writes.items())[:_MOST_FORMS]),
            "restarted": self.restarted,
            "course": " ".join(f"{round(seconds, 2)}:{secrets}" for seconds, secrets in self.course[:MOST_SAMPLES]),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ProofPass:
        return cls(
            counts=SecretCounts.from_document(document["secrets"]),
            seconds=float(document["seconds"]),
            changed_meanwhile=int(document["changedMeanwhile"]),
            digest=str(document["digest"]),
            reads=_numbers(document["reads"]),
            writes=_numbers(document["writes"]),
            restarted=int(document["restarted"]),
            course=_course(document["course"]),
        )


@dataclass(frozen=True)
class ProofRecord:
    """The record of one proof; ``missing`` empty means proven. Times are UTC, ISO 8601."""

    stored_as: str
    grade: str
    replicas: int
    canary_moves: int
    signs: tuple[str, ...]
    barrier: int
    passes: tuple[ProofPass, ...]
    looks: tuple[ProofPass, ...]
    resource_version: int
    kubernetes_version: str
    started_at: str
    finished_at: str
    missing: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.missing

    def to_document(self) -> dict[str, Any]:
        return {
            "storedAs": self.stored_as,
            "grade": self.grade,
            "apiServers": self.replicas,
            "canaryMoves": self.canary_moves,
            "signs": [excerpt(sign, 150) for sign in self.signs[:_MOST_TEXTS]],
            "barrier": self.barrier,
            "passes": [one.to_document() for one in self.passes[-_MOST_PASSES:]],
            "closingLooks": [{**one.to_document(), "course": ""} for one in self.looks[-_MOST_LOOKS:]],
            "resourceVersion": self.resource_version,
            "kubernetesVersion": self.kubernetes_version,
            "startedAt": self.started_at,
            "finishedAt": self.finished_at,
            "missing": [excerpt(lack, 250) for lack in self.missing[:_MOST_TEXTS]],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ProofRecord:
        """Read it. Raises ValueError, TypeError, KeyError and the like for what is none."""
        return cls(
            stored_as=str(document["storedAs"]),
            grade=str(document["grade"]),
            replicas=int(document["apiServers"]),
            canary_moves=int(document["canaryMoves"]),
            signs=tuple(map(str, document["signs"])),
            barrier=int(document["barrier"]),
            passes=tuple(map(ProofPass.from_document, document["passes"])),
            looks=tuple(map(ProofPass.from_document, document["closingLooks"])),
            resource_version=int(document["resourceVersion"]),
            kubernetes_version=str(document["kubernetesVersion"]),
            started_at=str(document["startedAt"]),
            finished_at=str(document["finishedAt"]),
            missing=tuple(map(str, document["missing"])),
        )


def _numbers(document: Mapping[str, Any]) -> dict[str, int]:
    """The counts; what a later version says beside them is none."""
    return {str(form): n for form, n in document.items() if isinstance(n, int) and not isinstance(n, bool)}


def _course(text: str) -> Course:
    pairs = [pair.split(":") for pair in text.split()[:MOST_SAMPLES]]
    samples = sorted((float(seconds), int(secrets)) for seconds, secrets in pairs)
    if any(not 0 <= seconds < 1e9 or not 0 <= secrets < 1e12 for seconds, secrets in samples):
        raise ValueError("no sample of a pass")
    return tuple(samples)
