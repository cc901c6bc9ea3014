"""Progress in an Azure DevOps job: a log with folded steps, and the agent's logging commands.

The agent obeys ``##vso[area.action properties]data`` wherever it stands in a line, on stderr as on stdout
(azure-pipelines-agent ``CommandStringConvertor``, ``NodeHandler.cs``). So commands are only made here, all else is
made harmless, and values are escaped as the agent and the task library undo it (azure-pipelines-task-lib
``taskcommand.ts``). https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from azext_kmsmigrate.migration.events import (
    Counting,
    Event,
    Operating,
    Outcome,
    Phase,
    StepBegun,
    StepEnded,
    Warned,
)
from azext_kmsmigrate.ports import Clock
from azext_kmsmigrate.report.one_line import harmless
from azext_kmsmigrate.report.output import Output
from azext_kmsmigrate.report.plain import PlainProgress
from azext_kmsmigrate.report.words import duration, told

# The percent sign first, so that what stands for the others is not escaped again.
_IN_DATA = (("%", "%AZP25"), ("\r", "%0D"), ("\n", "%0A"))
_IN_PROPERTY = (*_IN_DATA, ("]", "%5D"), (";", "%3B"))


def logging_command(name: str, data: str = "", **properties: str) -> str:
    """A line that the agent obeys."""
    values = "".join(f"{key}={_escaped(value, _IN_PROPERTY)};" for key, value in properties.items())
    return f"##vso[{name}{' ' if values else ''}{values}]{_escaped(data, _IN_DATA)}"


def _escaped(text: str, table: tuple[tuple[str, str], ...]) -> str:
    for character, escape in table:
        text = text.replace(character, escape)
    return text


@dataclass(frozen=True)
class _Ended:
    step: StepBegun
    outcome: Outcome
    seconds: float
    problem: str


class AzureDevOpsProgress:
    """The port ``Observer``. ``directory``: where the agent looks for a job's files; empty for no summary."""

    def __init__(self, output: Output, clock: Clock, directory: str) -> None:
        self._output, self._directory = output, directory
        self._log = PlainProgress(output, clock)
        self._step: StepBegun | None = None
        self._percent = -1
        self._ended: list[_Ended] = []
        self._warnings: list[str] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._unfold()
            self._upload_summary()

    def tell(self, event: Event) -> None:
        match event:
            case StepBegun():
                self._unfold()
                self._step = event
                self._show(f"##[group]{told(event)}")
                self._advance(event, 0.0)
            case StepEnded():
                self._end(event)
            case Warned():
                self._warnings.append(harmless(event.text))
                self._show(logging_command("task.logissue", harmless(event.text), type="warning"))
            case _:
                self._log.tell(event)
        if self._step and isinstance(event, (Counting, Operating)):
            self._advance(self._step, _share(event))

    def _end(self, event: StepEnded) -> None:
        if self._step is None:
            return
        self._ended.append(_Ended(self._step, event.outcome, event.seconds, harmless(event.problem)))
        if event.outcome is Outcome.DONE:
            self._advance(self._step, 1.0)
        self._unfold()
        self._log.tell(event)
        if event.outcome is Outcome.FAILED:
            data = harmless(f"{event.id}: {event.problem or 'failed'}")
            self._show(logging_command("task.logissue", data, type="error"))

    def _advance(self, step: StepBegun, share: float) -> None:
        """The whole run's percentage; it never goes back."""
        percent = int(100 * (step.number - 1 + share) / step.of)
        if percent > self._percent:
            self._percent = percent
            self._show(logging_command("task.setprogress", harmless(step.id), value=str(percent)))

    def _unfold(self) -> None:
        if self._step is not None:
            self._step = None
            self._show("##[endgroup]")

    def _upload_summary(self) -> None:
        if not (self._directory and self._ended):
            return
        try:
            # The agent reads it after this process has ended, and clears its directory after the job.
            file = tempfile.NamedTemporaryFile(  # noqa: SIM115
                "w", encoding="utf-8", dir=self._directory, prefix="aks-kms-migrate-", suffix=".md", delete=False
            )
            with file:
                file.writelines(f"{line}\n" for line in self._summary())
        except OSError:
            return
        self._show(logging_command("task.uploadsummary", os.path.abspath(file.name)))

    def _summary(self) -> Iterator[str]:
        yield "| Step | | Took | |"
        yield "|---|---|---|---|"
        for ended in self._ended:
            cells = (f"{ended.step.id}: {ended.step.title}", ended.outcome.value, duration(ended.seconds))
            yield f"| {' | '.join(_markdown(cell) for cell in (*cells, ended.problem))} |"
        for warning in self._warnings:
            yield ""
            yield f"Warning: {_markdown(warning)}"

    def _show(self, line: str) -> None:
        self._output.write(f"{line}\n")


def _share(moment: Counting | Operating) -> float:
    """How much of its step is done. Rewriting and proving are half of it each."""
    match moment:
        case Counting():
            part = min(1.0, moment.done / moment.of) if moment.of else 0.0
            return part / 2 if moment.phase is Phase.REWRITING else 0.5 + part / 2
        case Operating():
            return moment.nodes_done / moment.nodes if moment.nodes else 0.0


def _markdown(text: str) -> str:
    """A server's words as text in a table: no markup, no HTML, no other column."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+!|~&" else c for c in harmless(text))
