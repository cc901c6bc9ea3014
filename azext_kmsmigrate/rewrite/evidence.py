"""What proves that every Secret is stored in one form, and the judgement. A verdict is never stronger than this."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from azext_kmsmigrate.migration.counts import SecretCounts
from azext_kmsmigrate.migration.secret import FailedSecret, StoredAs


class Grade(str, enum.Enum):
    """Where the positive sign of the provider came from."""

    DIRECT = "direct"  # the API servers' own counters around a write
    BEHAVIOURAL = "behavioural"  # the canary from before the change moved, then lay still
    NONE = "none"


@dataclass(frozen=True)
class Evidence:
    """The record of one proof.

    ``passes`` in order: the first may rewrite, the last has to find everything current or changed by somebody else
    since. ``replicas``: API servers told apart by their counters, 0 when they could not be. ``systemic``: the failure
    that met so many Secrets in a row that a pass was stopped.
    """

    stored_as: StoredAs
    grade: Grade
    replicas: int
    canary_moves: int
    barrier: int
    passes: tuple[SecretCounts, ...]
    changed_meanwhile: int
    kubernetes_version: str
    started_at: str
    finished_at: str
    scope: tuple[str, ...] = ()
    same_world: bool = True
    tripped: tuple[str, ...] = ()
    failed: tuple[FailedSecret, ...] = ()
    systemic: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """What this evidence lacks, in words; empty means proven."""
        lacks = []
        if self.grade is Grade.NONE:
            lacks.append(
                "no sign of what the API servers write: their counters cannot be read, and no canary from before the "
                "change was seen to move"
            )
        if self.systemic:
            lacks.append(f"the pass was stopped, because so many Secrets in a row failed with {self.systemic}")
        if self.failed:
            lacks.append(f"{len(self.failed)} Secrets could not be looked at or rewritten")
        if self.tripped:
            lacks.append(f"the proof found Secrets in another form ({', '.join(self.tripped)})")
        if not self.passes:
            lacks.append("no pass was completed")
        elif self.passes[-1].rewritten and not self.tripped:
            lacks.append("the last pass still rewrote Secrets")
        if not self.same_world:
            lacks.append("the cluster changed during the proof")
        return tuple(lacks)

    @property
    def verified(self) -> bool:
        return not self.missing
