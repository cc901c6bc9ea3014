"""Another client of the same API servers: reads and changes a Secret of its own, at a steady pace."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from tests.lab.administrator import Administrator, ApiError
from tests.lab.model import Endpoint

NAMESPACE, NAME = "neighbour", "neighbour"
_PATH = f"/api/v1/namespaces/{NAMESPACE}/secrets/{NAME}"
_PER_SECOND = 20.0  # pairs of a GET and a PATCH, over all API servers


@dataclass(frozen=True)
class Answered:
    """One answer: when the request was sent (monotonic), and how long it took."""

    verb: str
    at: float
    seconds: float


class Neighbour:
    """One connection to each API server, taken in turn. Runs in a thread between ``with`` and its end."""

    def __init__(self, replicas: list[Endpoint]) -> None:
        self._connections = [Administrator(endpoint) for endpoint in replicas]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, name="neighbour")
        self._wrong: Exception | None = None
        self.answers: list[Answered] = []

    def __enter__(self) -> Neighbour:
        api = self._connections[0]
        api.create_if_absent("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        api.create_if_absent(
            f"/api/v1/namespaces/{NAMESPACE}/secrets",
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME}, "stringData": {"n": "0"}},
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for connection in self._connections:
            connection.close()
        if self._wrong:
            raise self._wrong

    def between(self, began: float, ended: float, verb: str) -> list[float]:
        """Seconds of each answer to a request sent in that time."""
        return [one.seconds for one in self.answers if one.verb == verb and began <= one.at <= ended]

    def _live(self) -> None:
        try:
            number, due = 0, time.monotonic()
            while not self._over.is_set():
                api = self._connections[number % len(self._connections)]
                self._time("GET", api, None)
                self._time("PATCH", api, {"stringData": {"n": str(number)}})
                number += 1
                # A slow answer delays the next request; what was missed is not made up for.
                due = max(due + 1.0 / _PER_SECOND, time.monotonic())
                self._over.wait(due - time.monotonic())
        except (OSError, ApiError) as error:
            self._wrong = error

    def _time(self, verb: str, api: Administrator, body: object) -> None:
        began = time.monotonic()
        if body is None:
            api.get(_PATH)
        else:
            api.request(verb, _PATH, body, "application/merge-patch+json")
        self.answers.append(Answered(verb, began, time.monotonic() - began))
