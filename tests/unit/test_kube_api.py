"""What is sent to an API server, and what is made of a sign-in that it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from azext_kmsmigrate.errors import ClusterError
from azext_kmsmigrate.kube.api import METADATA, METADATA_LIST, Api, Channel
from azext_kmsmigrate.migration.events import Event, Note, Warned
from azext_kmsmigrate.migration.secret import Failure, FailureClass
from azext_kmsmigrate.patience import Patience
from tests.sim.clock import FakeClock

OK: tuple[int, Any, bytes] = 200, {}, b"{}"


class ApiServer:
    """Answers 401 to every token but those it takes, from the request on that it is told."""

    made = 1

    def __init__(self, *takes: str) -> None:
        self.takes = set(takes)
        self.signed: list[str] = []
        self.closed = 0
        self.said = OK

    def exchange(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> tuple[int, Any, bytes]:
        self.signed.append(headers["Authorization"])
        if headers["Authorization"] in self.takes:
            return self.said
        return 401, {}, json.dumps({"kind": "Status", "message": "Unauthorized"}).encode()

    def close(self) -> None:
        self.closed += 1


class Token:
    """Has one more token for each time that it is renewed, as long as there are any."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)

    def header(self) -> dict[str, str]:
        return {"Authorization": self._tokens[0]}

    def renewed(self, refused: Mapping[str, str]) -> bool:
        assert refused == self.header()
        if len(self._tokens) == 1:
            return False
        del self._tokens[0]
        return True


def test_a_refused_sign_in_is_renewed_once_and_the_request_goes_on() -> None:
    server = ApiServer("new")
    channel = Channel(server, Token("old", "new"))
    assert channel.send("GET", "/a") == b"{}"
    assert channel.send("GET", "/a") == b"{}"
    assert (server.signed, server.closed) == (["old", "new", "new"], 0)


@pytest.mark.parametrize("accept", ["application/json", METADATA, METADATA_LIST])
def test_a_page_of_somebody_elses_is_no_answer_and_its_connection_not_used_again(accept: str) -> None:
    server = ApiServer("only")
    server.said = 200, {}, b"<html>sign in to the network</html>"
    answer = Channel(server, Token("only")).send("GET", "/a", accept=accept)
    assert isinstance(answer, Failure)
    assert answer.kind.retriable
    assert "html" not in answer.detail
    assert server.closed == 1
    assert Channel(server, Token("only")).send("GET", "/metrics", accept="text/plain") == server.said[2]


def test_a_new_sign_in_that_is_refused_too_is_a_failure_after_two_requests() -> None:
    server = ApiServer()
    answer = Channel(server, Token("old", "new", "newer")).send("GET", "/a")
    assert answer == Failure(FailureClass.UNAUTHORIZED, "HTTP 401")
    assert server.signed == ["old", "new"]


def test_a_call_waits_some_seconds_for_an_api_server_that_knows_no_signing_keys_yet() -> None:
    server, clock = ApiServer(), FakeClock()
    sleep = clock.sleep

    class Patient(FakeClock):
        def sleep(self, seconds: float) -> None:
            sleep(seconds)
            super().sleep(seconds)
            if self.monotonic() > 5.0:
                server.takes.add("only")

    api = Api(lambda: Channel(server, Token("only")), lambda: Channel(server, Token("only")), Patient())
    assert api.call("read it", "GET", "/a") == {}


def test_a_call_whose_sign_in_stays_refused_says_so_soon() -> None:
    server, clock = ApiServer(), FakeClock()
    api = Api(lambda: Channel(server, Token("only")), lambda: Channel(server, Token("only")), clock)
    with pytest.raises(ClusterError, match="KMSM310"):
        api.call("read it", "GET", "/a")
    assert clock.monotonic() < 20.0


class Away:
    """Answers nobody until the clock says so."""

    made = 1

    def __init__(self, clock: FakeClock, until: float) -> None:
        self._clock, self._until = clock, until

    def exchange(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> tuple[int, Any, bytes]:
        if self._clock.monotonic() < self._until:
            raise ConnectionRefusedError
        return OK

    def close(self) -> None:
        """Nothing to end."""


def _away(until: float) -> tuple[Api, Patience, FakeClock, list[Event]]:
    clock, told = FakeClock(), list[Event]()
    patience = Patience(clock, told.append)
    server = Away(clock, until)

    def opened() -> Channel:
        return Channel(server, Token("only"))

    return Api(opened, opened, clock, of_run=patience), patience, clock, told


def test_a_run_that_has_begun_waits_five_minutes_for_an_api_server_and_says_so() -> None:
    api, patience, clock, told = _away(300.0)
    with patience.of_a_run():
        assert api.call("renew the Lease", "GET", "/a") == {}
    assert 300.0 <= clock.monotonic() < 310.0
    texts = [event.text for event in told if isinstance(event, (Warned, Note))]
    assert len(texts) == 2
    assert texts[0].startswith("The cluster's API server has not answered since 09:00:00Z (renew the Lease: ")
    assert texts[1].startswith("The cluster's API server answers again, after ")


def test_before_a_run_two_minutes_are_enough_to_know() -> None:
    api, _, clock, told = _away(300.0)
    with pytest.raises(ClusterError, match="KMSM301"):
        api.call("read it", "GET", "/a")
    assert 120.0 <= clock.monotonic() < 130.0
    assert told == []


def test_what_is_asked_once_waits_for_nobody() -> None:
    api, patience, clock, _ = _away(1.0)
    with patience.of_a_run():
        assert api.attempt("renew the Lease", "PUT", "/a", body={}) is None
        assert clock.monotonic() == 0.0
        clock.sleep(1.0)
        assert api.attempt("renew the Lease", "PUT", "/a", body={}) == {}
