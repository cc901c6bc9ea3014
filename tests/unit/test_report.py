"""The lines that people read."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate.migration.plan import Goal, decide
from azext_kmsmigrate.report.plan_text import plan_lines
from azext_kmsmigrate.report.progress import PlainProgress, Silent
from tests.sim.clock import FakeClock
from tests.unit.situations import OFF, cluster, situation


def told(*texts: str, pause: float = 0.0) -> list[str]:
    stream, clock = io.StringIO(), FakeClock()
    progress = PlainProgress(stream, clock)
    for text in texts:
        clock.sleep(pause)
        progress.say(text)
    return stream.getvalue().splitlines()


def test_a_change_is_one_line_with_the_time_since_the_start() -> None:
    assert told("a", "b", pause=65.0) == ["[  1:05] a", "[  2:10] b"]


@pytest.mark.parametrize("text", ["##vso[task.complete]", "###vso[x]", "####vso[x]", "a ##[error] b", "\n##vso[x]"])
def test_a_servers_words_cannot_speak_to_a_pipeline(text: str) -> None:
    assert "##" not in "\n".join(told(text))


@given(st.text(alphabet="#v[ \n", max_size=30))
def test_no_text_gets_two_hashes_through(text: str) -> None:
    assert "##" not in "\n".join(told(text))


def test_a_sign_of_life_comes_after_a_silence_and_not_before() -> None:
    stream, clock = io.StringIO(), FakeClock()
    progress = PlainProgress(stream, clock)
    for _ in range(40):
        clock.sleep(1.0)
        progress.heartbeat("waiting")
    assert stream.getvalue().splitlines() == ["[  0:15]   waiting", "[  0:30]   waiting"]


def test_a_change_that_was_told_counts_as_a_sign_of_life() -> None:
    stream, clock = io.StringIO(), FakeClock()
    progress = PlainProgress(stream, clock)
    clock.sleep(14.0)
    progress.say("a")
    clock.sleep(14.0)
    progress.heartbeat("waiting")
    assert stream.getvalue().splitlines() == ["[  0:14] a"]


def test_silence_is_kept_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    Silent().say("a")
    Silent().heartbeat("b")
    assert capsys.readouterr() == ("", "")


def test_a_plan_is_shown_with_its_reasons_and_what_cannot_be_undone() -> None:
    seen = situation(cluster())
    text = "\n".join(plan_lines(seen.cluster, decide(seen, Goal())))
    assert "1. disable-kms: Turn off KMS" in text
    assert "3. upgrade: Upgrade Kubernetes [1.27.1, control plane and node pools]" in text
    assert "because KMS v1 is on" in text
    assert "Cannot be undone: upgrade." in text
    assert "With the upgrade goes the way back to KMS v1." in text
    assert "1.27.1: control plane and node pools together" in text
    assert "Keep the key" in text
    assert "Secrets are stored without KMS until" in text


def test_a_plan_without_an_upgrade_threatens_with_none() -> None:
    seen = situation(cluster("1.27.1", kms=OFF))
    assert "cannot be undone" not in "\n".join(plan_lines(seen.cluster, decide(seen, Goal()))).lower()
