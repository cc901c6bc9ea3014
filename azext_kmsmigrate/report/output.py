"""Where progress is written. A reader who goes away (a closed pipe, a terminal that hung up) stops no migration."""

from __future__ import annotations

import os
from typing import TextIO

NARROW, USUAL, WIDE = 20, 80, 1000


class Output:
    """A text stream, written to in whole pieces. Silent from the first piece that could not be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._broken = False

    def write(self, text: str) -> None:
        if self._broken:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError, RuntimeError):  # the last: a signal came in the midst of a write
            self._broken = True

    @property
    def columns(self) -> int:
        """How wide the terminal is now; 80 when that cannot be learnt."""
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            return USUAL
        return min(max(columns, NARROW), WIDE) if columns else USUAL
