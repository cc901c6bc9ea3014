"""How fast a pass goes of late: a window over its counts. Pure; owns no clock."""

from __future__ import annotations

from collections import deque

WINDOW = 20.0  # seconds


class Speed:
    """Secrets a second over the last ``WINDOW`` seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, now: float, done: int) -> float:
        """Take in a count, at most four a second; the speed up to it. 0 until a second has passed."""
        if not self._seen or now - self._seen[-1][0] >= WINDOW / 80:
            self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] >= WINDOW:
            self._seen.popleft()
        began, before = self._seen[0]
        return (done - before) / (now - began) if now - began >= 1.0 else 0.0
