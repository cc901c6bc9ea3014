"""What came of all checks together: the counts, what blocks, and whether a run may begin. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Severity
from azext_kmsmigrate.checks.suite import CheckResult, Outcome


@dataclass(frozen=True)
class Preflight:
    """The results in the order of the catalogue.

    A check that failed with findings to warn of has ``warned``; one with nothing but information has passed. A check
    that could not look is ``unknown``: it is told, and blocks nothing, for the right to look may be missing for good.
    """

    results: tuple[CheckResult, ...] = ()

    @property
    def passed(self) -> int:
        return sum(r.outcome is Outcome.PASSED or (_failed(r) and r.severity is Severity.INFO) for r in self.results)

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        return tuple(r for r in self.results if _failed(r) and r.severity is Severity.WARN)

    @property
    def blocking(self) -> tuple[CheckResult, ...]:
        return tuple(r for r in self.results if r.blocks)

    @property
    def unknown(self) -> tuple[CheckResult, ...]:
        return tuple(r for r in self.results if r.outcome is Outcome.UNKNOWN)

    @property
    def skipped(self) -> tuple[CheckResult, ...]:
        """What the user left out of those that a step needs."""
        return tuple(r for r in self.results if r.outcome is Outcome.SKIPPED)

    def allows(self, *, warnings_as_errors: bool = False) -> bool:
        """Whether a run may begin; with ``warnings_as_errors`` it may neither with a warning nor with an unknown."""
        return not self.blocking and not (warnings_as_errors and (self.warnings or self.unknown))

    def in_order_of_weight(self) -> Iterator[CheckResult]:
        """What blocks, what warns, what is unknown, skipped, and the rest: each in the order of the catalogue."""
        first = (*self.blocking, *self.warnings, *self.unknown, *self.skipped)
        yield from first
        yield from (r for r in self.results if r not in first)


def _failed(result: CheckResult) -> bool:
    return result.outcome is Outcome.FAILED
