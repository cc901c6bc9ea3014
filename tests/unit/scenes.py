"""Scenes for checks, and what one check says of them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from azext_kmsmigrate.checks.catalogue import CHECKS
from azext_kmsmigrate.checks.check import Finding
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.suite import CheckResult, Outcome, judged
from azext_kmsmigrate.checks.topic import Topic, Unseen
from azext_kmsmigrate.migration.facts import ClusterFacts
from azext_kmsmigrate.migration.journal import Journal
from azext_kmsmigrate.migration.plan import Goal, Situation, decide
from tests.unit.situations import cluster, situation

NOW = datetime(2026, 1, 31, 9, 0, tzinfo=timezone.utc)


def scene(
    seen_cluster: ClusterFacts | None = None,
    seen: dict[Topic[Any], Any] | None = None,
    *,
    kept: Journal | None = None,
    goal: Goal | None = None,
    where: Situation | None = None,
) -> Scene:
    """A cluster of 1.26 with KMS v1 that is offered 1.27.1, unless said otherwise; its plan is the one decided."""
    where = where or situation(seen_cluster or cluster(), None, kept)
    goal = goal or Goal()
    return Scene(where, goal, decide(where, goal), NOW, seen or {})


def result_of(check_id: str, of: Scene, *, skipped: frozenset[str] = frozenset()) -> CheckResult:
    (result,) = judged((c for c in CHECKS if c.id == check_id), of, skipped)
    return result


def findings_of(check_id: str, of: Scene) -> tuple[Finding, ...]:
    """What it finds wrong; it has to have failed, and to name the object and what to type."""
    result = result_of(check_id, of)
    assert result.outcome is Outcome.FAILED, result
    assert all(f.subject and f.what and f.fix for f in result.findings)
    return result.findings


def passes(check_id: str, of: Scene) -> bool:
    return result_of(check_id, of).outcome is Outcome.PASSED


def unseen(topic: Topic[Any], why: str = "a reason", permission: str = "") -> dict[Topic[Any], Any]:
    return {topic: Unseen(why, permission)}
