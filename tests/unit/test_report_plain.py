"""The log of a run: a line for each change, a sign of life while something lasts, and no more."""

from __future__ import annotations

import io

import pytest

from azext_kmsmigrate.migration.events import (
    Counting,
    Note,
    Operating,
    Outcome,
    Phase,
    PoolProgress,
    StepEnded,
    Waiting,
)
from azext_kmsmigrate.report.output import Output
from azext_kmsmigrate.report.plain import PlainProgress, Silent
from tests.unit.stages import BEGUN, Stage


def test_a_change_is_one_line_with_the_time_since_the_start() -> None:
    stage = Stage()
    progress = PlainProgress(stage.output, stage.clock)
    for event in (BEGUN, Note("a\nb"), StepEnded("decrypt-secrets", Outcome.FAILED, 130.0, "KMSM305: no")):
        stage.clock.sleep(65.0)
        progress.tell(event)
    assert stage.lines == [
        "[  1:05] Step 2 of 5, decrypt-secrets: Rewrite all Secrets without KMS, and prove it. Reason: KMS is off.",
        "[  2:10] a b",
        "[  3:15] decrypt-secrets: failed after 2 min. KMSM305: no",
    ]


def test_a_sign_of_life_comes_early_at_first_and_then_each_half_minute() -> None:
    stage = Stage()
    progress = PlainProgress(stage.output, stage.clock)
    for _ in range(100):
        progress.tell(Waiting("waiting", "two looks"))
        stage.clock.sleep(1.0)
    assert stage.lines == [
        "[  0:10]   waiting, 10 s, two looks",
        "[  0:20]   waiting, 20 s, two looks",
        "[  0:50]   waiting, 50 s, two looks",
        "[  1:20]   waiting, 1 min, two looks",
    ]


def test_a_change_that_was_told_counts_as_a_sign_of_life() -> None:
    stage = Stage()
    progress = PlainProgress(stage.output, stage.clock)
    stage.clock.sleep(9.0)
    progress.tell(Note("a"))
    progress.tell(Waiting("waiting"))
    stage.clock.sleep(9.0)
    progress.tell(Waiting("waiting"))
    assert stage.lines == ["[  0:09] a"]


def test_a_pool_that_arrives_is_news_and_what_was_known_is_not() -> None:
    stage = Stage()
    progress = PlainProgress(stage.output, stage.clock)

    def upgrading(done: int, state: str = "InProgress") -> Operating:
        names = ("system", "user1", "user2")
        return Operating(
            "the upgrade to 1.27.1",
            state,
            tuple(PoolProgress(name, 3, "Upgrading", index < done) for index, name in enumerate(names)),
        )

    for done, seconds in ((0, 5), (1, 5), (1, 5), (2, 700)):
        for _ in range(seconds):
            progress.tell(upgrading(done))
            stage.clock.sleep(1.0)
    assert stage.lines[:2] == [
        "[  0:05]   the upgrade to 1.27.1: Azure says InProgress, 5 s, pool 2 of 3, 3 of 9 nodes",
        "[  0:15]   the upgrade to 1.27.1: Azure says InProgress, 15 s, pool 3 of 3, 6 of 9 nodes",
    ]
    assert stage.lines[-1].endswith("11 min, pool 3 of 3, 6 of 9 nodes")


def test_a_pass_tells_its_counts_its_pace_and_its_failures() -> None:
    stage = Stage()
    progress = PlainProgress(stage.output, stage.clock)
    for second in range(11):
        progress.tell(Counting(Phase.REWRITING, 100 * second, 12_000, 90 * second, failed=2, rate=100.0))
        stage.clock.sleep(1.0)
    assert stage.lines == ["[  0:10]   Rewriting, 10 s, 1,000 of 12,000 Secrets, 100/s, 1 min left, 2 failed"]


def test_silence_is_kept_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with Silent().watching():
        Silent().tell(Note("a"))
        Silent().tell(Waiting("b"))
    assert capsys.readouterr() == ("", "")


def test_a_reader_who_goes_away_stops_nothing() -> None:
    class Gone(io.StringIO):
        written = 0

        def write(self, text: str) -> int:
            self.written += 1
            raise BrokenPipeError

    gone = Gone()
    progress = PlainProgress(Output(gone), Stage().clock)
    for _ in range(3):
        progress.tell(Note("a"))
    assert gone.written == 1
