"""Decides how many requests go out at once: as many as keep the API servers at work, and no more that would wait.

An administrator's requests are exempt from the API server's own flow control (system:masters), so the server does
not push back: the tool has to see for itself that it is too fast, from latency and errors. A request that waits in the
server makes the whole no faster, and every other client wait behind it. How many wait follows from latency (as in TCP
Vegas): of ``limit`` requests on the way, ``limit * (1 - base / typical)`` wait, where ``base`` is the latency with
nobody waiting. A long round trip is in both, so that distance is not taken for slowness.
"""

from __future__ import annotations

from dataclasses import dataclass, field

START, CEILING = 2, 64
_WINDOW, _FIRST_WINDOW = 16, 8  # answers between two decisions, at least; fewer while it doubles
_FEW_WAIT, _MANY_WAIT = 3.0, 6.0  # up below the one, down above the other ...
_FEW_SHARE, _MANY_SHARE = 1 / 8, 1 / 4  # ... and so much of all: the more there are, the more their times differ
_SLOW = 8.0  # times the base: not a queue but a server in trouble
_RENEW = 64  # windows after which the base is measured anew: networks and Secrets change during a long pass


@dataclass
class Pacing:
    """Feed it every answer; read ``limit``. ``per_second`` is a hard limit, 0 for none.

    Not thread-safe: the engine calls it under its own lock.
    """

    ceiling: int = CEILING
    limit: int = START
    per_second: float = 0.0
    _next_at: float = 0.0
    _base: float = float("inf")
    _steep: bool = True  # doubling, until somebody waits for the first time
    _recent: list[float] = field(default_factory=list)
    _windows: int = 0
    _usual: int = 0  # while the base is measured anew: the limit to return to

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
            self._halve()
            return
        self._recent.append(seconds)
        # While the base is measured anew the first answers are to requests from before, which waited.
        before = self._usual
        if len(self._recent) < before + max(_FIRST_WINDOW if self._steep else _WINDOW, 2 * self.limit):
            return
        typical = sorted(self._recent[before:])[(len(self._recent) - before) // 2]
        self._recent.clear()
        self._windows += 1
        if self._usual:
            self._base, self.limit, self._usual = typical, self._usual, 0
            return
        # With so few at once nobody waits because of us: what an answer takes then is the base, shorter or longer.
        self._base = typical if self.limit <= START else min(self._base, typical)
        self._decide(typical)
        if self._windows % _RENEW == 0 and self.limit > START:
            self._usual, self.limit = self.limit, max(START, self.limit // 2)

    def _decide(self, typical: float) -> None:
        waiting = self.limit * (1 - self._base / typical) if typical else 0.0
        if typical > self._base * _SLOW:
            self._halve()
        elif waiting > _MANY_WAIT + _MANY_SHARE * self.limit:
            # What is on the way without waiting, and a few; at one go, for what is too much is felt by others.
            self._steep = False
            self.limit = max(1, self.limit // 2, round(self.limit - waiting + _MANY_WAIT))
        elif self._steep and waiting < _FEW_WAIT:
            self.limit = min(self.ceiling, self.limit * 2)
        else:
            self._steep = False
            if waiting < _FEW_WAIT + _FEW_SHARE * self.limit:
                self.limit = min(self.ceiling, self.limit + 1)

    def _halve(self) -> None:
        self.limit, self._steep, self._usual = max(1, self.limit // 2), False, 0
        self._recent.clear()
