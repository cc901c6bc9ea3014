"""Lists: pages, snapshots, expiry, selectors."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import pytest

from tests.contract.api_client import PARTIAL_LIST, Answer, Api, secret, secrets
from tests.contract.conftest import V34, Cluster

TOO_OLD = "The provided continue parameter is too old to display a consistent list result. "


@pytest.fixture
def api(cluster: Cluster) -> Api:
    cluster.kms_v1()
    return cluster.api()


@pytest.fixture
def namespace(api: Api) -> str:
    return filled(api)


def filled(api: Api) -> str:
    """A namespace with the Secrets s0 to s6; the even ones carry the label even=yes."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    for index in range(7):
        labels = {"index": str(index), **({"even": "yes"} if index % 2 == 0 else {})}
        api.post(secrets(name), secret(f"s{index}", metadata={"labels": labels}))
    return name


def names(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.text
    return [item["metadata"]["name"] for item in answer.body["items"]]


def page(api: Api, namespace: str, token: str = "", **query: Any) -> Answer:
    return api.get(secrets(namespace), accept=PARTIAL_LIST, limit=3, **{"continue": token} if token else {}, **query)


def token_of(answer: Answer) -> str:
    token: str = answer.body["metadata"]["continue"]
    return token


def test_pages_are_one_snapshot(api: Api, namespace: str) -> None:
    first = page(api, namespace)
    assert names(first) == ["s0", "s1", "s2"]
    assert first.body["metadata"]["remainingItemCount"] == 4
    api.post(secrets(namespace), secret("s55"))
    api.delete(secrets(namespace, "s4"))
    second = page(api, namespace, token_of(first))
    assert names(second) == ["s3", "s4", "s5"]
    assert second.version == first.version
    assert second.body["metadata"]["remainingItemCount"] == 1
    third = page(api, namespace, token_of(second))
    assert names(third) == ["s6"]
    assert third.version == first.version
    assert third.body["metadata"].keys() == {"resourceVersion"}
    now = api.get(secrets(namespace))
    assert names(now) == ["s0", "s1", "s2", "s3", "s5", "s55", "s6"]
    assert now.version > first.version
    assert now.version >= max(int(item["metadata"]["resourceVersion"]) for item in now.body["items"])


def test_items_of_a_whole_list_name_no_kind(api: Api, namespace: str) -> None:
    body = api.get(secrets(namespace)).body
    assert (body["kind"], body["apiVersion"]) == ("SecretList", "v1")
    assert all(item.keys() == {"metadata", "type"} for item in body["items"])


def test_one_item_tells_the_version_and_the_count(api: Api, namespace: str) -> None:
    first = api.get(secrets(namespace), accept=PARTIAL_LIST, limit=1)
    assert first.body["metadata"]["remainingItemCount"] == 6
    before = first.version
    changed = api.patch(secrets(namespace, "s0"), {"data": {"a": ""}})
    assert changed.version > before
    assert api.get(secrets(namespace), accept=PARTIAL_LIST, limit=1).version >= changed.version


def test_an_empty_list(api: Api, namespace: str) -> None:
    answer = api.get(secrets(namespace), accept=PARTIAL_LIST, labelSelector="nobody=here")
    assert answer.status == 200
    assert not answer.body["items"]
    assert answer.version > 0


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"labelSelector": "even=yes"}, ["s0", "s2", "s4", "s6"]),
        ({"labelSelector": "even!=yes"}, ["s1", "s3", "s5"]),
        ({"labelSelector": "!even,index in (1,2,3)"}, ["s1", "s3"]),
        ({"labelSelector": "even,index notin (0,6)"}, ["s2", "s4"]),
        ({"fieldSelector": "metadata.name=s3"}, ["s3"]),
        ({"fieldSelector": "metadata.name!=s3,type=Opaque", "labelSelector": "!even"}, ["s1", "s5"]),
        ({"fieldSelector": "type=kubernetes.io/tls"}, []),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else None,
)
def test_selectors(api: Api, namespace: str, query: dict[str, str], expected: list[str]) -> None:
    assert names(api.get(secrets(namespace), **query)) == expected


def test_selected_pages_do_not_count_what_remains(api: Api, namespace: str) -> None:
    first = page(api, namespace, labelSelector="even=yes")
    assert names(first) == ["s0", "s2", "s4"]
    assert first.body["metadata"].keys() == {"resourceVersion", "continue"}
    assert names(page(api, namespace, token_of(first), labelSelector="even=yes")) == ["s6"]


def test_wrong_questions(api: Api, namespace: str) -> None:
    unknown = api.get(secrets(namespace), fieldSelector="data=x")
    assert unknown.status_of() == (400, "BadRequest", "field label not supported: data")
    assert page(api, namespace, "nonsense").status_of()[:2] == (400, "BadRequest")
    assert api.get(secrets(namespace), limit="x").status_of()[:2] == (400, "BadRequest")
    future = api.get(secrets(namespace), resourceVersion=10**9)
    assert future.status_of()[:2] == (504, "Timeout")
    assert "Too large resource version: 1000000000, current: " in future.body["message"]


def test_a_token_names_snapshot_and_place(api: Api, namespace: str) -> None:
    first = page(api, namespace)
    token = token_of(first)
    fields = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    assert fields == {"v": "meta.k8s.io/v1", "rv": first.version, "start": "s2\x00"}


def test_an_expired_token_is_answered_with_one_that_goes_on(cluster: Cluster, api: Api, namespace: str) -> None:
    first = page(api, namespace)
    api.post(secrets(namespace), secret("s25"))
    api.delete(secrets(namespace, "s4"))
    cluster.host.compact()
    expired = page(api, namespace, token_of(first))
    code, reason, message = expired.status_of()
    assert (code, reason) == (410, "Expired")
    assert message.startswith(TOO_OLD)
    second = page(api, namespace, token_of(expired))
    assert names(second) == ["s25", "s3", "s5"]  # from the same place on, as things are now
    assert second.version > first.version
    assert names(page(api, namespace, token_of(second))) == ["s6"]


def test_1_34_goes_on_from_its_watch_cache_after_compaction(newest: Cluster) -> None:
    newest.kms_v2(V34)
    api = newest.api()
    namespace = filled(api)
    first = page(api, namespace)
    api.delete(secrets(namespace, "s4"))
    newest.host.compact()
    second = page(api, namespace, token_of(first))
    assert names(second) == ["s3", "s4", "s5"]
    assert second.version == first.version
