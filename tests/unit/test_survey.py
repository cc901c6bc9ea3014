"""Looks side by side: every topic once, each with its limit, and a result that no thread's luck decides."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate import errors
from azext_kmsmigrate.checks.topic import Topic, Unseen
from azext_kmsmigrate.errors import AzureError, ClusterError, Refused
from azext_kmsmigrate.ports import Question
from azext_kmsmigrate.survey import Survey
from tests.unit.situations import NAME, cluster

QUESTION = Question(cluster())
SHORT = 0.2  # seconds that a look may take where a test waits for it to be given up


class Looker:
    """The port ``Inspector``: a topic to what a look at it does."""

    def __init__(self, looks: dict[Topic[Any], Callable[[], Any]]) -> None:
        self._looks = looks
        self.asked: list[str] = []

    @property
    def topics(self) -> tuple[Topic[Any], ...]:
        return tuple(self._looks)

    def look(self, topic: Topic[Any], question: Question) -> Any:
        assert question is QUESTION
        self.asked.append(topic.name)
        return self._looks[topic]()


def quiet(text: str) -> None:
    """Nobody to tell."""


def topic(name: str, service: str = "arm", seconds: float = 20.0) -> Topic[Any]:
    return Topic(name, service, seconds)


def raising(error: BaseException) -> Callable[[], Any]:
    def look() -> Any:
        raise error

    return look


def test_a_topic_that_several_checks_read_is_looked_at_once() -> None:
    vault = topic("vault")
    looker = Looker({vault: lambda: 7})
    assert Survey([looker]).look([vault, vault, vault], QUESTION, quiet) == {vault: 7}
    assert looker.asked == ["vault"]


def test_only_what_is_wanted_is_looked_at() -> None:
    wanted, other = topic("wanted"), topic("other")
    looker = Looker({wanted: lambda: 1, other: lambda: 2})
    assert Survey([looker]).look([wanted], QUESTION, quiet) == {wanted: 1}
    assert looker.asked == ["wanted"]


def test_a_topic_that_nobody_looks_at_is_unseen() -> None:
    assert Survey([]).look([topic("vault")], QUESTION, quiet) == {topic("vault"): Unseen("nothing here looks at it")}


def test_services_are_asked_side_by_side_and_one_service_one_after_the_other() -> None:
    meeting = threading.Barrier(2, timeout=10.0)
    inside: list[str] = []

    def alone() -> str:
        assert not inside
        inside.append("in")
        time.sleep(0.02)
        inside.remove("in")
        return "alone"

    looks: dict[Topic[Any], Callable[[], Any]] = {
        topic("a", "one"): meeting.wait,
        topic("b", "two"): meeting.wait,  # would break if it had to wait for the other
        topic("c", "three"): alone,
        topic("d", "three"): alone,
    }
    seen = Survey([Looker(looks)]).look(looks, QUESTION, quiet)
    assert sorted(seen[t] for t in list(looks)[:2]) == [0, 1]
    assert [seen[t] for t in list(looks)[2:]] == ["alone", "alone"]


def test_a_look_past_its_limit_is_given_up_and_the_service_goes_on() -> None:
    never = threading.Event()
    hanging, after = topic("hanging", seconds=SHORT), topic("after")
    survey = Survey([Looker({hanging: never.wait, after: lambda: "seen"})])
    began = time.monotonic()
    seen = survey.look([hanging, after], QUESTION, quiet)
    assert time.monotonic() - began < 5.0
    assert seen == {hanging: Unseen("did not answer within 0.2 s"), after: "seen"}
    never.set()


def test_a_service_that_let_two_looks_pass_is_not_asked_further() -> None:
    never = threading.Event()
    topics = [topic(name, seconds=SHORT) for name in "abc"]
    other = topic("other", "elsewhere")
    looker = Looker({**dict.fromkeys(topics, never.wait), other: lambda: 1})
    seen = Survey([looker]).look([*topics, other], QUESTION, quiet)
    assert seen[topics[2]] == Unseen("was not asked: arm had not answered 2 times")
    assert seen[other] == 1
    assert "c" not in looker.asked
    never.set()


def test_an_answer_that_comes_too_late_is_dropped() -> None:
    release, late, then = threading.Event(), topic("late", seconds=SHORT), topic("then")

    def look_then() -> str:
        release.set()
        time.sleep(0.1)
        return "then"

    def look_late() -> str:
        release.wait()
        return "late"

    seen = Survey([Looker({late: look_late, then: look_then})]).look([late, then], QUESTION, quiet)
    assert seen == {late: Unseen("did not answer within 0.2 s"), then: "then"}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            AzureError(errors.AZURE_FORBIDDEN, what="Microsoft.KeyVault/vaults/read", code="AuthorizationFailed"),
            Unseen(
                "You are not allowed to do this in Azure: Microsoft.KeyVault/vaults/read (AuthorizationFailed)",
                "Microsoft.KeyVault/vaults/read",
            ),
        ),
        (
            ClusterError(errors.API_FORBIDDEN, what="list nodes", code="HTTP 403"),
            Unseen("The API server does not let you list nodes (HTTP 403)", "list nodes"),
        ),
        (
            Refused(errors.CLUSTER_DELETING, name=NAME.name),
            Unseen("Cluster 'blue' is being deleted"),
        ),
        (ZeroDivisionError("secret text"), Unseen("the look itself failed (ZeroDivisionError)")),
    ],
)
def test_a_look_that_fails_is_unseen_in_its_own_words(error: Exception, expected: Unseen) -> None:
    vault = topic("vault")
    assert Survey([Looker({vault: raising(error)})]).look([vault], QUESTION, quiet) == {vault: expected}


def test_what_ends_a_process_is_not_swallowed() -> None:
    vault = topic("vault")
    with pytest.raises(SystemExit):
        Survey([Looker({vault: raising(SystemExit(3))})]).look([vault], QUESTION, quiet)


def test_ctrl_c_ends_the_waiting_at_once() -> None:
    never, hanging = threading.Event(), topic("hanging")

    def interrupt(text: str) -> None:
        assert text == "looking at hanging"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Survey([Looker({hanging: never.wait})]).look([hanging], QUESTION, interrupt)
    never.set()


TOPICS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from("abc"), st.floats(0.0, 0.003)), max_size=8, unique_by=lambda t: t[0]
)


@given(TOPICS, st.randoms())
def test_the_result_does_not_depend_on_who_is_first(drawn: list[tuple[int, str, float]], chance: Any) -> None:
    def look(number: int, seconds: float) -> Callable[[], Any]:
        def answer() -> int:
            time.sleep(seconds)
            return number

        return answer

    looks = {topic(str(number), service): look(number, seconds) for number, service, seconds in drawn}
    wanted = list(looks)
    chance.shuffle(wanted)
    seen = Survey([Looker(looks)]).look(wanted, QUESTION, quiet)
    assert list(seen) == wanted
    assert all(seen[t] == int(t.name) for t in wanted)
