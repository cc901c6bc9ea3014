"""Decides which form of progress is shown. Pure; imported with the options, so it imports next to nothing."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Form(str, enum.Enum):
    """The values of ``--progress``."""

    AUTO = "auto"
    TTY = "tty"
    PLAIN = "plain"
    AZURE_DEVOPS = "azure-devops"
    NONE = "none"


@dataclass(frozen=True)
class Surroundings:
    """Where the command runs. ``terminal``: stderr is one that can be drawn on.

    ``errors_only``, ``no_bars``, ``no_colours``: az's ``--only-show-errors``, ``core.disable_progress_bar`` and
    ``core.no_color``.
    """

    environment: Mapping[str, str]
    terminal: bool
    encoding: str = "utf-8"
    errors_only: bool = False
    no_bars: bool = False
    no_colours: bool = False

    @property
    def dumb(self) -> bool:
        return self.environment.get("TERM", "") in ("dumb", "unknown")

    @property
    def colours(self) -> bool:
        """https://no-color.org: whatever NO_COLOR says, if it says anything."""
        return self.terminal and not (self.no_colours or self.dumb or self.environment.get("NO_COLOR"))


def form_for(wish: Form, around: Surroundings) -> Form:
    """Never ``AUTO``. A wish is granted, but for a user who wants to see errors only."""
    if around.errors_only:
        return Form.NONE
    if wish is not Form.AUTO:
        return wish
    if around.environment.get("TF_BUILD"):
        return Form.AZURE_DEVOPS
    return Form.TTY if around.terminal and not (around.dumb or around.no_bars) else Form.PLAIN
