"""What goes wrong on purpose: armed from outside, taken once by the next matching operation."""

from __future__ import annotations

import enum
import threading
from collections import defaultdict, deque

from tests.lab.azure.rules import Change


class Fault(str, enum.Enum):
    """How the next operation of a kind goes wrong.

    The ``http-`` ones are the answer to the PUT itself, without any effect; the others happen to an accepted
    operation. ``early-success``: Azure reports success while the work only begins. ``hang``: nothing happens
    until it is released, then all goes well. ``preempted``: a newer operation, a reconcile, takes its place.
    """

    FAILED_AFTER_EFFECT = "failed-after-effect"
    FAILED_BEFORE_EFFECT = "failed-before-effect"
    CANCELED = "canceled"
    HANG = "hang"
    EARLY_SUCCESS = "early-success"
    PREEMPTED = "preempted"
    HTTP_429 = "http-429"
    HTTP_500 = "http-500"
    HTTP_409 = "http-409"

    @property
    def is_answer(self) -> bool:
        return self.value.startswith("http-")


class Faults:
    """Armed faults, first in first out for each kind of change."""

    def __init__(self) -> None:
        self._armed: dict[tuple[Change, bool], deque[Fault]] = defaultdict(deque)
        self._lock = threading.Lock()

    def arm(self, operation: str, how: str, times: int = 1) -> None:
        """Raises ``ValueError`` for an operation or a fault that does not exist."""
        change, fault = Change(operation), Fault(how)
        with self._lock:
            self._armed[change, fault.is_answer].extend([fault] * times)

    def take(self, change: Change, *, answer: bool) -> Fault | None:
        with self._lock:
            queue = self._armed[change, answer]
            return queue.popleft() if queue else None
