"""A length of time that is not known exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """At least ``low``, probably not more than ``high``; seconds."""

    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.high + other.high)

    def times(self, low: float, high: float) -> Span:
        return Span(self.low * low, self.high * high)

    @property
    def low_seconds(self) -> int:
        """Whole tens: more would be false precision."""
        return 10 * math.floor(self.low / 10)

    @property
    def high_seconds(self) -> int:
        return 10 * math.ceil(self.high / 10)

    def __str__(self) -> str:
        if self.high < 60:
            return "under 1 min"
        if self.high < 5400:
            return f"{math.floor(self.low / 60)}-{math.ceil(self.high / 60)} min"
        low = f"{math.floor(self.low / 360) / 10:g}" if self.low >= 3600 else f"{math.floor(self.low / 60)} min"
        return f"{low}-{math.ceil(self.high / 360) / 10:g} h"
