"""What is sent to rewrite a Secret, and to try it: the same, but for one word."""

from __future__ import annotations

import json
from typing import Any

import pytest

from azext_kmsmigrate.kube.access import Certificate
from azext_kmsmigrate.kube.api import METADATA, Channel
from azext_kmsmigrate.kube.secrets import KubeConnection
from azext_kmsmigrate.migration.secret import Failure, FailureClass, Gone, Patched

PATH = "/api/v1/namespaces/shop/secrets/db"
PATCHED = {"metadata": {"namespace": "shop", "name": "db", "uid": "u-1", "resourceVersion": "41"}}


class Server:
    """The transport of a channel: answers everything alike, and keeps what it was sent."""

    made = 1

    def __init__(self, status: int, answer: object) -> None:
        self._status, self._answer = status, json.dumps(answer).encode()
        self.sent: list[tuple[str, str, str, str, bytes | None]] = []

    def exchange(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> tuple[int, Any, bytes]:
        self.sent.append((method, target, headers["Accept"], headers["Content-Type"], body))
        return self._status, {}, self._answer

    def close(self) -> None:
        """Nothing is held."""


def connection(server: Server) -> KubeConnection:
    return KubeConnection(Channel(server, Certificate()))


@pytest.mark.parametrize(("dry_run", "query"), [(False, ""), (True, "?dryRun=All")])
def test_an_empty_merge_patch_is_sent_and_metadata_asked_for(dry_run: bool, query: str) -> None:
    server = Server(200, PATCHED)
    answer = connection(server).patch("shop", "db", dry_run=dry_run)
    assert isinstance(answer, Patched)
    assert (answer.uid, answer.resource_version) == ("u-1", 41)
    assert server.sent == [("PATCH", PATH + query, METADATA, "application/merge-patch+json", b"{}")]


def test_a_change_of_the_canary_is_never_a_dry_run() -> None:
    server = Server(200, PATCHED)
    connection(server).touch("shop", "db", "now")
    assert [target for _, target, *_ in server.sent] == [PATH]


@pytest.mark.parametrize("dry_run", [False, True])
def test_refusals_are_classed_alike(dry_run: bool) -> None:
    said = 'admission webhook "old.example.com" does not support dry run'
    answer = connection(Server(400, {"kind": "Status", "message": said})).patch("shop", "db", dry_run=dry_run)
    assert isinstance(answer, Failure)
    assert answer.kind is FailureClass.DRY_RUN_UNSUPPORTED
    assert isinstance(connection(Server(404, {})).patch("shop", "db", dry_run=dry_run), Gone)
