"""The live line, and the screen it is drawn on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

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
from azext_kmsmigrate.report.live_line import ASCII, UNICODE, Live, live_line
from azext_kmsmigrate.report.one_line import width
from azext_kmsmigrate.report.terminal import TerminalProgress
from tests.lab.client import ROOT
from tests.screen import Screen
from tests.unit.stages import BEGUN, Stage

texts = st.text(alphabet="ab c#漢\n\x1b[2J;m", max_size=40)
moments = st.one_of(
    st.builds(Waiting, texts, texts),
    st.builds(
        Counting,
        st.sampled_from(Phase),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.integers(0, 10**4),
        st.floats(0, 10**4),
    ),
    st.builds(
        Operating,
        texts,
        texts,
        st.lists(st.builds(PoolProgress, texts, st.integers(0, 500), texts, st.booleans()), max_size=5).map(tuple),
    ),
)
steps = st.builds(StepBegun, texts, texts, texts, st.integers(1, 9), st.integers(1, 9))
changes = st.one_of(
    steps,
    st.builds(StepEnded, texts, st.sampled_from(Outcome), st.floats(0, 10**5), texts),
    st.builds(Note, texts),
    st.builds(Warned, texts),
)
HALF = Counting(Phase.REWRITING, 2500, 5000, 2400, 3, 250.0)


def test_at_80_columns_all_of_it_is_there() -> None:
    line = live_line(Live(65.0, BEGUN, HALF), 80, ASCII)
    assert line == "/ [2/5]  Rewriting  #####......  2,500/5,000  250/s  3 failed   0:10 left  1:05"


@given(st.integers(0, 5000))
def test_the_bar_does_not_jump_while_the_figures_grow(done: int) -> None:
    def bar(done: int) -> list[int]:
        line = live_line(Live(65.0, BEGUN, Counting(Phase.REWRITING, done, 9999, rate=9.0)), 80, UNICODE)
        return [column for column, character in enumerate(line) if character in "█░"]

    assert bar(done) == bar(1)
    assert len(bar(1)) >= 15


def test_at_120_columns_there_is_a_bar_that_is_half_full() -> None:
    line = live_line(Live(65.0, BEGUN, HALF), 120, UNICODE)
    assert line.count("█") == line.count("░") > 5


def test_what_matters_most_stays_when_it_gets_narrow() -> None:
    line = live_line(Live(65.0, BEGUN, HALF), 30, ASCII)
    assert "[2/5]" in line
    assert "1:05" in line
    assert "2,500/5,000" in line


def test_an_upgrade_shows_its_pools_and_nodes() -> None:
    pools = (PoolProgress("system", 2, "Succeeded", done=True), PoolProgress("user", 4, "Upgrading", done=False))
    line = live_line(Live(720.0, BEGUN, Operating("the upgrade", "Upgrading", pools)), 80, ASCII)
    assert all(word in line for word in ("Azure says Upgrading", "pool 2/2", "nodes 2/6", "12:00"))


@given(st.builds(Live, st.floats(0, 10**6), st.none() | steps, st.none() | moments), st.integers(20, 200))
def test_the_line_is_always_narrower_than_the_terminal(live: Live, columns: int) -> None:
    line = live_line(live, columns, UNICODE)
    assert width(line) < columns
    assert line.isprintable()


@given(
    st.lists(st.tuples(changes | moments, st.integers(20, 130)), min_size=1, max_size=12),
    st.booleans(),
    st.sampled_from(["cuts", "folds"]),
)
@settings(deadline=None)
def test_the_screen_is_right_after_every_event_and_resize(
    told: list[tuple[Event, int]], colours: bool, terminal: str
) -> None:
    """What lasts stays as it was written; below it is one live line at most, with the cursor at its beginning."""
    stage = Stage()
    screen = Screen(80, 100, folds=terminal == "folds")
    fed = 0
    progress = TerminalProgress(stage.output, stage.clock, colours=colours)

    def look() -> list[str]:
        nonlocal fed
        text = stage.stream.getvalue()
        screen.feed(text[fed:].replace("\n", "\r\n").encode())
        fed = len(text)
        return screen.rows

    with progress.watching():
        for event, columns in told:
            stage.columns = columns
            screen.resize(columns, 100)
            before = screen.rows[: screen.cursor[1]]
            stage.clock.sleep(1.0)
            progress.tell(event)
            rows = look()
            x, y = screen.cursor
            assert x == 0
            assert rows[: len(before)] == before
            assert rows[y]
            assert not any(rows[y + 1 :])
            assert width(rows[y]) < columns
            if isinstance(event, (Waiting, Counting, Operating)):
                assert y == len(before)
            else:
                assert y > len(before)
    assert look()[:y] == rows[:y]
    assert not any(look()[y:])


@pytest.mark.skipif(not hasattr(signal, "SIGWINCH"), reason="this system has no SIGWINCH")
def test_a_resize_draws_anew_at_once_and_its_handler_goes_with_the_command() -> None:
    stage = Stage(120)
    progress = TerminalProgress(stage.output, stage.clock, colours=False)
    before = signal.getsignal(signal.SIGWINCH)
    with progress.watching():
        progress.tell(BEGUN)
        progress.tell(HALF)
        drawn = len(stage.stream.getvalue())
        stage.columns = 40
        os.kill(os.getpid(), signal.SIGWINCH)
        fresh = stage.stream.getvalue()[drawn:]
        assert "2,500/5,000" in fresh
        assert width(fresh.strip("\r").removeprefix("\x1b[J")) < 40
    assert signal.getsignal(signal.SIGWINCH) is before


def test_nothing_live_is_left_whatever_ends_the_command() -> None:
    stage = Stage()
    progress = TerminalProgress(stage.output, stage.clock, colours=False)

    def interrupted() -> None:
        with progress.watching():
            progress.tell(HALF)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert stage.stream.getvalue().endswith("\r\x1b[J")
    assert "\x1b[?25" not in stage.stream.getvalue()  # the cursor is never hidden


def test_without_colours_there_are_none() -> None:
    stage = Stage()
    progress = TerminalProgress(stage.output, stage.clock, colours=False)
    with progress.watching():
        for event in (BEGUN, HALF, Warned("a"), StepEnded("x", Outcome.DONE, 1.0)):
            progress.tell(event)
    assert "\x1b" not in stage.stream.getvalue().replace("\x1b[J", "")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_that_ends_the_process_ends_it_and_leaves_no_live_line(name: str) -> None:
    script = (
        "import os, signal, sys\n"
        f"signal.signal(signal.{name}, signal.SIG_DFL)\n"  # who started the tests may have it ignored (nohup)
        "from azext_kmsmigrate.clock import SystemClock\n"
        "from azext_kmsmigrate.migration.events import Waiting\n"
        "from azext_kmsmigrate.report.output import Output\n"
        "from azext_kmsmigrate.report.terminal import TerminalProgress\n"
        "progress = TerminalProgress(Output(sys.stderr), SystemClock(), colours=False)\n"
        "with progress.watching():\n"
        "    progress.tell(Waiting('waiting'))\n"
        f"    os.kill(os.getpid(), signal.{name})\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE, check=False)
    assert done.returncode == -getattr(signal, name)
    assert b"waiting" in done.stderr
    assert done.stderr.endswith(b"\r\x1b[J")
