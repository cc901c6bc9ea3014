"""Decides how many requests go out at once: up by one, down by half.

An administrator's requests are exempt from the API server's own flow control (system:masters), so the server does
not push back: the tool has to see for itself that it is too fast, from latency and errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field

START, CEILING = 4, 24
_WINDOW = 16  # answers between two decisions, at least
_SLOW = 2.5  # times the best latency seen


@dataclass
class Pacing:
    """Feed it every answer; read ``limit``. ``per_second`` is a hard limit, 0 for none.

    Not thread-safe: the engine calls it under its own lock.
    """

    ceiling: int = CEILING
    limit: int = START
    per_second: float = 0.0
    _next_at: float = 0.0
    _best: float = float("inf")
    _recent: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.limit = max(1, min(self.limit, self.ceiling))

    def pause_before_next(self, now: float) -> float:
        """Seconds until the next request may go out by ``per_second``; 0 means now, and counts as sent."""
        if not self.per_second:
            return 0.0
        if now < self._next_at:
            return self._next_at - now
        self._next_at = max(self._next_at, now) + 1.0 / self.per_second
        return 0.0

    def answered(self, seconds: float, *, pushed_back: bool) -> None:
        """One answer came after ``seconds``; ``pushed_back``: throttled, timed out, or a server error."""
        if pushed_back:
            self.limit = max(1, self.limit // 2)
            self._recent.clear()
            return
        self._recent.append(seconds)
        if len(self._recent) < max(_WINDOW, 2 * self.limit):
            return
        typical = sorted(self._recent)[len(self._recent) // 2]
        self._recent.clear()
        per_request = typical / self.limit
        self._best = min(self._best, per_request)
        # More at once helps as long as the time per request, over all workers, does not get worse.
        if per_request > self._best * _SLOW:
            self.limit = max(1, self.limit // 2)
        elif self.limit < self.ceiling:
            self.limit += 1
