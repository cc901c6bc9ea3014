"""What checks look at: one topic for each thing that is asked for once, whatever the number of checks that read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Topic(Generic[T]):
    """One thing to look at; ``T`` is what a look brings, a frozen dataclass or a tuple of them.

    A topic is defined beside the data that it brings. ``service`` names who is asked: topics of different services
    are looked at side by side, those of one service one after the other. ``patient``: a look has no time limit; it
    shows how far it is instead, and may be stopped there.
    """

    name: str
    service: str
    patient: bool = False


@dataclass(frozen=True)
class Unseen:
    """A look that brought nothing. ``permission``: what is missing, where that is the reason."""

    why: str
    permission: str = ""


class NotSeen(Exception):
    """Raised by ``Scene.of`` for a topic that could not be looked at; the suite makes ``Outcome.UNKNOWN`` of it."""

    def __init__(self, topic: Topic[object], unseen: Unseen) -> None:
        super().__init__(f"{topic.name}: {unseen.why}")
        self.topic, self.unseen = topic, unseen
