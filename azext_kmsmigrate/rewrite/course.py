"""How a pass goes on over time, in a bounded number of points. Pure; owns no clock."""

from __future__ import annotations

from azext_kmsmigrate.migration import proof

_SHORTEST = 0.25  # seconds between two points at first


class Course:
    """Counts over time, from ``began`` on. When there are too many points, every other one goes."""

    def __init__(self, began: float) -> None:
        self._began, self._apart = began, _SHORTEST
        self._points: list[tuple[float, int]] = [(0.0, 0)]

    def at(self, now: float, done: int) -> None:
        """Take in a count, unless one was taken in just before."""
        if now - self._began - self._points[-1][0] < self._apart:
            return
        if len(self._points) >= proof.MOST_SAMPLES - 1:  # one is left for the end
            self._points, self._apart = self._points[::2], 2 * self._apart
        self._points.append((round(now - self._began, 2), done))

    def ended(self, now: float, done: int) -> proof.Course:
        """All points, with the end as the last."""
        return (*self._points, (round(now - self._began, 2), done))
