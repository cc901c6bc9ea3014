"""What an observer is told: one stream of events, as values.

Changes (``StepBegun``, ``StepEnded``, ``Note``, ``Warned``) come once. Moments (``Waiting``, ``Counting``,
``Operating``) come about every second while something lasts, and each says where it stands by itself: whoever misses
one misses nothing. Texts may hold words of a server; whoever shows them makes them harmless for where they are shown.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Outcome(str, enum.Enum):
    """How a step ended. ``AGAIN``: somebody else changed the cluster, so that it is looked at anew."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    AGAIN = "to be looked at again"


@dataclass(frozen=True)
class StepBegun:
    """``number`` of ``of``: its place among all steps of this run, as far as they are known now."""

    id: str
    title: str
    reason: str
    number: int = 1
    of: int = 1


@dataclass(frozen=True)
class StepEnded:
    """``problem``: the error's code and what happened, when it failed."""

    id: str
    outcome: Outcome
    seconds: float
    problem: str = ""


@dataclass(frozen=True)
class Note:
    """Something that happened, in a sentence."""

    text: str


@dataclass(frozen=True)
class Warned:
    """Something that somebody should look at, and that stops nothing."""

    text: str


@dataclass(frozen=True)
class Waiting:
    """Something has to come about. ``detail``: the signs of it so far."""

    what: str
    detail: str = ""


class Phase(str, enum.Enum):
    """What a pass over the Secrets is for."""

    REWRITING = "Rewriting"
    PROVING = "Proving"
    CLOSING = "Looking at what was written since"
    TRYING = "Trying"


@dataclass(frozen=True)
class Counting:
    """A pass over the Secrets. ``rate``: Secrets a second of late; 0 when it is not known yet."""

    phase: Phase
    done: int
    of: int
    rewritten: int = 0
    failed: int = 0
    rate: float = 0.0

    @property
    def seconds_left(self) -> float | None:
        """None when nothing can be said."""
        return (self.of - self.done) / self.rate if self.rate >= 0.1 and self.of > self.done else None


@dataclass(frozen=True)
class PoolProgress:
    """One node pool on its way to a version. ``state`` is ARM's provisioningState."""

    name: str
    nodes: int
    state: str
    done: bool


@dataclass(frozen=True)
class Operating:
    """Azure is at work, and ``state`` is its word for it. ``pools``: the node pools that it moves."""

    what: str
    state: str
    pools: tuple[PoolProgress, ...] = ()

    @property
    def pools_done(self) -> int:
        return sum(pool.done for pool in self.pools)

    @property
    def nodes(self) -> int:
        return sum(pool.nodes for pool in self.pools)

    @property
    def nodes_done(self) -> int:
        """Nodes whose whole pool has arrived: ARM tells nothing of the nodes within a pool."""
        return sum(pool.nodes for pool in self.pools if pool.done)


Moment = Waiting | Counting | Operating
Event = StepBegun | StepEnded | Note | Warned | Moment
