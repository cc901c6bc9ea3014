"""Progress for a log: one line for each change, and a sign of life while something lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from azext_kmsmigrate.migration.events import Counting, Event, Moment, Operating, Waiting
from azext_kmsmigrate.ports import Clock
from azext_kmsmigrate.report.output import Output
from azext_kmsmigrate.report.words import clock_time, still, told, turning_point

HEARTBEAT = 30.0  # seconds between two signs of life
_FIRST = 10.0  # seconds until the first one of something new


class PlainProgress:
    """The port ``Observer``."""

    def __init__(self, output: Output, clock: Clock) -> None:
        self._output, self._clock = output, clock
        self._began = self._last = self._since = clock.monotonic()
        self._turning_point: tuple[object, ...] = ()

    @contextmanager
    def watching(self) -> Iterator[None]:
        yield

    def tell(self, event: Event) -> None:
        if isinstance(event, (Waiting, Counting, Operating)):
            self._beat(event)
        else:
            self._turning_point = ()
            self.write(told(event))

    def write(self, text: str) -> None:
        """One harmless line, with the time since the beginning."""
        self._last = self._clock.monotonic()
        self._output.write(f"[{clock_time(self._last - self._began):>6}] {text}\n")

    def _beat(self, moment: Moment) -> None:
        now, point = self._clock.monotonic(), turning_point(moment)
        news = False
        if point != self._turning_point:
            # Of an operation that goes on, another state or one more pool is news; what only begins has been told.
            news = isinstance(moment, Operating) and self._turning_point[:2] == point[:2]
            if not news:
                self._since = now
            self._turning_point = point
        quiet = _FIRST if now - self._since < HEARTBEAT else HEARTBEAT
        if news or now - max(self._last, self._since) >= quiet:
            self.write(f"  {still(moment, now - self._since)}")


class Silent:
    """The port ``Observer``, for whoever wants to see errors only."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        yield

    def tell(self, event: Event) -> None:
        """Nothing."""
