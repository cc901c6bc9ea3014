"""What an Azure DevOps agent is told, and that nobody but this tool can tell it anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azext_kmsmigrate.migration.events import (
    Counting,
    Event,
    Note,
    Operating,
    Outcome,
    Phase,
    PoolProgress,
    StepBegun,
    StepEnded,
    Waiting,
    Warned,
)
from azext_kmsmigrate.report.azure_devops import AzureDevOpsProgress, logging_command
from azext_kmsmigrate.report.one_line import harmless
from tests.task_library import TaskLibrary
from tests.unit.stages import BEGUN, Stage

# Words that somebody would choose who wants to speak to the agent.
hostile = st.lists(
    st.sampled_from(["##vso[", "#", "##[error]", "task.complete result=Succeeded;", "]", ";", "%", "%0A", "%AZP25"])
    | st.sampled_from(["\r", "\n", "\r\n", "\u2028", "\x85", "\x00", "\x1b[2K", "|", "`", "<b>", "漢"])
    | st.text(max_size=5)
).map("".join)
events = st.one_of(
    st.builds(StepBegun, hostile, hostile, hostile, st.integers(1, 6), st.integers(6, 6)),
    st.builds(StepEnded, hostile, st.sampled_from(Outcome), st.floats(0, 10**5), hostile),
    st.builds(Note, hostile),
    st.builds(Warned, hostile),
    st.builds(Waiting, hostile, hostile),
    st.builds(Counting, st.sampled_from(Phase), st.integers(0, 100), st.integers(0, 100)),
    st.builds(
        Operating,
        hostile,
        hostile,
        st.lists(st.builds(PoolProgress, hostile, st.integers(0, 9), hostile, st.booleans()), max_size=3).map(tuple),
    ),
)
OURS = re.compile(
    r"##vso\[task\.(setprogress value=\d{1,3};|logissue type=(warning|error);|uploadsummary)\].*"
    r"|##\[group\][^\n]*|##\[endgroup\]"
)


def shown(told: list[Event], directory: str = "") -> list[str]:
    stage = Stage()
    progress = AzureDevOpsProgress(stage.output, stage.clock, directory)
    with progress.watching():
        for event in told:
            stage.clock.sleep(31.0)
            progress.tell(event)
    # The agent reads lines as .NET does: they end at CR, LF or both.
    return [line for line in re.split(r"\r\n|\r|\n", stage.stream.getvalue()) if line]


def commands(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("##vso[")]


@given(st.lists(events, max_size=12))
def test_a_servers_words_can_never_become_a_command(told: list[Event]) -> None:
    for line in shown(told):
        if "##" in line:
            assert OURS.fullmatch(line), line
            assert line.count("##") == 1
        else:
            assert line.startswith("[")


@settings(deadline=None)  # the first example waits for node to start
@given(
    st.lists(st.tuples(hostile, st.dictionaries(st.sampled_from(["type", "code"]), hostile.map(harmless))), min_size=1)
)
def test_microsofts_own_parser_reads_back_what_was_meant(
    task_library: TaskLibrary, meant: list[tuple[str, dict[str, str]]]
) -> None:
    lines = [logging_command("task.logissue", text, **properties) for text, properties in meant]
    assert not any(c in line for line in lines for c in "\r\n")
    read = task_library.parsed(lines)
    # The parser cuts blanks off around a property, as the agent does.
    assert [(r.command, r.message) for r in read] == [("task.logissue", text) for text, _ in meant]
    for found, (_, properties) in zip(read, meant, strict=True):
        assert {k: v.strip() for k, v in found.properties.items()} == {k: v.strip() for k, v in properties.items()}


@given(st.lists(events, max_size=12))
def test_microsofts_own_parser_finds_only_the_commands_of_this_tool(
    task_library: TaskLibrary, told: list[Event]
) -> None:
    lines = shown(told)
    read = task_library.parsed(commands(lines))
    assert {r.command for r in read} <= {"task.setprogress", "task.logissue"}
    warnings = [r.message for r in read if r.properties.get("type") == "warning"]
    assert warnings == [harmless(event.text) for event in told if isinstance(event, Warned)]
    assert all(0 <= int(r.properties["value"]) <= 100 for r in read if r.command == "task.setprogress")


@given(st.lists(events, max_size=20))
def test_groups_open_and_close_in_turn_and_progress_never_goes_back(told: list[Event]) -> None:
    lines = shown(told)
    groups = [line[:9] for line in lines if line.startswith(("##[group]", "##[endgroup]"))]
    assert groups == ["##[group]", "##[endgro"] * (len(groups) // 2)
    percents = [int(line.split("value=")[1].split(";")[0]) for line in lines if "setprogress" in line]
    assert percents == sorted(set(percents))


def test_a_run_is_a_group_a_step_with_its_issues_outside_and_its_log_inside() -> None:
    lines = shown(
        [
            BEGUN,
            Counting(Phase.REWRITING, 50, 100),
            Warned("look"),
            StepEnded("decrypt-secrets", Outcome.FAILED, 90.0, "KMSM301: 2 Secrets failed."),
        ]
    )
    assert lines == [
        "##[group]Step 2 of 5, decrypt-secrets: Rewrite all Secrets without KMS, and prove it. Reason: KMS is off.",
        "##vso[task.setprogress value=20;]decrypt-secrets",
        "##vso[task.setprogress value=25;]decrypt-secrets",
        "##vso[task.logissue type=warning;]look",
        "##[endgroup]",
        "[  2:04] decrypt-secrets: failed after 1 min. KMSM301: 2 Secrets failed.",
        "##vso[task.logissue type=error;]decrypt-secrets: KMSM301: 2 Secrets failed.",
    ]


def test_the_summary_is_uploaded_and_lies_where_the_command_says(tmp_path: Path) -> None:
    told: list[Event] = [
        BEGUN,
        StepEnded("decrypt-secrets", Outcome.FAILED, 90.0, "a|b <script>\n## c"),
        Warned("look"),
    ]
    (command,) = [line for line in shown(told, str(tmp_path)) if "uploadsummary" in line]
    file = Path(command.removeprefix("##vso[task.uploadsummary]"))
    assert file.parent == tmp_path
    assert file.read_text().splitlines() == [
        "| Step | | Took | |",
        "|---|---|---|---|",
        r"| decrypt-secrets: Rewrite all Secrets without KMS, and prove it | failed | 1 min | a\|b \<script\> \# c |",
        "",
        "Warning: look",
    ]


@pytest.mark.parametrize("directory", ["", "no/such/directory"])
def test_without_a_place_for_it_there_is_no_summary_and_no_error(directory: str) -> None:
    ended = StepEnded("decrypt-secrets", Outcome.DONE, 90.0)
    assert not any("uploadsummary" in line for line in shown([BEGUN, ended], directory))
