"""Asks the checks of a run: all of them before it, and before each step those that it stands on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from azext_kmsmigrate import errors
from azext_kmsmigrate.checks.access import DOOR, Door
from azext_kmsmigrate.checks.catalogue import CHECKS
from azext_kmsmigrate.checks.check import Check, Severity
from azext_kmsmigrate.checks.preflight import Preflight
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.suite import is_called_for, judged
from azext_kmsmigrate.checks.topic import KUBERNETES, Topic, Unseen
from azext_kmsmigrate.deeds import World
from azext_kmsmigrate.errors import Refused
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsProfile
from azext_kmsmigrate.migration.plan import Goal, Plan, Situation, decide
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.migration.upgrade_path import Hop, hops
from azext_kmsmigrate.ports import Question, Tick
from azext_kmsmigrate.survey import Seen, Survey

_FRESH = 60.0  # seconds in which what was looked at before the first step still holds for it


class Inspection:
    """The checks of one command. ``skipped``: ids that the user leaves out. ``planned``: decides its steps."""

    def __init__(
        self,
        world: World,
        skipped: frozenset[str] = frozenset(),
        checks: tuple[Check, ...] = CHECKS,
        planned: Callable[[Situation, Goal], Plan] = decide,
    ) -> None:
        self._world, self._skipped, self._checks, self._planned = world, skipped, checks, planned
        self._survey = Survey(world.inspectors)
        self._looked_at: float | None = None

    def whole(self, situation: Situation, goal: Goal) -> Preflight:
        """All checks, each topic that they read looked at once.

        They are judged by the whole plan, for one step by itself strands a cluster as well as a run that breaks off.
        """
        found = self._judged(self._checks, situation, goal, self._world.observer.tell)
        self._looked_at = self._world.clock.monotonic()
        return found

    def quick(self, situation: Situation, goal: Goal) -> Preflight:
        """Those checks that cost no more than a few requests: for a command that is to answer at once."""
        return self._judged(self._cheap, situation, goal, self._world.observer.tell)

    def reaches(self, cluster: ClusterFacts) -> bool:
        """Whether the cluster's API server answers, and knows who asks."""
        return bool(self._look([DOOR], Question(cluster), self._world.observer.tell)[DOOR] == Door())

    def before(self, step: StepId, situation: Situation, goal: Goal) -> Preflight:
        """The checks that the step stands on, looked at anew; those that cost too much for that are left out.

        Nothing is asked where all of them have just been.
        """
        if self._looked_at is not None and self._world.clock.monotonic() - self._looked_at < _FRESH:
            self._looked_at = None
            return Preflight()
        self._looked_at = None
        due = tuple(c for c in self._cheap if step in c.before)
        return self._judged(due, situation, goal, self._world.tick)

    @property
    def _cheap(self) -> tuple[Check, ...]:
        return tuple(c for c in self._checks if all(topic.again for topic in c.reads))

    def _judged(self, checks: tuple[Check, ...], situation: Situation, goal: Goal, tick: Tick) -> Preflight:
        plan = self._planned(situation, goal)
        topics = [t for c in checks if c.id not in self._skipped and is_called_for(c, plan) for t in c.reads]
        return Preflight(judged(checks, self.scene(situation, goal, topics, tick), self._skipped))

    def scene(self, situation: Situation, goal: Goal, topics: list[Topic[Any]], tick: Tick) -> Scene:
        """The situation with what is seen now of these topics."""
        plan = self._planned(situation, goal)
        question = Question(situation.cluster, _original_kms(situation), plan.target_kms, _upgrades(situation, plan))
        seen = self._look(topics, question, tick)
        return Scene(situation, goal, plan, self._world.clock.now(), seen)

    def _look(self, topics: list[Topic[Any]], question: Question, tick: Tick) -> Seen:
        """A silent API server is asked once, not once for each topic, with the patience of each."""
        closed, first = "", dict[Topic[Any], Any]()
        if not _has_api_server(question.cluster):
            closed = "the cluster has no API server at work"
        elif DOOR in topics:
            first = dict(self._survey.look([DOOR], question, tick))
            closed = _why_closed(first[DOOR])
        asked = [t for t in topics if t is not DOOR and not (closed and t.service == KUBERNETES)]
        return {**dict.fromkeys(topics, Unseen(closed)), **first, **self._survey.look(asked, question, tick)}


def refusal(found: Preflight, cluster: ClusterFacts, step: StepId, state: str, command: str) -> Refused | None:
    """The entry for what blocks, if anything does; ``state`` tells what was changed by then."""
    if not found.blocking:
        return None
    first = found.blocking[0]
    finding = min(first.findings, key=lambda f: list(Severity).index(f.severity or first.check.severity))
    return Refused(
        errors.CHECKS_FAILED,
        count=len(found.blocking),
        step=step.value,
        **cluster.name.words,
        first=f"{first.check.id}, {finding.subject}: {finding.what.rstrip('.')}",
        state=state,
        fix=finding.fix.rstrip(".") + ".",
        next=command,
    )


def _why_closed(door: Door | Unseen) -> str:
    """Why there is no use in asking the API server for anything else; empty when it let us in."""
    if isinstance(door, Unseen) or door.silent:
        return "the API server does not answer"
    return "the API server does not let you in" if door.refused else ""


def _has_api_server(cluster: ClusterFacts) -> bool:
    return cluster.power == "Running" and cluster.state != "Deleting"


def _upgrades(situation: Situation, plan: Plan) -> tuple[Hop, ...]:
    if all(step.id is not StepId.UPGRADE for step in plan.steps):
        return ()
    return hops(situation.cluster, situation.offers, plan.target, plan.support_plan)


def _original_kms(situation: Situation) -> KmsProfile | None:
    journal = situation.journal
    if journal is not None and journal.unfinished and journal.original_kms is not None:
        return journal.original_kms
    return situation.cluster.kms if situation.cluster.kms.key_id else None
