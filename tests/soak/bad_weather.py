"""Gives a lab its troubles at their time, in a thread of its own, and ends them all again."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from tests.lab.client import LabClient
from tests.lab.premises import LabError
from tests.soak.hardship import Trouble

_RELEASE_EVERY = 10.0  # seconds that an operation which hangs may do so, at most


class BadWeather:
    """As a context manager: it begins with it, and at its end the lab is well again.

    ``said``: what the lab could not do when it was asked to: a replica that is ended just while a roll waits for it.
    """

    def __init__(self, lab: LabClient, troubles: Sequence[Trouble]) -> None:
        self._lab = lab
        self._due = sorted(
            [(one.at, one.fault) for one in troubles]
            + [(one.at + one.lasts, one.ended_by) for one in troubles if one.ended_by]
        )
        self._ends = [one.ended_by for one in troubles if one.ended_by]
        self._hangs = any(one.fault.endswith(" hang") for one in troubles)
        self.said: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="weather", daemon=True)

    def __enter__(self) -> BadWeather:
        while self._due and self._due[0][0] <= 0:
            self._inflict(self._due.pop(0)[1])
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for end in self._ends:
            self._inflict(end)

    def _work(self) -> None:
        began = released = time.monotonic()
        while not self._over.wait(0.2):
            now = time.monotonic()
            while self._due and began + self._due[0][0] <= now:
                self._inflict(self._due.pop(0)[1])
            if self._hangs and now - released > _RELEASE_EVERY:
                released = now
                self._inflict("release")

    def _inflict(self, fault: str) -> None:
        kind, _, arg = fault.partition(" ")
        try:
            self._lab.fault(kind, arg)
        except LabError as error:
            self.said.append(f"{fault}: {error}")
