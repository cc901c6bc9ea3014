"""What a pass over the Secrets is to do, and what it found. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from azext_kmsmigrate.migration.counts import SecretCounts
from azext_kmsmigrate.migration.events import Phase
from azext_kmsmigrate.migration.proof import Course
from azext_kmsmigrate.migration.secret import FailedSecret, Failure, SecretRef
from azext_kmsmigrate.rewrite.inventory import is_due


class Purpose(enum.Enum):
    """What a pass is made for. All send each Secret the same empty patch, at the same pace.

    =========  =================================  ===========================  =====================================
    purpose    patches                            writes                       stops at
    =========  =================================  ===========================  =====================================
    rewrite    what is at or below the barrier    what is stale                the same failure again and again
    proof      every Secret                       what is stale, one a worker  that, and the first Secret that moves
    dry run    every Secret, ``dryRun=All``       nothing                      the same failure again and again
    =========  =================================  ===========================  =====================================
    """

    REWRITE = "rewrite"
    PROOF = "proof"
    DRY_RUN = "dry run"


@dataclass(frozen=True)
class Pass:
    """What a pass is to do.

    ``barrier``: a rewrite skips what was written above it. ``above``: a proof of what was written above this
    resourceVersion only; the rest is listed and not counted. ``canary``: goes first, last and again and again on every
    connection (``rewrite.watch``), and stops the pass when it moves, before a Secret of the user's is written in the
    wrong form. ``per_second``: Secrets a second at most, where each may cost the API server a call to Key Vault (0: no
    such limit).
    """

    namespaces: tuple[str, ...] = ()
    barrier: int = 0
    purpose: Purpose = Purpose.REWRITE
    above: int = 0
    canary: SecretRef | None = None
    per_second: float = 0.0

    @property
    def phase(self) -> Phase:
        """What it is told as."""
        if self.purpose is Purpose.PROOF:
            return Phase.CLOSING if self.above else Phase.PROVING
        return Phase.TRYING if self.purpose is Purpose.DRY_RUN else Phase.REWRITING

    def is_about(self, secret: SecretRef) -> bool:
        """Whether this Secret has to be patched."""
        if self.purpose is Purpose.REWRITE:
            return is_due(secret, self.barrier)
        return secret.resource_version > self.above


@dataclass
class PassResult:
    """What a pass found. ``changed``: Secrets that somebody else wrote between the list and the patch.

    ``writable``: of a dry run, the Secrets that the API server would have written; it does not say which are stale.
    ``resource_version``: the collection's when the list began. ``digest``: SHA-256 over ``uid resourceVersion`` of
    every Secret as listed, in the order of the list. ``course``: how it went on over time.
    """

    rewritten: int = 0
    current: int = 0
    gone: int = 0
    changed: int = 0
    writable: int = 0
    expected: int = 0
    failed: list[FailedSecret] = field(default_factory=list)
    tripped: list[FailedSecret] = field(default_factory=list)
    systemic: Failure | None = None
    seconds: float = 0.0
    resource_version: int = 0
    digest: str = ""
    course: Course = ()

    @property
    def counts(self) -> SecretCounts:
        return SecretCounts(self.rewritten, self.current + self.changed, self.gone, len(self.failed))

    @property
    def done(self) -> int:
        """Secrets dealt with so far, whatever became of them."""
        return self.counts.total + self.writable
