"""Looks at topics for the checks: one thread a service, side by side, each look with its time limit.

A look past its limit is given up: its thread is left behind (a daemon, so it holds up no exit), what it brings later is
dropped, and the rest of its service goes on in another. A service that let two looks pass is not asked further.

Patient topics come after all that, in the caller's own thread and without a limit: they tell how far they are.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from azext_kmsmigrate import errors
from azext_kmsmigrate.checks.topic import Topic, Unseen
from azext_kmsmigrate.errors import KmsMigrateError
from azext_kmsmigrate.migration.events import Waiting
from azext_kmsmigrate.ports import Inspector, Question, Tick

_ALLOWED_TO_PASS = 2  # looks of one service that may run past their limit
_WHAT = "looking at the cluster and all around it"
_GLANCE = 0.5  # seconds between two signs of life

Seen = Mapping[Topic[Any], Any]


class Survey:
    """Asks the inspectors. The answers depend on what is there, not on which thread was first."""

    def __init__(self, inspectors: Iterable[Inspector]) -> None:
        self._inspectors = tuple(inspectors)

    def look(self, topics: Iterable[Topic[Any]], question: Question, tick: Tick) -> Seen:
        """An answer for every topic, each looked at once: what it brought, or ``Unseen``.

        ``tick`` is called all the while; what it raises, and Ctrl-C, ends the waiting at once. A patient look is ended
        by what its inspector's own tick raises.
        """
        wanted = list(dict.fromkeys(topics))
        seen: dict[Topic[Any], Any] = dict.fromkeys(wanted, Unseen("nothing here looks at it"))
        lines: dict[str, _Line] = {}
        patient: list[tuple[Topic[Any], Inspector]] = []
        bell = threading.Event()
        for topic in wanted:
            inspector = next((i for i in self._inspectors if topic in i.topics), None)
            if inspector is not None and topic.patient:
                patient.append((topic, inspector))
            elif inspector is not None:
                lines.setdefault(topic.service, _Line(question, bell)).due.append((topic, inspector))
        for line in lines.values():
            line.go_on()
        while open_lines := [line for line in lines.values() if not line.at_end()]:
            tick(Waiting(_WHAT, ", ".join(sorted(line.now.name for line in open_lines if line.now))))
            bell.wait(_GLANCE)
            bell.clear()
        for line in lines.values():
            seen.update(line.seen)
        for topic, inspector in patient:
            tick(Waiting(_WHAT, topic.name))
            seen[topic] = _looked(inspector, topic, question)
        return seen


@dataclass
class _Line:
    """The looks of one service, one after the other. ``bell`` rings when one has ended."""

    question: Question
    bell: threading.Event
    due: list[tuple[Topic[Any], Inspector]] = field(default_factory=list)
    seen: dict[Topic[Any], Any] = field(default_factory=dict)
    now: Topic[Any] | None = None
    _began: float = 0.0
    _passed: int = 0
    _answer: list[Any] = field(default_factory=list)

    def go_on(self) -> None:
        """Begin the next look, in a thread of its own: the one before may never end."""
        self.now = None
        if not self.due:
            return
        self.now, inspector = self.due.pop(0)
        self._answer = []
        self._began = time.monotonic()
        arguments = (inspector, self.now, self.question, self._answer, self.bell)
        threading.Thread(target=_look, args=arguments, name=f"look-{self.now.service}", daemon=True).start()

    def at_end(self) -> bool:
        """Take what has been brought, give up what takes too long, and go on; True when nothing is left."""
        while self.now is not None:
            if self._answer:
                answer = self._answer[0]
                if isinstance(answer, BaseException):
                    raise answer
                self.seen[self.now] = answer
            elif time.monotonic() - self._began > self.now.seconds:
                self._passed += 1
                self.seen[self.now] = Unseen(f"did not answer within {self.now.seconds:g} s")
                if self._passed >= _ALLOWED_TO_PASS:
                    silent = Unseen(f"was not asked: {self.now.service} had not answered {self._passed} times")
                    self.seen.update((topic, silent) for topic, _ in self.due)
                    self.due.clear()
            else:
                return False
            self.go_on()
        return True


def _look(
    inspector: Inspector, topic: Topic[Any], question: Question, answer: list[Any], bell: threading.Event
) -> None:
    try:
        answer.append(_looked(inspector, topic, question))
    except BaseException as error:  # handed to the caller's thread
        answer.append(error)
    finally:
        bell.set()


def _looked(inspector: Inspector, topic: Topic[Any], question: Question) -> Any:
    try:
        return inspector.look(topic, question)
    except KmsMigrateError as error:
        return unseen_for(error)
    except Exception as error:
        # A look that meets what it does not know makes its checks unknown; it must not keep the others from their end.
        return Unseen(f"the look itself failed ({type(error).__name__})")


def unseen_for(error: KmsMigrateError) -> Unseen:
    """A failure to look, in its own words."""
    forbidden = error.entry in (errors.AZURE_FORBIDDEN, errors.API_FORBIDDEN)
    return Unseen(error.what.rstrip("."), permission=str(error.values["what"]) if forbidden else "")
