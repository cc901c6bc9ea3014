"""Time that passes when somebody sleeps."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone

_START = datetime(2026, 1, 31, 9, 0, tzinfo=timezone.utc)


class FakeClock:
    """The port ``Clock``. Safe to use from several threads. ``ahead``: seconds that it is wrong by."""

    def __init__(self, ahead: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._ahead = ahead
        self._passed = 0.0
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return _START + timedelta(seconds=self.monotonic() + self._ahead)

    def monotonic(self) -> float:
        with self._lock:
            return self._passed

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._passed += max(0.0, seconds)
            self.sleeps.append(seconds)
