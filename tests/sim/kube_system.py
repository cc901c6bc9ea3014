"""ConfigMaps and Leases of an API server, as ``kube.api.Api`` answers calls about them."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

from azext_kmsmigrate.kube.api import CONFLICT, NOT_FOUND, Answered


class FakeApi:
    """The part of ``Api`` that the journal store and the Lease use, with the API server's optimistic locking.

    ``before_write`` is somebody else who writes first. ``lose_answers``: writes that take place, and whose repetition
    is then refused, as when a connection breaks after the server has done its work. ``away``: nobody answers what is
    asked once only.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.before_write: Callable[[], None] = lambda: None
        self.lose_answers = 0
        self.away = False
        self._versions = itertools.count(1)

    def call(self, what: str, method: str, path: str, *, body: Any = None) -> Any:
        self.calls.append(f"{method} {path}")
        if method == "GET":
            if path not in self.objects:
                raise Answered(NOT_FOUND)
            return copy.deepcopy(self.objects[path])
        self.before_write()
        return self._write(method, path, body)

    def attempt(self, what: str, method: str, path: str, *, body: Any = None) -> Any | None:
        return None if self.away else self.call(what, method, path, body=body)

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Somebody writes, whatever was there."""
        stored = copy.deepcopy(body)
        stored["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[path] = stored
        return copy.deepcopy(stored)

    def _write(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                raise Answered(CONFLICT)
        else:
            if path not in self.objects:
                raise Answered(NOT_FOUND)
            version = body["metadata"].get("resourceVersion")
            if version is not None and version != self.objects[path]["metadata"]["resourceVersion"]:
                raise Answered(CONFLICT)
        stored = self.put(path, body)
        if self.lose_answers:
            self.lose_answers -= 1
            raise Answered(CONFLICT)
        return stored
