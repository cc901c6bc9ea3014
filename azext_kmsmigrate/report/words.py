"""Events as words, the same in every form of progress. Pure."""

from __future__ import annotations

from azext_kmsmigrate.migration.events import (
    Counting,
    Moment,
    Note,
    Operating,
    StepBegun,
    StepEnded,
    Waiting,
    Warned,
)
from azext_kmsmigrate.report.one_line import harmless


def clock_time(seconds: float) -> str:
    """``m:ss``, or ``h:mm:ss`` from an hour on."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minutes}:{second:02d}"


def duration(seconds: float) -> str:
    """As one says it: ``40 s``, ``12 min``, ``2 h 5 min``."""
    if seconds < 60:
        return f"{int(seconds)} s"
    hours, minutes = divmod(int(seconds // 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def told(event: StepBegun | StepEnded | Note | Warned) -> str:
    """A change as a line."""
    match event:
        case StepBegun():
            text = f"Step {event.number} of {event.of}, {event.id}: {event.title}. Reason: {event.reason}."
        case StepEnded():
            text = f"{event.id}: {event.outcome.value} after {duration(event.seconds)}"
            text += f". {event.problem}" if event.problem else "."
        case Warned():
            text = f"Warning: {event.text}"
        case Note():
            text = event.text
    return harmless(text)


def still(moment: Moment, seconds: float) -> str:
    """A moment as a sign of life. ``seconds``: how long what it tells of has lasted."""
    match moment:
        case Waiting():
            parts = [moment.what, duration(seconds), moment.detail]
        case Counting():
            parts = [moment.phase.value, duration(seconds), f"{moment.done:,} of {moment.of:,} Secrets", *pace(moment)]
        case Operating():
            parts = [f"{moment.what}: Azure says {moment.state}", duration(seconds), *pools(moment)]
    return harmless(", ".join(part for part in parts if part))


def pace(counts: Counting) -> list[str]:
    """Speed, time left and failures, as far as there are any."""
    left = counts.seconds_left
    return [
        *([f"{counts.rate:,.0f}/s"] if counts.rate >= 1 else []),
        *([f"{duration(left)} left"] if left is not None else []),
        *([f"{counts.failed:,} failed"] if counts.failed else []),
    ]


def pools(operation: Operating) -> list[str]:
    """Which pool of how many, and the nodes of those that have arrived."""
    if not operation.pools:
        return []
    at = min(operation.pools_done + 1, len(operation.pools))
    return [
        f"pool {at} of {len(operation.pools)}",
        f"{operation.nodes_done} of {operation.nodes} nodes",
    ]


def turning_point(moment: Moment) -> tuple[object, ...]:
    """What has to change for a moment to be news by itself, before its time."""
    match moment:
        case Operating():
            return (Operating, moment.what, moment.state, moment.pools_done)
        case Counting():
            return (Counting, moment.phase)
        case Waiting():
            return (Waiting, moment.what)
