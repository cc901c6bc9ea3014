"""Observers: one line on stderr for each change, and a sign of life while something is waited for."""

from __future__ import annotations

import re
from typing import TextIO

from azext_kmsmigrate.ports import Clock

_HASHES = re.compile("#{2,}")
_HEARTBEAT = 15.0  # seconds between two signs of life


class PlainProgress:
    """The port ``Observer``, for terminals and logs alike."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream, self._clock = stream, clock
        self._began = clock.monotonic()
        self._last = clock.monotonic()

    def say(self, text: str) -> None:
        self._write(text)

    def heartbeat(self, text: str) -> None:
        if self._clock.monotonic() - self._last >= _HEARTBEAT:
            self._write(f"  {text}")

    def _write(self, text: str) -> None:
        self._last = self._clock.monotonic()
        minutes, seconds = divmod(int(self._last - self._began), 60)
        # A server's words could hold a pipeline's command (##vso[...]); none may begin here.
        self._stream.write(f"[{minutes:3d}:{seconds:02d}] {_HASHES.sub('#', text)}\n")
        self._stream.flush()


class Silent:
    """The port ``Observer``, for ``--only-show-errors``."""

    def say(self, text: str) -> None:
        """Nothing."""

    def heartbeat(self, text: str) -> None:
        """Nothing."""
