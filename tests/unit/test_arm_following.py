"""How an accepted operation is followed, over the SDK's own pipeline: what ended, and what is only not known."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from azure.mgmt.containerservice import ContainerServiceClient
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import BaseAdapter

from azext_kmsmigrate import errors
from azext_kmsmigrate.arm.cluster import ArmCluster
from azext_kmsmigrate.arm.throttle import asked_to_wait
from azext_kmsmigrate.errors import AzureError, KmsMigrateError
from azext_kmsmigrate.patience import Patience
from azext_kmsmigrate.ports import OperationResult
from tests.sim.clock import FakeClock
from tests.unit.situations import NAME, cluster

_POLL = "https://management.azure.com/subscriptions/sub/operations/1?api-version=2024-01-01"
_CLUSTER = {"id": NAME.resource_id, "location": "westeurope", "eTag": "1", "properties": {"kubernetesVersion": "1.26"}}
_FAILURE = {"code": "QuotaExceeded", "message": "no cores left"}
NOW = datetime(2026, 1, 31, 9, 0, tzinfo=timezone.utc)


class _Azure(BaseAdapter):
    """Accepts a PUT once ``puts`` (status, headers) are used up, and answers its polls with ``polls``, one by one.

    A poll is a document, a status, or an exception; the last one is said again and again.
    """

    def __init__(self, polls: list[Any], puts: list[tuple[int, dict[str, str]]] | None = None) -> None:
        self.polls, self.puts, self.asked = polls, puts or [], list[str]()
        self.shown: Any = _CLUSTER

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.asked.append(str(request.method))
        if request.method == "PUT":
            if self.puts:
                status, headers = self.puts.pop(0)
                return _answer(request, status, {"code": "Throttled", "message": "wait"}, headers)
            return _answer(request, 200, _CLUSTER, {"Azure-AsyncOperation": _POLL, "Retry-After": "0.01"})
        if request.url != _POLL:
            return _answer(request, 200, self.shown)
        said = self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]
        if isinstance(said, Exception):
            raise said
        status = said if isinstance(said, int) else 200
        document = {"error": {"code": f"Code{status}", "message": "no"}} if isinstance(said, int) else said
        return _answer(request, status, document, {"Retry-After": "0.01"})

    def close(self) -> None:
        """Nothing is open."""


def _answer(
    request: requests.PreparedRequest, status: int, document: Any, headers: dict[str, str] | None = None
) -> requests.Response:
    response = requests.Response()
    response.status_code, response.request, response.url = status, request, str(request.url)
    response.headers.update({"Content-Type": "application/json", **(headers or {})})
    response.raw = io.BytesIO(document if isinstance(document, bytes) else json.dumps(document).encode())
    return response


def _arm(azure: _Azure, patience: Patience | None = None) -> ArmCluster:
    session = requests.Session()
    session.mount("https://", azure)
    client = ContainerServiceClient(
        SimpleNamespace(get_token=lambda *_, **__: AccessToken("token", 2**31)),
        "sub",
        transport=RequestsTransport(session=session, session_owner=False),
        retry_backoff_factor=0.0,
    )
    return ArmCluster(client, NAME, FakeClock(), patience)


def _reconciled(azure: _Azure, ticks: list[Any] | None = None) -> OperationResult:
    told = [] if ticks is None else ticks
    return _arm(azure).reconcile(cluster(), told.append)


@pytest.mark.parametrize(
    ("polls", "result"),
    [
        ([{"status": "InProgress"}, {"status": "Succeeded"}], OperationResult("Succeeded")),
        ([{"status": "Failed", "error": _FAILURE}], OperationResult("Failed", "QuotaExceeded", "no cores left")),
        ([{"status": "Canceled", "error": _FAILURE}], OperationResult("Canceled", "QuotaExceeded", "no cores left")),
        ([500, {"status": "Succeeded"}], OperationResult("Succeeded")),
        ([429, {"status": "Failed", "error": _FAILURE}], OperationResult("Failed", "QuotaExceeded", "no cores left")),
    ],
)
def test_an_operation_ends_as_its_document_says(polls: list[Any], result: OperationResult) -> None:
    assert _reconciled(_Azure(polls)) == result


@pytest.mark.parametrize(
    ("poll", "entry"),
    [
        (400, errors.AZURE_UNREACHABLE),
        (401, errors.SIGN_IN_FAILED),
        (403, errors.AZURE_FORBIDDEN),
        (404, errors.AZURE_UNREACHABLE),
        (409, errors.AZURE_UNREACHABLE),
        (429, errors.AZURE_THROTTLED),
        (500, errors.AZURE_UNAVAILABLE),
        (503, errors.AZURE_UNAVAILABLE),
        (b"<html>sign in to the network</html>", errors.AZURE_UNREACHABLE),
        (b'{"status": "Succ', errors.AZURE_UNREACHABLE),
        ({"neither": "nor"}, errors.AZURE_UNREACHABLE),
        (requests.ConnectionError("gone"), errors.AZURE_UNREACHABLE),
    ],
    ids=lambda value: value.name if isinstance(value, errors.Entry) else str(value)[:12],
)
def test_a_question_that_fails_is_no_failed_operation(poll: Any, entry: errors.Entry) -> None:
    azure = _Azure([{"status": "InProgress"}, poll])
    with pytest.raises(AzureError) as caught:
        _reconciled(azure)
    assert caught.value.entry is entry
    assert azure.asked.count("PUT") == 1


@pytest.mark.parametrize("failures", range(4))
def test_in_a_run_an_operation_is_asked_for_again_when_azure_is_back(failures: int) -> None:
    azure = _Azure([{"status": "InProgress"}, *[requests.ConnectionError("gone")] * failures, {"status": "Succeeded"}])
    patience = Patience(FakeClock())
    with patience.of_a_run():
        assert _arm(azure, patience).reconcile(cluster(), lambda moment: None).succeeded
    assert azure.asked.count("PUT") == 1


@pytest.mark.parametrize("poll", [500, 404, b"<html>", requests.ConnectionError("gone")])
def test_an_operation_of_which_azure_never_tells_is_left_to_who_looks_at_the_cluster(poll: Any) -> None:
    azure = _Azure([{"status": "InProgress"}, poll])
    patience = Patience(FakeClock())
    with patience.of_a_run(), pytest.raises(AzureError):
        _arm(azure, patience).reconcile(cluster(), lambda moment: None)
    assert azure.asked.count("PUT") == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_put_is_sent_again_when_azure_said_it_may_be_with_signs_of_life_meanwhile(status: int) -> None:
    azure = _Azure([{"status": "Succeeded"}], [(status, {"Retry-After": "90"})])
    ticks: list[Any] = []
    assert _reconciled(azure, ticks).succeeded
    assert azure.asked.count("PUT") == 2
    waited = [tick for tick in ticks if "Azure asks to wait" in str(tick)]
    assert len(waited) == 90


def test_a_put_is_given_up_after_four_tries_or_when_azure_asks_for_too_long_a_wait() -> None:
    azure = _Azure([], [(429, {"Retry-After": "1"})] * 9)
    with pytest.raises(AzureError, match="KMSM210"):
        _reconciled(azure)
    assert azure.asked.count("PUT") == 4
    azure = _Azure([], [(429, {"Retry-After": "86400"})] * 9)
    with pytest.raises(AzureError, match="KMSM210"):
        _reconciled(azure)
    assert azure.asked.count("PUT") == 1


@pytest.mark.parametrize("status", [400, 403, 409, 412])
def test_a_put_that_azure_refuses_is_not_sent_again(status: int) -> None:
    azure = _Azure([], [(status, {})] * 9)
    with pytest.raises(KmsMigrateError):
        _reconciled(azure)
    assert azure.asked.count("PUT") == 1


def _asked(headers: dict[str, str]) -> float:
    return asked_to_wait(SimpleNamespace(response=SimpleNamespace(headers=headers)), NOW)


@given(st.integers(min_value=-3600, max_value=3600))
def test_seconds_and_dates_ask_for_the_same_wait(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert _asked({"Retry-After": str(seconds)}) == _asked({"Retry-After": date}) == max(0, seconds)


@given(st.text())
def test_a_header_that_makes_no_sense_asks_for_a_number_all_the_same(text: str) -> None:
    assert _asked({"Retry-After": text}) >= 0.0


@pytest.mark.parametrize("text", [b"<html>sign in to the network</html>", b'{"id": "/subscr', b""])
def test_a_cluster_that_is_read_as_no_document_is_not_known(text: bytes) -> None:
    azure = _Azure([])
    azure.shown = text
    with pytest.raises(AzureError, match="KMSM205"):
        _arm(azure).observe()
