"""One question, put to the checks and to the local Azure: will this migration come to its end?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from azext_kmsmigrate.errors import KmsMigrateError
from azext_kmsmigrate.results import RunResult
from tests.agreement.disturbances import Disturbance
from tests.agreement.trial import EVERY_CHECK, Trial, trial


@dataclass(frozen=True)
class Verdict:
    """``passes``: the checks let it begin; ``said``: those that fail.

    ``begun``: what ``start`` sent all the same before its checks stopped it. ``succeeds``: whether every step was done,
    with the checks or, where they stop it, with all of them left out.
    """

    passes: bool
    said: tuple[str, ...]
    begun: tuple[str, ...]
    succeeds: bool
    why: str


def verdict(disturbances: Iterable[Disturbance], **options: object) -> Verdict:
    """Try it on a lab of these options, with all of this wrong with it."""
    with trial(**options) as attempt:
        for one in disturbances:
            one.disturb(attempt)
        before = len(attempt.cluster_puts())
        report = attempt.check()
        said = tuple(check.id for check in report.checks if check.outcome == "failed")
        begun: tuple[str, ...] = ()
        if not report.ready:
            attempt.start()
            begun = tuple(attempt.cluster_puts()[before:])
        result = attempt.start(frozenset() if report.ready else EVERY_CHECK)
        return Verdict(report.ready, said, begun, attempt.is_migrated(result), _why(attempt, result))


def assert_agreed(fault: Disturbance) -> None:
    """What is wrong alone is said before any change, by the check whose affair it is; what is harmless is migrated."""
    found = verdict([fault], **fault.options)
    assert found.begun == ()
    assert found.passes is not bool(fault.foretold), found
    assert set(found.said) & set(fault.foretold) or found.passes, found
    assert found.succeeds is bool(fault.cautious or (found.passes and not fault.limit)), found


def _why(attempt: Trial, result: RunResult | KmsMigrateError) -> str:
    if isinstance(result, KmsMigrateError):
        return str(result)
    problem = result.problem
    return f"{result.state.value}: {problem.code} {problem.what}" if problem else result.state.value
