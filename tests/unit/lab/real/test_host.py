"""RealReplicaHost on real kube-apiservers; etcd's raw values are the judge."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.controlplane.ports import ReplicaHost
from tests.lab.controlplane.real.host import RealReplicaHost
from tests.lab.model import IDENTITY, SECRETS_PREFIX, StoredForm, kms_v1, kms_v2
from tests.unit.lab.real.api_client import SECRETS, ApiClient
from tests.unit.lab.real.fake_vault import FakeVault

pytestmark = pytest.mark.real

Clients = Callable[[RealReplicaHost], tuple[ApiClient, list[ApiClient]]]
HostMaker = Callable[..., RealReplicaHost]
SECRET = f"{SECRETS_PREFIX}default/one"


def forms(host: ReplicaHost) -> dict[StoredForm, int]:
    return Counter(StoredForm.of(value) for value in host.raw(SECRETS_PREFIX).values())


def run_all(host: RealReplicaHost, version: str, *providers: Any) -> None:
    for index in range(host.replica_count):
        host.run_replica(index, version, providers)


def test_two_replicas_with_different_write_providers_rewrite_in_turns(
    make_host: HostMaker, client_of: Clients, vault: FakeVault
) -> None:
    host = make_host()
    v1 = kms_v1(vault.key_id)
    run_all(host, "1.26.15", v1, IDENTITY)
    door, (first, second) = client_of(host)
    for name in ("one", "two", "three"):
        assert door.create_secret(name).status == 201
    assert host.raw(SECRET)[SECRET].startswith(b"k8s:enc:kms:v1:azurekmsprovider:")
    assert forms(host) == {StoredForm.KMS_V1: 3}
    assert ("encrypt", "RSA1_5") in vault.operations
    stored = host.raw(SECRET)[SECRET]
    assert first.touch("one").resource_version == second.touch("one").resource_version
    assert host.raw(SECRET)[SECRET] == stored

    host.run_replica(0, "1.26.15", [IDENTITY, v1])
    plain = first.touch("one").resource_version
    assert forms(host) == {StoredForm.KMS_V1: 2, StoredForm.PLAIN: 1}
    back = second.touch("one").resource_version
    assert back > plain
    assert forms(host) == {StoredForm.KMS_V1: 3}
    assert second.touch("one").resource_version == back
    assert first.touch("one").resource_version > back

    host.run_replica(1, "1.26.15", [IDENTITY, v1])
    assert first.touch("one").resource_version == second.touch("one").resource_version
    assert door.value("two") == b"hello"


def test_the_documented_way_from_v1_to_v2_and_past_1_34(
    make_host: HostMaker, client_of: Clients, vault: FakeVault
) -> None:
    host = make_host()
    v1, v2 = kms_v1(vault.key_id), kms_v2(vault.key_id)
    run_all(host, "1.26.15", v1, IDENTITY)
    door, (first, second) = client_of(host)
    door.create_secret("one", b"\0binary\xff")
    run_all(host, "1.26.15", IDENTITY, v1)
    door.touch("one")
    assert forms(host) == {StoredForm.PLAIN: 1}
    run_all(host, "1.27.1", IDENTITY)
    assert door.request("GET", "/version").body["gitVersion"] == "v1.27.1"
    run_all(host, "1.27.1", v2, IDENTITY)
    before = door.touch("one").resource_version
    assert host.raw(SECRET)[SECRET].startswith(b"k8s:enc:kms:v2:azurekmsproviderv2:")
    assert ("encrypt", "RSA-OAEP-256") in vault.operations

    with pytest.raises(TimeoutError, match=r"KMSv1 is deprecated .* Set --feature-gates=KMSv1=true"):
        host.run_replica(1, "1.34.4", [v2, IDENTITY, v1])
    for _ in range(6):  # the refused one is out of rotation
        assert door.value("one") == b"\0binary\xff"

    run_all(host, "1.34.4", v2, IDENTITY)
    assert door.request("GET", "/version").body["gitVersion"] == "v1.34.4"
    assert second.value("one") == b"\0binary\xff"
    # The source of the data key changed from key to seed: stale once more, as measured.
    assert first.touch("one").resource_version > before
    assert forms(host) == {StoredForm.KMS_V2: 1}


def test_a_jump_from_1_26_to_1_34_with_both_serving_meanwhile(
    make_host: HostMaker, client_of: Clients, vault: FakeVault
) -> None:
    host = make_host()
    run_all(host, "1.26.15", IDENTITY)
    door, (first, second) = client_of(host)
    door.create_secret("one")
    host.run_replica(0, "1.34.4", [IDENTITY])
    assert [client.touch("one").status for client in (first, second)] == [200, 200]
    assert second.create_secret("two").status == 201
    assert first.value("two") == b"hello"
    host.run_replica(1, "1.34.4", [IDENTITY])
    run_all(host, "1.34.4", kms_v2(vault.key_id), IDENTITY)
    assert [door.touch(name).status for name in ("one", "two")] == [200, 200]
    assert forms(host) == {StoredForm.KMS_V2: 2}


def test_kms_v2_refuses_what_another_key_encrypted(make_host: HostMaker, client_of: Clients, vault: FakeVault) -> None:
    host = make_host(replicas=1)
    host.run_replica(0, "1.27.1", [kms_v2(vault.key_id), IDENTITY])
    _, (replica,) = client_of(host)
    replica.create_secret("one")
    host.run_replica(0, "1.27.1", [kms_v2(vault.other_key_id), IDENTITY], wait=False)
    wait_until(lambda: answers(replica))
    refused = replica.request("GET", f"{SECRETS}/one")
    assert refused.status == 500
    assert "does not match expected key id" in json.dumps(refused.body)


def test_a_replica_that_cannot_read_a_secret_never_gets_into_rotation(
    make_host: HostMaker, client_of: Clients, vault: FakeVault
) -> None:
    host = make_host(ready_seconds=10.0)
    v1 = kms_v1(vault.key_id)
    run_all(host, "1.26.15", v1, IDENTITY)
    door, (_, second) = client_of(host)
    door.create_secret("one")
    with pytest.raises(TimeoutError, match="informer-sync failed"):
        host.run_replica(1, "1.26.15", [IDENTITY])
    assert second.request("GET", f"{SECRETS}/one").status == 500  # it runs, and says what AKS would say
    for _ in range(6):
        assert door.value("one") == b"hello"

    host.run_replica(1, "1.26.15", [v1, IDENTITY], wait=False)
    wait_until(lambda: connections_reach(door, 2))


def test_rolling_both_replicas_loses_no_request(make_host: HostMaker, client_of: Clients, vault: FakeVault) -> None:
    host = make_host()
    v1 = kms_v1(vault.key_id)
    run_all(host, "1.26.15", v1, IDENTITY)
    door, _ = client_of(host)
    door.create_secret("one")
    stop, done = threading.Event(), Counter[str]()
    faults: list[object] = []

    def one_connection_a_request() -> None:
        while not stop.is_set():
            answer = door.request("GET", f"{SECRETS}/one")
            done["short"] += 1
            if answer.status != 200:
                faults.append(answer)

    def one_connection_as_long_as_it_lasts() -> None:
        connection = door.connection()
        while not stop.is_set():
            if not still_served(connection):
                # The old process may end what it has already; a new connection must work at once.
                done["reconnected"] += 1
                connection.close()
                assert still_served(connection)
            done["long"] += 1

    def recorded(loop: Callable[[], None]) -> None:
        try:
            loop()
        except Exception as error:
            faults.append(repr(error))

    loops = (one_connection_a_request, one_connection_as_long_as_it_lasts)
    threads = [threading.Thread(target=recorded, args=(loop,)) for loop in loops]
    for thread in threads:
        thread.start()
    run_all(host, "1.26.15", IDENTITY, v1)
    stop.set()
    for thread in threads:
        thread.join()
    assert faults == []
    assert done["short"] > 20
    assert done["long"] > 20


def test_a_disabled_key_breaks_writes_in_the_words_of_the_vault(
    make_host: HostMaker, client_of: Clients, vault: FakeVault
) -> None:
    host = make_host(replicas=1)
    host.run_replica(0, "1.26.15", [kms_v1(vault.key_id), IDENTITY])
    door, (replica,) = client_of(host)
    assert door.create_secret("one").status == 201
    vault.enabled = False
    answer = replica.create_secret("two")
    assert answer.status == 500
    assert 'Code=\\"Forbidden\\"' in json.dumps(answer.body)
    assert "KeyDisabled" in json.dumps(answer.body)
    vault.enabled = True
    assert replica.create_secret("two").status == 201
    assert vault.tokens_granted == 1


def test_a_stopped_replica_and_a_compacted_store(make_host: HostMaker, client_of: Clients, vault: FakeVault) -> None:
    host = make_host()
    run_all(host, "1.26.15", IDENTITY)
    door, (_, second) = client_of(host)
    for index in range(3):
        door.create_secret(f"s{index}")
    page = door.request("GET", f"{SECRETS}?limit=1").body["metadata"]["continue"]
    host.stop_replica(0)
    assert [door.value("s0") for _ in range(6)] == [b"hello"] * 6
    door.create_secret("later")
    host.compact()
    expired = second.request("GET", f"{SECRETS}?limit=1&continue={page}")
    assert (expired.status, expired.body["reason"]) == (410, "Expired")
    host.stop()
    host.stop()


def still_served(connection: http.client.HTTPSConnection) -> bool:
    """False for the two ways in which a kube-apiserver sends a client away that holds on to its connection:

    an idle connection is closed, and a request on it that comes later gets 503 with Retry-After and the words
    ``apiserver is shutting down`` (k8s.io/apiserver, filters/waitgroup.go). All else but 200 is a fault.
    """
    try:
        connection.request("GET", f"{SECRETS}/one")
        response = connection.getresponse()
        body = json.loads(response.read())
    except (ConnectionError, http.client.HTTPException):
        return False
    if (response.status, response.getheader("Retry-After")) == (503, "1"):
        assert body["message"] == "apiserver is shutting down", body
        return False
    assert response.status == 200, body
    return True


def answers(replica: ApiClient) -> bool:
    """Whether it is past the start, when it knows nobody's rights yet."""
    try:
        return replica.request("GET", "/version").status == 200
    except OSError:
        return False


def connections_reach(door: ApiClient, replicas: int) -> bool:
    """Whether new connections are spread over so many replicas; each has a start time of its own."""
    starts = set()
    for _ in range(2 * replicas):
        connection = door.connection()
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        starts |= {line for line in lines if line.startswith("process_start_time_seconds")}
        connection.close()
    return len(starts) == replicas


def wait_until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(300):
        if true():
            return
        pause.wait(0.2)
    pytest.fail("it did not come true")
