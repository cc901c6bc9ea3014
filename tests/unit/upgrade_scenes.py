"""Scenes to judge checks in: a situation, the plan made from it, and what was looked at."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from azext_kmsmigrate.checks.catalogue import CHECKS
from azext_kmsmigrate.checks.check import Check, Finding
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.suite import CheckResult, judged
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.migration.facts import ClusterFacts, Offers
from azext_kmsmigrate.migration.plan import Goal, Situation, decide
from tests.unit.situations import cluster, offers

NOW = datetime(2026, 1, 31, 9, 0, tzinfo=timezone.utc)


def scene(
    seen: dict[Topic[Any], Any] | None = None,
    *,
    facts: ClusterFacts | None = None,
    offered: Offers | None = None,
    goal: Goal | None = None,
) -> Scene:
    """A cluster on 1.26.15 that is offered 1.27.1, unless said otherwise."""
    situation = Situation(cluster() if facts is None else facts, offers("1.27.1") if offered is None else offered)
    goal = goal or Goal()
    return Scene(situation, goal, decide(situation, goal), NOW, seen or {})


def check(id_: str) -> Check:
    return next(c for c in CHECKS if c.id == id_)


def result(id_: str, seen: Scene) -> CheckResult:
    return judged([check(id_)], seen)[0]


def findings(id_: str, seen: Scene) -> tuple[Finding, ...]:
    return result(id_, seen).findings
