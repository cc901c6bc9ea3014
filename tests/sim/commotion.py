"""Others at work on the same cluster while a pass runs, at random: clients, API servers that come and go, faults."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable

from azext_kmsmigrate.migration.secret import Failure, FailureClass, StoredAs
from tests.sim.apiservers import CANARY, Encryption
from tests.sim.cluster import SimCluster

_PASSING = (FailureClass.THROTTLED, FailureClass.TIMED_OUT, FailureClass.TRANSIENT)
_SECONDS = 0.05  # that go by at each request


class Commotion:
    """Something happens before every few requests to patch a Secret, decided by the seed alone.

    ``denied`` and ``lost`` are the Secrets that cannot be rewritten, for good. ``rolls``: API servers go back to the
    old form for some seconds too.
    """

    def __init__(self, sim: SimCluster, seed: int, old: StoredAs, *, rolls: bool) -> None:
        self._sim, self._chance, self._old = sim, random.Random(seed), old
        self._now = sim.api.replicas[0].encryption
        self._lock = threading.Lock()
        self._made = 0
        self.denied: set[tuple[str, str]] = set()
        self.happened: list[str] = []
        self._deeds: list[Callable[[], None]] = [
            self._create,
            self._change,
            self._delete,
            self._make_anew,
            self._fail_for_a_while,
            self._expire,
            self._fail_a_page,
            self._deny,
        ]
        if rolls:
            self._deeds.append(self._go_back)
        sim.api.before_patch = self.happen

    def happen(self) -> None:
        """Called before each patch, from whichever thread sends it."""
        with self._lock:
            self._sim.clock.sleep(_SECONDS)
            if self._chance.random() < 0.3:
                deed = self._chance.choice(self._deeds)
                self.happened.append(deed.__name__)
                deed()

    def _any(self) -> tuple[str, str] | None:
        keys = sorted(key for key in self._sim.api.secrets if key != CANARY)
        return self._chance.choice(keys) if keys else None

    def _create(self) -> None:
        self._made += 1
        self._sim.api.add(f"ns-{self._chance.randrange(4)}", f"made-{self._made}")

    def _change(self) -> None:
        if key := self._any():
            self._sim.api.change(*key)

    def _delete(self) -> None:
        if key := self._any():
            self._sim.api.delete(*key)

    def _make_anew(self) -> None:
        if key := self._any():
            self._sim.api.delete(*key)
            self._sim.api.add(*key)

    def _fail_for_a_while(self) -> None:
        if key := self._any():
            times = self._chance.randint(1, 3)
            self._sim.api.answers[key] = deque(Failure(self._chance.choice(_PASSING), "HTTP") for _ in range(times))

    def _expire(self) -> None:
        self._sim.api.expiring += 1

    def _fail_a_page(self) -> None:
        if len(self._sim.api.page_answers) < 2:  # it passes, so not as often as is asked again
            self._sim.api.page_answers.append(Failure(self._chance.choice(_PASSING), "HTTP"))

    def _deny(self) -> None:
        key = self._any()
        if key and len(self.denied) < 3:
            self._sim.api.deny(*key, "policy.example")
            self.denied.add(key)

    def _go_back(self) -> None:
        replica = self._chance.choice(self._sim.api.replicas)
        at = self._sim.clock.monotonic()
        back = Encryption.of(self._old, *self._now.reads, self._now.writes)
        replica.to_come = [(at, back), (at + self._chance.uniform(0.1, 4.0), self._now)]
