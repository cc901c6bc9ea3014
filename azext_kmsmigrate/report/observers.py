"""Makes the observer of a form of progress."""

from __future__ import annotations

from collections.abc import Callable

from azext_kmsmigrate.ports import Clock, Observer
from azext_kmsmigrate.report.azure_devops import AzureDevOpsProgress
from azext_kmsmigrate.report.form import Form, Surroundings
from azext_kmsmigrate.report.live_line import ASCII, UNICODE
from azext_kmsmigrate.report.output import Output
from azext_kmsmigrate.report.plain import PlainProgress, Silent
from azext_kmsmigrate.report.terminal import TerminalProgress


def observer_of(
    form: Form, around: Surroundings, output: Output, clock: Clock, at_once: list[Callable[[], None]]
) -> Observer:
    """The observer of a form that ``form_for`` gave. ``at_once`` gets what a process does before a sudden end."""
    match form:
        case Form.NONE:
            return Silent()
        case Form.TTY:
            blocks = UNICODE if around.encoding.lower().replace("-", "") == "utf8" else ASCII
            progress = TerminalProgress(output, clock, colours=around.colours, blocks=blocks)
            at_once.append(progress.erase)
            return progress
        case Form.AZURE_DEVOPS:
            return AzureDevOpsProgress(output, clock, around.environment.get("AGENT_TEMPDIRECTORY", ""))
    return PlainProgress(output, clock)
