"""One walk over all Secrets for the checks."""

from __future__ import annotations

from typing import Any

import pytest

from azext_kmsmigrate.checks.secrets import SECRETS, SecretsSeen
from azext_kmsmigrate.checks.topic import Unseen
from azext_kmsmigrate.kube.secrets import _ref
from azext_kmsmigrate.migration.secret import FailedSecret, Failure, FailureClass, Page, SecretRef, StoredAs
from azext_kmsmigrate.ports import Question
from azext_kmsmigrate.rewrite.secrets_inspector import SecretsInspector
from tests.sim.clock import FakeClock
from tests.sim.cluster import SimCluster
from tests.unit.situations import cluster

QUESTION = Question(cluster())


def look(sim: SimCluster) -> SecretsSeen | Unseen:
    return SecretsInspector(sim.process().world().secrets, sim.clock).look(SECRETS, QUESTION)


def test_secrets_are_counted_by_namespace_and_none_is_written() -> None:
    sim = SimCluster(secrets=1300)
    assert look(sim) == SecretsSeen((("ns-0", 434), ("ns-1", 433), ("ns-2", 433)))
    assert sim.api.writes == 0


def test_every_secret_that_no_key_decrypts_is_named_and_all_others_are_counted() -> None:
    sim = SimCluster(secrets=30)
    lost = [("ns-0", "secret-9"), ("ns-2", "secret-29")]
    for key in lost:
        sim.api.secrets[key].form = StoredAs.KMS_V2  # a key that this cluster never had
    seen = look(sim)
    assert isinstance(seen, SecretsSeen)
    assert [(f.namespace, f.name, f.kind) for f in seen.unreadable] == [
        (*key, FailureClass.UNDECRYPTABLE) for key in lost
    ]
    assert seen.total == 28


class Scripted:
    """The part of the port ``Secrets`` that a walk needs."""

    def __init__(self, answer: Page | Failure) -> None:
        self._answer = answer

    def page(self, *, namespace: str = "", limit: int = 500, token: str = "") -> Page | Failure:
        return self._answer

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a look has no use for {name}")


@pytest.mark.parametrize(
    ("kind", "permission"),
    [
        (FailureClass.FORBIDDEN, "list secrets in all namespaces"),
        (FailureClass.UNAUTHORIZED, ""),
        (FailureClass.TRANSIENT, ""),
        (FailureClass.TIMED_OUT, ""),
        (FailureClass.THROTTLED, ""),
    ],
)
def test_an_api_server_that_does_not_list_leaves_it_unknown(kind: FailureClass, permission: str) -> None:
    seen = SecretsInspector(Scripted(Failure(kind, "x")), FakeClock()).look(SECRETS, QUESTION)
    assert isinstance(seen, Unseen)
    assert seen.permission == permission


@pytest.mark.parametrize("kind", [FailureClass.KEY_UNAVAILABLE, FailureClass.UNDECRYPTABLE, FailureClass.UNEXPECTED])
def test_a_list_that_fails_without_a_name_stands_for_all(kind: FailureClass) -> None:
    seen = SecretsInspector(Scripted(Failure(kind, "x")), FakeClock()).look(SECRETS, QUESTION)
    assert seen == SecretsSeen((), (FailedSecret("*", "*", kind, "x"),))


def test_immutable_secrets_are_counted() -> None:
    items = tuple(SecretRef("shop", f"s{n}", f"u{n}", n, 0, immutable=n % 2 == 0) for n in range(5))
    seen = SecretsInspector(Scripted(Page(items, 9)), FakeClock()).look(SECRETS, QUESTION)
    assert seen == SecretsSeen((("shop", 5),), immutable=3)


@pytest.mark.parametrize(
    ("fields", "immutable"),
    [
        ([{"fieldsV1": {"f:data": {"f:immutable": {}}}}], False),
        ([{"fieldsV1": {"f:immutable": {}}}], True),
        ([{"fieldsV1": {}}, {"fieldsV1": {"f:immutable": {}, "f:type": {}}}], True),
        ([{}], False),
        (None, False),
    ],
)
def test_managed_fields_tell_whether_a_secret_is_immutable(fields: Any, immutable: bool) -> None:
    meta = {"namespace": "n", "name": "s", "uid": "u", "resourceVersion": "1", "managedFields": fields}
    assert _ref({"metadata": meta}).immutable is immutable
