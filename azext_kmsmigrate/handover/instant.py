"""Times as the journal has them: UTC, ISO 8601, to the second; a journal that was edited by hand may hold anything."""

from __future__ import annotations

from datetime import datetime, timezone

_FORM = "%Y-%m-%dT%H:%M:%SZ"


def instant(text: str) -> datetime | None:
    """None for what is no such time."""
    try:
        return datetime.strptime(text, _FORM).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def seconds_between(start: str | None, end: str | None) -> float | None:
    """None where one is no time, or the end is before the start."""
    began, ended = instant(start or ""), instant(end or "")
    if began is None or ended is None or ended < began:
        return None
    return (ended - began).total_seconds()


def moment(text: str | None) -> str:
    """A time as people read it; what is none stays as it is."""
    at = instant(text or "")
    return at.strftime("%Y-%m-%d %H:%M:%S UTC") if at else text or "an unknown time"


def written(moment: datetime) -> str:
    return moment.strftime(_FORM)
