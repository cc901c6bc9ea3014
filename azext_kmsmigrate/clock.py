"""The real time."""

from __future__ import annotations

import time
from datetime import datetime, timezone


class SystemClock:
    """The port ``Clock``."""

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
