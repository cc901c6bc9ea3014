"""What came of all checks together, and what a user and a pipeline are told of it."""

from __future__ import annotations

import pytest

from azext_kmsmigrate.check_document import CheckDocument
from azext_kmsmigrate.checks.catalogue import CHECKS
from azext_kmsmigrate.checks.check import Finding, Severity
from azext_kmsmigrate.checks.preflight import Preflight
from azext_kmsmigrate.checks.suite import CheckResult, Outcome
from azext_kmsmigrate.report.checks_text import check_lines, warning_lines

BLOCK = next(c for c in CHECKS if c.severity is Severity.BLOCK)
WARN = next(c for c in CHECKS if c.severity is Severity.WARN)
INFO = next(c for c in CHECKS if c.severity is Severity.INFO)


def failed(check: object, *severities: Severity | None) -> CheckResult:
    found = tuple(Finding(f"object {n}", "It is wrong.", "Type: x", s) for n, s in enumerate(severities or (None,)))
    return CheckResult(check, Outcome.FAILED, found)  # type: ignore[arg-type]


BLOCKS, WARNS, INFORMS = failed(BLOCK), failed(WARN), failed(INFO)
PASSES = CheckResult(BLOCK, Outcome.PASSED)
UNKNOWN = CheckResult(BLOCK, Outcome.UNKNOWN, note="the vault: no entry", permission="vaults/read")
SKIPPED = CheckResult(BLOCK, Outcome.SKIPPED)
IDLE = CheckResult(BLOCK, Outcome.NOT_APPLICABLE, note="nothing of the kind")


@pytest.mark.parametrize(
    ("results", "allowed", "strictly"),
    [
        ((), True, True),
        ((PASSES, INFORMS, SKIPPED, IDLE), True, True),
        ((PASSES, WARNS), True, False),
        ((UNKNOWN,), True, False),
        ((failed(BLOCK, Severity.WARN),), True, False),
        ((failed(BLOCK, Severity.INFO),), True, True),
        ((PASSES, BLOCKS), False, False),
        ((failed(WARN, Severity.INFO, Severity.BLOCK),), False, False),
    ],
)
def test_whether_a_run_may_begin(results: tuple[CheckResult, ...], allowed: bool, strictly: bool) -> None:
    found = Preflight(results)
    assert (found.allows(), found.allows(warnings_as_errors=True)) == (allowed, strictly)


def test_every_result_that_applies_is_counted_once() -> None:
    found = Preflight((PASSES, INFORMS, WARNS, BLOCKS, UNKNOWN, SKIPPED, IDLE))
    counts = (found.passed, *map(len, (found.warnings, found.blocking, found.unknown, found.skipped)))
    assert counts == (2, 1, 1, 1, 1)


def test_what_weighs_most_comes_first() -> None:
    found = Preflight((PASSES, IDLE, SKIPPED, INFORMS, UNKNOWN, WARNS, BLOCKS))
    assert list(found.in_order_of_weight()) == [BLOCKS, WARNS, UNKNOWN, SKIPPED, PASSES, IDLE, INFORMS]


@pytest.mark.parametrize(
    ("result", "outcome", "severity"),
    [
        (BLOCKS, "failed", "block"),
        (failed(BLOCK, Severity.WARN), "warned", "warn"),
        (failed(BLOCK, Severity.INFO), "passed", "info"),
        (PASSES, "passed", "block"),
        (UNKNOWN, "unknown", "block"),
        (SKIPPED, "skipped", "block"),
        (IDLE, "not-applicable", "block"),
    ],
)
def test_an_outcome_is_a_word_that_counts(result: CheckResult, outcome: str, severity: str) -> None:
    document = CheckDocument.of(result)
    assert (document.outcome, document.severity) == (outcome, severity)
    assert (document.note, document.permission) == (result.note, result.permission)
    assert [f.object for f in document.findings] == [f.subject for f in result.findings]


def test_the_lines_before_the_question_name_what_warns_and_what_is_not_known() -> None:
    lines = list(warning_lines(Preflight((PASSES, WARNS, UNKNOWN, SKIPPED))))
    assert lines == [
        "Checks: 1 passed, 1 warn, 1 unknown.",
        f"  {WARN.id} warns: object 0: It is wrong.",
        "     Type: x",
        f"  {BLOCK.id} unknown: {BLOCK.title}? Not seen: the vault: no entry (you lack: vaults/read).",
        f"  {BLOCK.id} skipped, as asked: {BLOCK.title}.",
    ]
    assert list(warning_lines(Preflight())) == []


def test_what_blocks_comes_before_all_else_and_information_is_left_out() -> None:
    lines = list(check_lines(Preflight((failed(WARN, Severity.INFO, Severity.BLOCK),))))
    assert lines[:2] == [f"  {WARN.id} blocks: object 1: It is wrong.", "     Type: x"]
    assert "object 0" not in "".join(lines)
