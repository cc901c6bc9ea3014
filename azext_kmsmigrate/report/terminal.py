"""Progress at a terminal: changes are lines that stay, and below them one live line is drawn over and over.

The cursor rests at the beginning of the live line and is never hidden. So there is nothing to restore, even after
``kill -9``; and whatever a terminal does to the line when it is made narrower (folds it, or cuts it off), erasing
from the cursor to the end of the screen takes it away.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from azext_kmsmigrate.migration.events import (
    Counting,
    Event,
    Moment,
    Note,
    Operating,
    Outcome,
    StepBegun,
    StepEnded,
    Waiting,
    Warned,
)
from azext_kmsmigrate.ports import Clock
from azext_kmsmigrate.report.live_line import ASCII, Blocks, Live, live_line
from azext_kmsmigrate.report.one_line import folded
from azext_kmsmigrate.report.output import Output
from azext_kmsmigrate.report.words import clock_time, told

_ERASE = "\r\x1b[J"  # from the beginning of the live line to the end of the screen
_PLAIN, _BOLD, _RED, _GREEN, _YELLOW, _CYAN = "", "1", "31", "32", "33", "36"
_OFTEN_ENOUGH = 0.1  # seconds between two drawings
_INDENT = 9  # as wide as the time before each line


class TerminalProgress:
    """The port ``Observer``."""

    def __init__(self, output: Output, clock: Clock, *, colours: bool, blocks: Blocks = ASCII) -> None:
        self._output, self._clock, self._colours, self._blocks = output, clock, colours, blocks
        self._began = self._since = clock.monotonic()
        self._drawn = 0.0
        self._step: StepBegun | None = None
        self._moment: Moment | None = None
        self._watched = self._drawing = self._again = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        self._watched = True
        try:
            with _on_resize(self._draw), _on_end(self.erase):
                yield
        finally:
            self._watched = False
            self.erase()

    def erase(self) -> None:
        """Take the live line away; the next event draws it again."""
        self._output.write(_ERASE)

    def tell(self, event: Event) -> None:
        if isinstance(event, (Waiting, Counting, Operating)):
            news = type(event) is not type(self._moment)
            self._moment = event
            if news or self._clock.monotonic() - self._drawn >= _OFTEN_ENOUGH:
                self._draw()
            return
        self._moment = None
        if isinstance(event, StepBegun):
            self._step, self._since = event, self._clock.monotonic()
        elif isinstance(event, StepEnded):
            self._step = None
        self._draw(above=self._lasting(event))

    def _lasting(self, event: StepBegun | StepEnded | Note | Warned) -> str:
        """A change, with the time since the beginning, folded where the terminal ends."""
        columns = self._output.columns - 1
        indent = _INDENT if columns > 4 * _INDENT else 0
        time = clock_time(self._clock.monotonic() - self._began)
        lines = folded(f"[{time:>6}] {told(event)}", columns, indent)
        return "".join(f"{self._coloured(line, _style(event))}\n" for line in lines)

    def _draw(self, above: str = "") -> None:
        """One write, so that no half of a picture is ever seen."""
        if self._drawing:  # a resize while drawing: the signal's handler runs in the midst of it
            self._again = True
            return
        self._drawing = True
        try:
            self._output.write(f"{_ERASE}{above}{self._live()}")
            while self._again:
                self._again = False
                self._output.write(f"{_ERASE}{self._live()}")
        finally:
            self._drawing = False
        self._drawn = self._clock.monotonic()

    def _live(self) -> str:
        if not self._watched:
            return ""
        now = self._clock.monotonic()
        seconds = now - (self._since if self._step else self._began)
        line = live_line(Live(seconds, self._step, self._moment), self._output.columns, self._blocks)
        return f"{self._coloured(line, _CYAN)}\r"

    def _coloured(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if style and self._colours else text


def _style(event: StepBegun | StepEnded | Note | Warned) -> str:
    match event:
        case StepBegun():
            return _BOLD
        case StepEnded():
            return {Outcome.DONE: _GREEN, Outcome.FAILED: _RED}.get(event.outcome, _YELLOW)
        case Warned():
            return _YELLOW
    return _PLAIN


@contextmanager
def _on_resize(redraw: Callable[[], None]) -> Iterator[None]:
    """Draw anew at once when the terminal changes its size, where there is a signal for it."""
    with _handling("SIGWINCH", lambda *_: redraw()):
        yield


@contextmanager
def _on_end(erase: Callable[[], None]) -> Iterator[None]:
    """Leave no live line behind when a signal ends the process; it ends by that signal all the same."""

    def end(number: int, _: object) -> None:
        erase()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    with _handling("SIGTERM", end, only_over=signal.SIG_DFL), _handling("SIGHUP", end, only_over=signal.SIG_DFL):
        yield


@contextmanager
def _handling(name: str, handler: Callable[[int, object], None], only_over: object = None) -> Iterator[None]:
    """A signal's handler for the length of a ``with``, where there is such a signal, and it is ours to handle."""
    number = getattr(signal, name, None)
    if number is None or (only_over is not None and signal.getsignal(number) is not only_over):
        yield
        return
    try:
        before = signal.signal(number, handler)
    except ValueError:  # not the main thread, which alone may set one
        yield
        return
    try:
        yield
    finally:
        signal.signal(number, before)
