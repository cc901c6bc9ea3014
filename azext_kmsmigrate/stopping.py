"""Turns Ctrl-C, SIGTERM, SIGHUP and the end of the time that the user gave into one way to stop: ``KeyboardInterrupt``.

The first of them is polite: what is in flight ends, the journal is written, the Lease is given back. From then on calls
to the API server are not waited for. A second signal ends the process at once; but a terminal that closes may send
several for one reason, so that SIGHUP never ends what stops already.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from azext_kmsmigrate.ports import Clock

_SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
_HANG_UP = getattr(signal, "SIGHUP", None)  # not on Windows
if _HANG_UP is not None:
    _SIGNALS[_HANG_UP] = "the terminal or connection closed, SIGHUP"


class Stop:
    """``minutes``: how long the command may take, None for as long as it needs.

    ``then`` is called when it is asked to stop, before it does; ``at_once`` before it ends without a word.
    """

    def __init__(self, clock: Clock, minutes: float | None = None, leave: Callable[[int], object] = os._exit) -> None:
        self._clock, self._minutes, self._leave = clock, minutes, leave
        self._until = None if minutes is None else clock.monotonic() + minutes * 60
        self.then: list[Callable[[], None]] = []
        self.at_once: list[Callable[[], None]] = []
        self.cause = ""
        self._lost = False  # raised where nothing can be raised

    def due(self) -> None:
        """Raises ``KeyboardInterrupt`` when the time is over; called wherever something is waited for."""
        if self._lost:
            self._lost = False
            raise KeyboardInterrupt(self.cause)
        if self._until is not None and not self.cause and self._clock.monotonic() >= self._until:
            self._ask(f"--timeout {self._minutes:g}")

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen to signals for the length of a ``with``. Only the main thread of a process can.

        Who started the process may have had signals ignored for it (``nohup``, a shell's background job): so be it.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        wanted = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._signalled) for number in wanted}
        told = sys.unraisablehook
        sys.unraisablehook = lambda lost: self._unraisable(lost, told)
        try:
            yield
        finally:
            sys.unraisablehook = told
            for number, handler in before.items():
                # Who is on the way out already ends without a traceback.
                on_the_way_out = signal.SIG_IGN if number == _HANG_UP else signal.SIG_DFL
                signal.signal(number, on_the_way_out if self.cause else handler)

    def _signalled(self, number: int, _: Any) -> None:
        if self.cause and number == _HANG_UP:
            return
        if self.cause:
            for close in self.at_once:
                close()
            self._leave(128 + number)
        self._ask(_SIGNALS[signal.Signals(number)])

    def _unraisable(self, lost: Any, tell: Callable[[Any], object]) -> None:
        """A signal that comes while Python ends an object stops nothing there; it does at the next wait."""
        if isinstance(lost.exc_value, KeyboardInterrupt):
            self._lost = True
        else:
            tell(lost)

    def _ask(self, cause: str) -> None:
        self.cause = cause
        for call in self.then:
            call()
        raise KeyboardInterrupt(cause)
