"""Writes what a user would have typed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence


def say(command: Sequence[str]) -> None:
    """A command, as typed."""
    _write("\n$ " + shlex.join(command))


def note(text: str) -> None:
    """A line about what is seen."""
    _write(text)


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    # The commands in between write to the same terminal themselves.
    sys.stdout.flush()
