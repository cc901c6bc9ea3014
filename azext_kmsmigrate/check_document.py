"""Checks as the results of the commands hold them; see ``results``."""

from __future__ import annotations

from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Severity
from azext_kmsmigrate.checks.preflight import Preflight
from azext_kmsmigrate.checks.suite import CheckResult, Outcome
from azext_kmsmigrate.migration.journal import Journal


@dataclass(frozen=True)
class FindingDocument:
    """One thing that is wrong with one object, and the command that puts it right."""

    object: str
    what: str
    fix: str
    severity: str


@dataclass(frozen=True)
class CheckDocument:
    """One check. ``outcome``: passed, warned, failed, unknown, skipped or not-applicable; ``note`` says why the last
    two of these, ``permission`` what is missing where that is the reason."""

    id: str
    category: str
    title: str
    severity: str
    outcome: str
    findings: list[FindingDocument]
    why: str
    note: str
    permission: str
    link: str

    @classmethod
    def of(cls, result: CheckResult) -> CheckDocument:
        check, outcome = result.check, result.outcome.value
        if result.outcome is Outcome.FAILED and not result.blocks:
            outcome = "warned" if result.severity is Severity.WARN else Outcome.PASSED.value
        return cls(
            id=check.id,
            category=check.category.value,
            title=check.title,
            severity=result.severity.value,
            outcome=outcome,
            findings=[
                FindingDocument(f.subject, f.what, f.fix, (f.severity or check.severity).value) for f in result.findings
            ],
            why=check.why,
            note=result.note,
            permission=result.permission,
            link=check.link,
        )


@dataclass(frozen=True)
class ChecksDocument:
    """How many checks ended how; ``skipped`` names what the user left out."""

    passed: int
    warned: int
    failed: int
    unknown: int
    skipped: list[str]

    @classmethod
    def of(cls, found: Preflight) -> ChecksDocument:
        ids = [r.check.id for r in found.skipped]
        return cls(found.passed, len(found.warnings), len(found.blocking), len(found.unknown), ids)


@dataclass(frozen=True)
class SkippedCheckDocument:
    """A check that would stop a run, and who left it out when."""

    id: str
    by: str
    at: str

    @classmethod
    def all_of(cls, journal: Journal) -> list[SkippedCheckDocument]:
        return [cls(s.id, s.by, s.at) for s in journal.skipped_checks]
