"""In what form Secrets are stored, what an empty patch does about it, and what the server says of itself.

The rows of real-apiserver-measured.md, sections 3, 4 and 7; the store's raw values are the judge.
"""

from __future__ import annotations

import base64
import contextlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import urllib3

from tests.contract.api_client import PARTIAL, Answer, Api, secret, secrets
from tests.contract.conftest import V26, V27, V34, Cluster, Opener
from tests.lab.model import IDENTITY, StoredForm, kms_v2

OPERATIONS = "apiserver_storage_transformation_operations_total"
KEY_USES = "apiserver_envelope_encryption_key_id_hash_total"
V1_PREFIX = "k8s:enc:kms:v1:azurekmsprovider:"
V2_PREFIX = "k8s:enc:kms:v2:azurekmsproviderv2:"
NO_PREFIX = "no matching prefix found"
DATA = {"key": base64.b64encode(b"value").decode()}


@pytest.fixture
def name() -> str:
    return f"t-{uuid.uuid4().hex[:12]}"


def create(api: Api, name: str, namespace: str = "default", **fields: Any) -> Answer:
    answer = api.post(secrets(namespace), secret(name, data=DATA, **fields))
    assert answer.status == 201, answer.text
    return answer


def stored(cluster: Cluster, name: str) -> StoredForm:
    return StoredForm.of(cluster.raw("default", name))


def without_version(answer: Answer) -> dict[str, Any]:
    body: dict[str, Any] = answer.body
    body["metadata"].pop("resourceVersion")
    return body


def start_of(api: Api) -> float:
    return api.counters("process_start_time_seconds")[()]


@dataclass(frozen=True)
class Form:
    """One way to store Secrets: the form in the store, and the prefixes that the counters show."""

    arrange: Callable[[Cluster], None]
    stored: StoredForm
    written: str
    read: str
    newest: bool = False

    @property
    def is_v2(self) -> bool:
        return self.stored is StoredForm.KMS_V2


FORMS = {
    "kms-v1": Form(Cluster.kms_v1, StoredForm.KMS_V1, V1_PREFIX, V1_PREFIX),
    "identity": Form(Cluster.kms_off, StoredForm.PLAIN, "", "identity"),
    "kms-v2-key": Form(Cluster.kms_v2, StoredForm.KMS_V2, V2_PREFIX, V2_PREFIX),
    "kms-v2-seed": Form(lambda cluster: cluster.kms_v2(V34), StoredForm.KMS_V2, V2_PREFIX, V2_PREFIX, True),
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Form:
    return FORMS[request.param]


@pytest.fixture
def formed(request: pytest.FixtureRequest, open_cluster: Opener, form: Form) -> Cluster:
    """A cluster that writes in this form; ``open_cluster`` only brings the parameter of its kind."""
    cluster: Cluster = request.getfixturevalue("newest" if form.newest else "cluster")
    form.arrange(cluster)
    return cluster


def test_an_empty_patch_of_a_fresh_secret_is_no_write(formed: Cluster, form: Form, name: str) -> None:
    cluster, expected = formed, form.stored
    api = cluster.api()
    made, raw = create(api, name), cluster.raw("default", name)
    assert StoredForm.of(raw) is expected
    readable = b"value" in raw or DATA["key"].encode() in raw  # protobuf in etcd, JSON in the stand-in
    assert readable is (expected is StoredForm.PLAIN)
    for _ in range(4):
        patched = api.patch(secrets("default", name), {}, accept=PARTIAL)
        assert (patched.status, patched.version) == (200, made.version)
        assert patched.body["kind"] == "PartialObjectMetadata"
        assert patched.body.keys() == {"kind", "apiVersion", "metadata"}
        api.reconnect()
    assert cluster.raw("default", name) == raw
    api.delete(secrets("default", name))


STALE: dict[str, tuple[Callable[[Cluster], None], Callable[[Cluster], None], StoredForm]] = {
    "v1-to-identity": (Cluster.kms_v1, Cluster.kms_off, StoredForm.PLAIN),
    "identity-to-v1": (Cluster.kms_off, Cluster.kms_v1, StoredForm.KMS_V1),
    "identity-to-v2": (Cluster.kms_off, Cluster.kms_v2, StoredForm.KMS_V2),
}


@pytest.mark.parametrize("case", STALE)
def test_an_empty_patch_of_a_stale_secret_rewrites_it(cluster: Cluster, name: str, case: str) -> None:
    before, after, expected = STALE[case]
    before(cluster)
    _is_stale_after(cluster, name, after, expected)


def test_an_upgrade_to_1_34_makes_everything_stale_and_has_no_way_back(fresh: Cluster, name: str) -> None:
    fresh.kms_v2(V27)
    _is_stale_after(fresh, name, lambda cluster: cluster.run(V34, [cluster.v2, IDENTITY]), StoredForm.KMS_V2)
    newer = fresh.api()
    assert newer.get("/version").body["minor"] == "34"
    fresh.host.run_replica(0, V27, [fresh.v2, IDENTITY], wait=False)
    older = _unready(fresh, 0, "/api/v1/namespaces")
    create(newer, name)
    answer = older.get(secrets("default", name))
    text = "Internal error occurred: cipher: message authentication failed"
    assert answer.status_of() == (500, "InternalError", text)
    assert newer.get(secrets("default", name)).status == 200


def _is_stale_after(cluster: Cluster, name: str, after: Callable[[Cluster], None], expected: StoredForm) -> None:
    names: dict[str, dict[str, Any]] = {"plain": {}, "immutable": {"immutable": True}, "put": {}}
    made = {kind: create(cluster.api(), f"{name}-{kind}", **fields) for kind, fields in names.items()}
    old = {kind: cluster.raw("default", f"{name}-{kind}") for kind in names}
    after(cluster)
    api = cluster.api()
    for kind, answer in made.items():
        path = secrets("default", f"{name}-{kind}")
        assert api.get(path).body == answer.body
        tried = api.patch(path, {}, dryRun="All")
        assert (tried.status, tried.version) == (200, answer.version)
        assert cluster.raw("default", f"{name}-{kind}") == old[kind]
        rewritten = api.put(path, answer.body) if kind == "put" else api.patch(path, {})
        assert rewritten.status == 200
        assert rewritten.version > answer.version
        assert stored(cluster, f"{name}-{kind}") is expected
        assert cluster.raw("default", f"{name}-{kind}") != old[kind]
        assert api.patch(path, {}).version == rewritten.version
        assert without_version(rewritten) == without_version(answer)
        api.delete(path)


def test_a_new_kms_v2_key_makes_everything_stale(cluster: Cluster, name: str) -> None:
    cluster.kms_v2()
    made = create(cluster.api(), name)
    newer = kms_v2(cluster.v1.key_id, "azurekmsproviderv2b")
    cluster.run(V27, [newer, cluster.v2, IDENTITY])
    api = cluster.api()
    assert api.patch(secrets("default", name), {}).version > made.version
    assert cluster.raw("default", name).startswith(b"k8s:enc:kms:v2:azurekmsproviderv2b:")
    api.delete(secrets("default", name))


def test_replicas_that_disagree_rewrite_in_turn(cluster: Cluster, name: str) -> None:
    cluster.run(V26, [cluster.v1, IDENTITY], [IDENTITY, cluster.v1])
    first, second = cluster.api(0), cluster.api(1)
    versions = [create(first, name).version]
    for api, form in ((second, StoredForm.PLAIN), (first, StoredForm.KMS_V1)) * 2:
        versions.append(api.patch(secrets("default", name), {}).version)
        assert stored(cluster, name) is form
    assert sorted(set(versions)) == versions
    first.delete(secrets("default", name))


def test_the_front_door_spreads_connections_and_keeps_each_where_it_is(cluster: Cluster) -> None:
    cluster.kms_v1()
    direct = {start_of(cluster.api(index)) for index in range(2)}
    assert len(direct) == 2
    door, seen = cluster.api(), set()
    for _ in range(6):
        start = start_of(door)
        assert start_of(door) == start
        seen.add(start)
        door.reconnect()
    assert seen == direct


def test_a_restarted_replica_is_another_process(cluster: Cluster) -> None:
    cluster.kms_v1()
    api = cluster.api(0)
    before, other = start_of(api), start_of(cluster.api(1))
    cluster.host.run_replica(0, V26, [cluster.v1, IDENTITY])
    api.reconnect()
    assert start_of(api) > before
    assert start_of(cluster.api(1)) == other


def test_1_34_refuses_to_start_with_kms_v1(newest: Cluster) -> None:
    newest.forget(0)
    with pytest.raises(TimeoutError, match=r"KMSv1 is deprecated and will only receive security updates"):
        newest.host.run_replica(0, V34, [newest.v1, IDENTITY])
    newest.host.run_replica(0, V34, [newest.v1, IDENTITY], wait=False)


def test_a_secret_whose_reader_is_gone_is_an_outage(cluster: Cluster, name: str) -> None:
    cluster.run(V26, [cluster.v1, IDENTITY], [IDENTITY, cluster.v1])
    encrypting, plain = cluster.api(0), cluster.api(1)
    for namespace in (name, f"{name}-other"):
        plain.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    for secret_name in ("a", "b", "d"):
        create(plain, secret_name, name)
    create(plain, "x", f"{name}-other")
    create(encrypting, "c", name)
    cluster.forget(0)
    cluster.host.run_replica(0, V26, [IDENTITY], wait=False)
    api = _unready(cluster, 0, "/livez")
    path = secrets(name, "c")
    for answer in (
        api.get(path),
        api.patch(path, {}),
        api.patch(path, {}, accept=PARTIAL),
        api.patch(path, {}, dryRun="All"),
        api.delete(path),
        api.put(path, secret("c")),
    ):
        assert answer.status_of() == (500, "InternalError", f"Internal error occurred: {NO_PREFIX}")
    page = api.get(secrets(name), limit=2)
    assert [item["metadata"]["name"] for item in page.body["items"]] == ["a", "b"]
    text = f'Internal error occurred: unable to transform key "/registry/secrets/{name}/c": {NO_PREFIX}'
    token = page.body["metadata"]["continue"]
    for answer in (
        api.get(secrets(name), limit=2, **{"continue": token}),
        api.get(secrets(name)),
        api.get(secrets(name), limit=1, **{"continue": token}),
    ):
        assert answer.status_of() == (500, "InternalError", text)
    assert api.get("/api/v1/secrets").status_of()[:2] == (500, "InternalError")
    assert api.get(secrets(f"{name}-other")).status == 200
    assert api.patch(secrets(name, "a"), {}).status == 200
    ready = api.get("/readyz", verbose="")
    assert ready.status == 500
    assert "[-]informer-sync failed: reason withheld\n" in ready.text
    assert ready.text.endswith("readyz check failed\n")
    assert api.get("/livez").status == 200
    door = cluster.api()
    for _ in range(3):
        assert door.get(path).status == 200  # only the ready replica is behind the front door
        door.reconnect()
    door.delete(path)


def _unready(cluster: Cluster, replica: int, path: str) -> Api:
    """A client of a replica that never becomes ready, as soon as this path answers 200."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        api = cluster.api(replica)
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if api.get(path).status == 200 and api.get("/readyz").status == 500:
                return api
        time.sleep(0.1)
    raise TimeoutError(f"replica {replica} does not answer {path}, or is ready")


def test_the_counters_tell_the_provider_of_each_write_and_read(formed: Cluster, form: Form, name: str) -> None:
    api, written, read = formed.api(), form.written, form.read
    path = secrets("default", name)
    _settled(api)

    def create_it() -> None:
        create(api, name)

    def change_it() -> None:
        assert api.patch(path, {"data": {"more": ""}}).status == 200

    def touch_it() -> None:
        assert api.patch(path, {}).status == 200

    for write in (create_it, change_it):
        operations, uses = _deltas(api, write)
        assert {key: n for key, n in operations.items() if key[0] == "to_storage"} == {("to_storage", written, "OK"): 1}
        assert {key[1] for key in operations if key[0] == "from_storage"} <= {read}
        assert sum(n for key, n in uses.items() if key[0] == "to_storage") == form.is_v2
    operations, uses = _deltas(api, touch_it)
    assert operations == {("from_storage", read, "OK"): 1}
    assert sum(uses.values()) == form.is_v2
    assert {key[1] for key in uses} <= {"azurekmsproviderv2"}
    assert all(key[2].startswith("sha256:") for key in uses)
    text = api.get("/metrics").text
    assert (f'{OPERATIONS}{{resource="secrets",' in text) is form.newest
    if form.is_v2:
        assert (f"{KEY_USES}{{apiserver_id_hash=" in text) is form.newest
    api.delete(path)


def _settled(api: Api) -> dict[tuple[tuple[str, str], ...], float]:
    """The operation counters once the watch cache has caught up with what was written before."""
    counters = api.counters(OPERATIONS)
    while True:
        time.sleep(0.3)
        before, counters = counters, api.counters(OPERATIONS)
        if before == counters:
            return counters


def _deltas(
    api: Api, action: Callable[[], None]
) -> tuple[dict[tuple[str, str, str], float], dict[tuple[str, str, str], float]]:
    """What one request adds to the counters of operations, and of key ids (type, provider, hash)."""
    operations, uses = _settled(api), api.counters(KEY_USES)
    action()
    return (
        _grown(operations, _settled(api), "transformation_type", "transformer_prefix", "status"),
        _grown(uses, api.counters(KEY_USES), "transformation_type", "provider_name", "key_id_hash"),
    )


def _grown(before: Any, after: Any, *names: str) -> dict[tuple[str, str, str], float]:
    grown = {}
    for labels, value in after.items():
        if value != before.get(labels, 0):
            first, second, third = (dict(labels)[name] for name in names)
            grown[first, second, third] = value - before.get(labels, 0)
    return grown


def test_health_checks_are_named_after_the_kms_version(cluster: Cluster) -> None:
    for arrange, present, absent in (
        (Cluster.kms_v1, "[+]kms-provider-0 ok\n", "kms-providers"),
        (Cluster.kms_off, "[+]kms-provider-0 ok\n", "kms-providers"),
        (Cluster.kms_v2, "[+]kms-providers ok\n", "kms-provider-0"),
    ):
        arrange(cluster)
        text = cluster.api().get("/readyz", verbose="").text
        assert present in text
        assert absent not in text


def test_a_disabled_key_breaks_kms_v1_writes_at_once(cluster: Cluster, name: str) -> None:
    cluster.kms_v1()
    api = cluster.api()
    create(api, name)
    cluster.vault.disabled.add("first")
    try:
        refused = api.post(secrets("default"), secret(f"{name}-2"))
        code, reason, message = refused.status_of()
        assert (code, reason) == (500, "InternalError")
        assert message.startswith("Internal error occurred: rpc error: code = Unknown desc = failed to encrypt")
        assert "Operation encrypt is not allowed on a disabled key." in message
        assert api.get(secrets("default", name)).status == 200  # its data key is cached
    finally:
        cluster.vault.disabled.clear()
    assert api.delete(secrets("default", name)).status == 200


def test_a_disabled_key_leaves_a_running_kms_v2_server_its_seed(newest: Cluster, name: str) -> None:
    newest.kms_v2(V34)
    api = newest.api()
    newest.vault.disabled.add("second")
    try:
        create(api, name)
        assert api.patch(secrets("default", name), {}).status == 200
    finally:
        newest.vault.disabled.clear()
    api.delete(secrets("default", name))
