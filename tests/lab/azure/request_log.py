"""What was asked, in order: with it a test says "no PUT was sent"."""

from __future__ import annotations

import collections
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

# Properties of a managed cluster that are secret; they are dropped before a body is kept.
_SECRET_PROPERTIES = frozenset({"secret", "adminPassword", "serverAppSecret", "clusterToken"})


@dataclass(frozen=True)
class LoggedRequest:
    """One answered request. ``time`` is ISO 8601, UTC; ``body`` is kept for PUTs to Resource Manager only."""

    time: str
    service: str
    method: str
    path: str
    query: str
    status: int
    body: Any = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class RequestLog:
    """Thread-safe; bounded, because a vault is asked once for every Secret under KMS v1."""

    def __init__(self, limit: int = 50_000) -> None:
        self._entries: collections.deque[LoggedRequest] = collections.deque(maxlen=limit)
        self._sent: collections.deque[bytes] = collections.deque(maxlen=limit)
        self._lock = threading.Lock()

    def add(self, service: str, method: str, path: str, query: str, status: int, body: Any, sent: bytes) -> None:
        """Keep one request. ``sent`` is its raw body: searched by :meth:`mentions`, never listed."""
        time = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        entry = LoggedRequest(time, service, method, path, query, status, without_secrets(body))
        with self._lock:
            self._entries.append(entry)
            self._sent.append(f"{path}?{query}\n".encode() + sent)

    def entries(self, service: str | None = None) -> list[LoggedRequest]:
        with self._lock:
            return [entry for entry in self._entries if service in (None, entry.service)]

    def mentions(self, needles: Iterable[bytes]) -> bool:
        """Whether any request carried one of these byte strings in its path, query or body."""
        wanted = [needle for needle in needles if needle]
        with self._lock:
            sent = list(self._sent)
        return any(needle in text for text in sent for needle in wanted)


def without_secrets(body: Any) -> Any:
    """A copy of a JSON value without the properties that hold secrets, at any depth."""
    if isinstance(body, dict):
        return {key: without_secrets(value) for key, value in body.items() if key not in _SECRET_PROPERTIES}
    if isinstance(body, list):
        return [without_secrets(value) for value in body]
    return body
