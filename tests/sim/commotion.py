"""Others at work on the same cluster while a pass runs, at random: clients, API servers that come and go, faults."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable

from azext_kmsmigrate.migration.secret import Failure, FailureClass, StoredAs
from tests.sim.apiservers import Encryption, is_canary
from tests.sim.cluster import SimCluster

_PASSING = (FailureClass.THROTTLED, FailureClass.TIMED_OUT, FailureClass.TRANSIENT)
_SECONDS = 0.05  # that go by at each request
_OFTEN = 0.3


class Commotion:
    """Something happens before every few requests to patch a Secret, decided by the seed alone.

    ``denied`` are the Secrets that a policy protects from some moment on, ``denials`` at most. ``rolls``: how probable
    it is at each request that an API server goes back to plain text for some seconds. ``wrote``: what clients wrote.
    """

    def __init__(self, sim: SimCluster, seed: int, *, denials: int = 0, rolls: float = 0.0) -> None:
        self._sim, self._chance = sim, random.Random(seed)
        self._denials, self._rolls = denials, rolls
        self._lock = threading.Lock()
        self._made = 0
        self._failed: set[tuple[str, str]] = set()
        self.denied: set[tuple[str, str]] = set()
        self.wrote: set[tuple[str, str]] = set()
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
        sim.api.before_patch = self.happen

    def happen(self) -> None:
        """Called before each patch, from whichever thread sends it; nothing happens before KMS v2 is on."""
        if not self._sim.azure.facts.kms.enabled:
            return
        with self._lock:
            self._sim.clock.sleep(_SECONDS)
            if self._chance.random() < self._rolls:
                self._do(self._go_back)
            elif self._chance.random() < _OFTEN:
                self._do(self._chance.choice(self._deeds))
        time.sleep(0)  # so that no thread is left out for what would be seconds here

    def _do(self, deed: Callable[[], None]) -> None:
        self.happened.append(deed.__name__)
        deed()

    def _any(self) -> tuple[str, str] | None:
        keys = sorted(key for key in self._sim.api.secrets if not is_canary(key))
        return self._chance.choice(keys) if keys else None

    def _write(self, key: tuple[str, str]) -> None:
        self.wrote.add(key)
        self._sim.api.add(*key)

    def _create(self) -> None:
        self._made += 1
        self._write((f"ns-{self._chance.randrange(4)}", f"made-{self._made}"))

    def _change(self) -> None:
        if key := self._any():
            self._write(key)

    def _delete(self) -> None:
        if key := self._any():
            self._sim.api.delete(*key)

    def _make_anew(self) -> None:
        if key := self._any():
            self._sim.api.delete(*key)
            self._write(key)

    def _fail_for_a_while(self) -> None:
        key = self._any()
        if key and key not in self._failed:  # a few times and no more: it passes
            self._failed.add(key)
            times = self._chance.randint(1, 3)
            self._sim.api.answers[key] = deque(Failure(self._chance.choice(_PASSING), "HTTP") for _ in range(times))

    def _expire(self) -> None:
        self._sim.api.expiring += 1

    def _fail_a_page(self) -> None:
        if len(self._sim.api.page_answers) < 2:  # it passes, so not as often as is asked again
            self._sim.api.page_answers.append(Failure(self._chance.choice(_PASSING), "HTTP"))

    def _deny(self) -> None:
        key = self._any()
        if key and len(self.denied) < self._denials:
            self._sim.api.deny(*key, "policy.example")
            self.denied.add(key)

    def _go_back(self) -> None:
        replica = self._chance.choice(self._sim.api.replicas)
        if replica.to_come or replica.encryption.writes is StoredAs.PLAIN:
            return
        at, now = self._sim.clock.monotonic(), replica.encryption
        plain = Encryption.of(StoredAs.PLAIN, *now.reads)
        replica.to_come = [(at, plain), (at + self._chance.uniform(1.5, 5.0), now)]
