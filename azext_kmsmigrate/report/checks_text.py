"""What the checks found, as the lines that are shown before the one question, and by ``check`` on stderr."""

from __future__ import annotations

from collections.abc import Iterator

from azext_kmsmigrate.checks.check import Severity
from azext_kmsmigrate.checks.preflight import Preflight
from azext_kmsmigrate.checks.suite import CheckResult

_MOST = 20  # findings of one check that are shown


def warning_lines(found: Preflight) -> Iterator[str]:
    """What warns, what could not be looked at and what was left out; nothing of what is well."""
    if found.results:
        yield f"Checks: {found.passed} passed, {len(found.warnings)} warn, {len(found.unknown)} unknown."
    for result in found.warnings:
        yield from finding_lines(result)
    for result in found.unknown:
        yield f"  {result.check.id} unknown: {result.check.title}? {_not_seen(result)}"
    for result in found.skipped:
        yield f"  {result.check.id} skipped, as asked: {result.check.title}."


def check_lines(found: Preflight) -> Iterator[str]:
    """The same, with what blocks first."""
    for result in found.blocking:
        yield from finding_lines(result)
    yield from warning_lines(found)


def finding_lines(result: CheckResult) -> Iterator[str]:
    """The findings that are more than information: the object, what is wrong, what to type; the first of very many."""
    told = [f for f in result.findings if (f.severity or result.check.severity) is not Severity.INFO]
    for finding in told[:_MOST]:
        word = "blocks" if (finding.severity or result.check.severity) is Severity.BLOCK else "warns"
        yield f"  {result.check.id} {word}: {finding.subject}: {finding.what}"
        yield f"     {finding.fix}"
    if len(told) > _MOST:
        yield f"  {result.check.id}: {len(told) - _MOST:,} more; 'check' with --report-file FILE writes all of them."


def _not_seen(result: CheckResult) -> str:
    return f"Not seen: {result.note}" + (f" (you lack: {result.permission})." if result.permission else ".")
