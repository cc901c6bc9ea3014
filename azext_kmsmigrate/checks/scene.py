"""Everything that a check may know: the plan's own facts, and what was looked at besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast

from azext_kmsmigrate.checks.topic import NotSeen, Topic, Unseen
from azext_kmsmigrate.migration.facts import ClusterFacts
from azext_kmsmigrate.migration.plan import Goal, Plan, Situation

T = TypeVar("T")


@dataclass(frozen=True)
class Scene:
    """``seen`` holds an answer for every topic that was asked: what it brought, or ``Unseen``."""

    situation: Situation
    goal: Goal
    plan: Plan
    now: datetime
    seen: Mapping[Topic[Any], Any] = field(default_factory=dict)

    @property
    def cluster(self) -> ClusterFacts:
        return self.situation.cluster

    def of(self, topic: Topic[T]) -> T:
        """What a look at the topic brought. Raises ``NotSeen``."""
        answer = self.seen.get(topic, Unseen("was not looked at"))
        if isinstance(answer, Unseen):
            raise NotSeen(topic, answer)
        return cast(T, answer)
