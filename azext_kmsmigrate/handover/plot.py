"""Where things lie in a drawing: shares of its width, and speeds from counts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from azext_kmsmigrate.handover.document import Report, SampleDocument
from azext_kmsmigrate.handover.instant import instant

_THINNEST = 0.6  # per cent of the width: what lasts less is drawn as long as this, to be seen


@dataclass(frozen=True)
class Bar:
    """From ``left`` on, ``width`` wide; per cent."""

    left: float
    width: float


@dataclass(frozen=True)
class Scale:
    """The time that a drawing is about."""

    start: datetime
    end: datetime

    def strip(self, start: str, end: str | None) -> Bar | None:
        """Where the time from ``start`` to ``end`` lies, to the right edge without an end; None for no time."""
        began, ended = instant(start), instant(end) if end else self.end
        if began is None or ended is None or ended < began:
            return None
        left, right = self._share(began), self._share(ended)
        return Bar(min(left, 100 - _THINNEST), max(right - left, _THINNEST))

    def _share(self, moment: datetime) -> float:
        inside = min(max(moment, self.start), self.end)
        return 100 * (inside - self.start).total_seconds() / (self.end - self.start).total_seconds()


def scale_of(report: Report) -> Scale | None:
    """From the first thing that is told to the end of the migration, or to now; None when nothing lasts."""
    if report.migration is None:
        return None
    times = [report.migration.started_at, report.exposure.start, report.exposure.end, report.migration.completed_at]
    times += [one.start for one in report.timeline]
    if report.migration.completed_at is None:
        times.append(report.now.observed_at)
    known = [at for at in (instant(text or "") for text in times) if at is not None]
    return Scale(min(known), max(known)) if known and min(known) < max(known) else None


def rates(samples: Sequence[SampleDocument], seconds: float) -> list[tuple[float, float, float]]:
    """Spans of a pass with their speed: beginning, end (seconds), Secrets a second. Short spans are drawn together."""
    shortest = max(0.05, seconds / 60)
    spans: list[tuple[float, float, float]] = []
    last = samples[0]
    for one in samples[1:]:
        final = one is samples[-1]
        if one.seconds - last.seconds < shortest and not (final and not spans):
            continue
        length = one.seconds - last.seconds
        if length > 0:
            spans.append((last.seconds, one.seconds, max(0.0, (one.secrets - last.secrets) / length)))
        last = one
    return spans
