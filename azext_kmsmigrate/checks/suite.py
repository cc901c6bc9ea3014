"""Judges checks over a scene. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Check, Finding, NotApplicable, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import NotSeen
from azext_kmsmigrate.migration.plan import Plan
from azext_kmsmigrate.migration.step import StepId


class Outcome(str, enum.Enum):
    """How a check ended. ``unknown``: it could not look; ``skipped``: the user said so."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class CheckResult:
    """One check's end. ``note``: why it does not apply, or what was not seen; ``permission``: the right that lacks."""

    check: Check
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    note: str = ""
    permission: str = ""

    @property
    def severity(self) -> Severity:
        """The heaviest of its findings."""
        weights = list(Severity)
        return min(
            (f.severity or self.check.severity for f in self.findings), key=weights.index, default=self.check.severity
        )

    @property
    def blocks(self) -> bool:
        return self.outcome is Outcome.FAILED and self.severity is Severity.BLOCK


def judged(checks: Iterable[Check], scene: Scene, skipped: frozenset[str] = frozenset()) -> tuple[CheckResult, ...]:
    """Every check's result, in their order. A skipped check is not judged, nor one whose steps are not left to do."""
    return tuple(_judged(check, scene, skipped) for check in checks)


def is_called_for(check: Check, plan: Plan) -> bool:
    """Whether a step that the check is asked before is left.

    A plan that is blocked may not know its steps: all are asked. Where nothing is left to do, only what is asked before
    every step and needs no look is worth telling.
    """
    left = {step.id for step in plan.steps}
    if left:
        return bool(check.before & left)
    return plan.blocked is not None or (check.before == frozenset(StepId) and not check.reads)


def _judged(check: Check, scene: Scene, skipped: frozenset[str]) -> CheckResult:
    if not is_called_for(check, scene.plan):
        return CheckResult(check, Outcome.NOT_APPLICABLE, note="none of the steps that need it is left")
    if check.id in skipped:
        return CheckResult(check, Outcome.SKIPPED)
    try:
        judgement = check.judge(scene)
        if isinstance(judgement, NotApplicable):
            return CheckResult(check, Outcome.NOT_APPLICABLE, note=judgement.why)
        findings = tuple(judgement)  # a generator asks the scene only here
    except NotSeen as error:
        return CheckResult(check, Outcome.UNKNOWN, note=str(error), permission=error.unseen.permission)
    return CheckResult(check, Outcome.FAILED if findings else Outcome.PASSED, findings)
