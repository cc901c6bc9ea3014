"""Composes the live line of a terminal: what matters most stays when the terminal is narrow. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from azext_kmsmigrate.migration.events import Counting, Moment, Operating, StepBegun, Waiting
from azext_kmsmigrate.report.one_line import cut, harmless, width
from azext_kmsmigrate.report.words import clock_time

_SPINNER = "|/-\\"
_GAP = "  "
_SHORTEST_BAR, _LONGEST_BAR = 6, 30
_SHORTEST_TEXT = 8
_BEFORE_THE_BAR, _WIDE = 7, 100  # the rank of what makes room for the bar, and from how many columns both fit


@dataclass(frozen=True)
class Live:
    """What is going on now. ``seconds``: how long the step has lasted."""

    seconds: float
    step: StepBegun | None = None
    moment: Moment | None = None


@dataclass(frozen=True)
class Blocks:
    """What a bar is made of."""

    full: str
    empty: str


ASCII, UNICODE = Blocks("#", "."), Blocks("█", "░")


@dataclass(frozen=True)
class _Piece:
    """A part of the line. The one with the highest ``rank`` goes first when there is no room."""

    text: str
    rank: int


def live_line(live: Live, columns: int, blocks: Blocks) -> str:
    """One line that is narrower than the terminal, so that nothing wraps."""
    room = columns - 1
    head, words, tail = _head(live), _words(live.moment), _tail(live)
    share = _share(live.moment)
    pieces = [*head, *tail]
    if share is not None and columns < _WIDE:
        pieces = [piece for piece in pieces if piece.rank != _BEFORE_THE_BAR]
    while len(pieces) > 1 and _width_of(pieces) > room:
        pieces.remove(max(pieces, key=lambda piece: piece.rank))
    left = room - _width_of(pieces) - len(_GAP)
    middle = []
    if words and left >= min(_SHORTEST_TEXT, width(words)):
        middle.append(cut(words, left))
        left -= width(middle[0]) + len(_GAP)
    if share is not None and left >= _SHORTEST_BAR:
        middle.append(_bar(share, min(left, _LONGEST_BAR), blocks))
    line = [p.text for p in pieces if p in head] + middle + [p.text for p in pieces if p in tail]
    return cut(_GAP.join(line), room)


def _head(live: Live) -> list[_Piece]:
    # The terminal echoes ^C over the first two columns; nothing that is read stands there.
    spinner = _SPINNER[int(live.seconds) % len(_SPINNER)]
    if live.step is None:
        return [_Piece(spinner, 0)]
    return [
        _Piece(f"{spinner} [{live.step.number}/{live.step.of}]", 0),
        _Piece(harmless(live.step.id), _BEFORE_THE_BAR),
    ]


def _words(moment: Moment | None) -> str:
    match moment:
        case Waiting():
            return harmless(f"{moment.what}: {moment.detail}" if moment.detail else moment.what)
        case Counting():
            return moment.phase.value
        case Operating():
            return harmless(f"Azure says {moment.state}")
    return ""


def _tail(live: Live) -> list[_Piece]:
    elapsed = _Piece(clock_time(live.seconds), 1)
    match live.moment:
        case Counting() as counts:
            left, of = counts.seconds_left, f"{counts.of:,}"
            return [
                _Piece(f"{f'{counts.done:,}':>{len(of)}}/{of}", 2),
                *([_Piece(f"{f'{counts.rate:,.0f}':>3}/s", 6)] if counts.rate >= 1 else []),
                *([_Piece(f"{counts.failed:,} failed", 3)] if counts.failed else []),
                *([_Piece(f"{clock_time(left):>5} left", 5)] if left is not None else []),
                elapsed,
            ]
        case Operating() as operation if operation.pools:
            at = min(operation.pools_done + 1, len(operation.pools))
            return [
                _Piece(f"pool {at}/{len(operation.pools)}", 2),
                _Piece(f"nodes {operation.nodes_done}/{operation.nodes}", 3),
                elapsed,
            ]
    return [elapsed]


def _share(moment: Moment | None) -> float | None:
    """How much of it is done, where that is known."""
    match moment:
        case Counting() if moment.of:
            return moment.done / moment.of
        case Operating() if moment.nodes:
            return moment.nodes_done / moment.nodes
    return None


def _bar(share: float, columns: int, blocks: Blocks) -> str:
    full = int(min(1.0, share) * columns)
    return blocks.full * full + blocks.empty * (columns - full)


def _width_of(pieces: list[_Piece]) -> int:
    return sum(width(piece.text) for piece in pieces) + len(_GAP) * (len(pieces) - 1)
