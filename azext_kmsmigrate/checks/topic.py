"""What checks look at: one topic for each thing that is asked for once, whatever the number of checks that read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")

KUBERNETES = "kubernetes"
"""The service of every topic that the cluster's API server is asked about."""


@dataclass(frozen=True)
class Topic(Generic[T]):
    """One thing to look at; ``T`` is what a look brings, a frozen dataclass or a tuple of them.

    A topic is defined beside the data that it brings. ``service`` names who is asked: topics of different services
    are looked at side by side, those of one service one after the other. ``seconds``: how long one look may take
    before it is given up. ``again``: cheap enough to be looked at anew before each step; checks that read a topic
    which is not are asked once, before the first step. ``patient``: a look that has no time limit, for it shows how far
    it is; it comes after all others.
    """

    name: str
    service: str
    seconds: float = 30.0
    again: bool = True
    patient: bool = False


@dataclass(frozen=True)
class Unseen:
    """A look that brought nothing. ``permission``: what is missing, where that is the reason."""

    why: str
    permission: str = ""


class NotSeen(Exception):
    """Raised by ``Scene.of`` for a topic that could not be looked at; the suite makes ``Outcome.UNKNOWN`` of it."""

    def __init__(self, topic: Topic[Any], unseen: Unseen) -> None:
        super().__init__(f"{topic.name}: {unseen.why}")
        self.topic, self.unseen = topic, unseen
