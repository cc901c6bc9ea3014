"""What the API server's answers about access mean."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from azext_kmsmigrate import errors
from azext_kmsmigrate.checks.access import ASKED, DOOR, LACKING, STORAGE, Door, Right, Storage
from azext_kmsmigrate.checks.topic import Topic, Unseen
from azext_kmsmigrate.errors import AzureError, KmsMigrateError
from azext_kmsmigrate.kube.access_inspector import AccessInspector
from azext_kmsmigrate.kube.api import Answered, Api
from azext_kmsmigrate.migration.secret import Failure, FailureClass
from azext_kmsmigrate.ports import Question
from tests.unit.situations import cluster

QUESTION = Question(cluster())


class ApiServer:
    """Answers every request with the next of these; the last one stays."""

    def __init__(self, *answers: bytes | Failure | Exception, denied: frozenset[Right] = frozenset()) -> None:
        self._answers, self._denied = list(answers), denied
        self.asked: list[tuple[str, str]] = []

    def open_channel(self) -> ApiServer:
        return self

    def send(self, method: str, path: str, *, body: Any = None, accept: str = "") -> bytes | Failure:
        self.asked.append((method, path))
        if not self._answers:
            asked = body["spec"]["resourceAttributes"]
            right = Right(asked["verb"], asked["resource"], asked["group"], asked.get("namespace", ""))
            return json.dumps({"status": {"allowed": right not in self._denied}}).encode()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def look(topic: Topic[Any], server: ApiServer) -> Any:
    return AccessInspector(cast(Api, server)).look(topic, QUESTION)


AWAY = Failure(FailureClass.TRANSIENT, "ConnectionError")


@pytest.mark.parametrize(
    ("answers", "door"),
    [
        ([b"{}"], Door()),
        ([AWAY, AWAY, b"{}"], Door()),  # an API server that is being replaced
        ([AWAY], Door(silent="transient (ConnectionError)")),
        ([Failure(FailureClass.TIMED_OUT, "ConnectTimeout")], Door(silent="timedOut (ConnectTimeout)")),
        ([Failure(FailureClass.UNAUTHORIZED, "HTTP 401")], Door(refused="unauthorized (HTTP 401)")),
        ([Failure(FailureClass.FORBIDDEN, "HTTP 403")], Door(refused="forbidden (HTTP 403)")),
        (
            [AzureError(errors.SIGN_IN_FAILED, what="the cluster's API server", code="CLIError")],
            Door(refused="The sign-in of az gave no token for the cluster's API server (CLIError)", asked=False),
        ),
    ],
)
def test_how_the_api_server_answers(answers: list[Any], door: Door) -> None:
    assert look(DOOR, ApiServer(*answers)) == door


def test_a_failure_of_azure_is_nothing_the_api_server_said() -> None:
    with pytest.raises(KmsMigrateError, match="KMSM205"):
        look(DOOR, ApiServer(AzureError(errors.AZURE_UNREACHABLE, what="it", code="x")))


def test_every_right_is_asked_for_by_itself() -> None:
    denied = frozenset({ASKED[0], ASKED[-1]})
    server = ApiServer(denied=denied)
    assert look(LACKING, server) == denied
    assert len(server.asked) == len(ASKED)
    assert all(method == "POST" for method, _ in server.asked)


@pytest.mark.parametrize("topic", [LACKING, STORAGE], ids=lambda t: t.name)
def test_no_answer_is_unseen(topic: Topic[Any]) -> None:
    assert look(topic, ApiServer(AWAY)) == Unseen("the API server did not say (transient (ConnectionError))")
    assert isinstance(look(topic, ApiServer(Answered(404))), Unseen)


def test_metrics_that_may_not_be_read_name_the_right() -> None:
    assert look(STORAGE, ApiServer(Failure(FailureClass.FORBIDDEN, "HTTP 403"))).permission == "get /metrics"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (b'# HELP\napiserver_storage_size_bytes{cluster="etcd-0"} 2.5e+07\n', 25_000_000),
        (b'apiserver_storage_db_total_size_in_bytes{endpoint="http://127.0.0.1:2379"} 1024\n', 1024),
        (b'etcd_db_total_size_in_bytes{endpoint="a"} 1\netcd_db_total_size_in_bytes{endpoint="b"} 2\n', 2),
        (b"up 1\n", 0),
    ],
)
def test_the_size_of_etcd_by_all_its_names(text: bytes, size: int) -> None:
    assert look(STORAGE, ApiServer(text)) == Storage(size)
