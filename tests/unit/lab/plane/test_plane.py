"""The control plane's rolls and history, on a host that only keeps notes."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import pytest

from tests.lab.controlplane.encryption import ChangeRefused
from tests.lab.controlplane.plane import ControlPlane, Roll
from tests.lab.model import IDENTITY, SECRETS_PREFIX, Endpoint, Provider, StoredForm, kms_v1, kms_v2

KEY = "https://lab.vault.azure.net/keys/kms/1"
V1 = b"k8s:enc:kms:v1:azurekmsprovider:x"


class NotingHost:
    """A ``ReplicaHost`` that remembers what each replica was told; ``broken`` replicas never become ready."""

    replica_count = 2

    def __init__(self) -> None:
        self.runs: list[tuple[int, str, tuple[Provider, ...]]] = []
        self.values: dict[str, bytes] = {}
        self.broken: set[int] = set()

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def endpoint(self) -> Endpoint:
        return Endpoint("https://127.0.0.1:1", "")

    def replica_endpoint(self, index: int) -> Endpoint:
        return self.endpoint()

    def run_replica(self, index: int, version: str, providers: Sequence[Provider], *, wait: bool = True) -> None:
        self.runs.append((index, version, tuple(providers)))
        if index in self.broken:
            raise TimeoutError(f"replica {index} is not ready")

    def stop_replica(self, index: int) -> None: ...

    def kill_replica(self, index: int) -> None: ...

    def raw(self, prefix: str) -> Mapping[str, bytes]:
        return {key: value for key, value in self.values.items() if key.startswith(prefix)}

    def revisions(self, prefix: str) -> Mapping[str, int]:
        return {}

    def put_raw(self, key: str, value: bytes) -> None:
        self.values[key] = value

    def compact(self) -> None: ...


@pytest.fixture
def host() -> NotingHost:
    return NotingHost()


@pytest.fixture
def plane(host: NotingHost) -> ControlPlane:
    return ControlPlane(host, "1.26.15", KEY, {"system": 1})


def test_a_change_rolls_every_replica_in_order(host: NotingHost, plane: ControlPlane) -> None:
    plane.set_kms(None)
    assert host.runs == [
        (0, "1.26.15", (IDENTITY, kms_v1(KEY))),
        (1, "1.26.15", (IDENTITY, kms_v1(KEY))),
    ]


def test_no_change_restarts_nothing(host: NotingHost, plane: ControlPlane) -> None:
    plane.set_kms(KEY)
    plane.upgrade("1.26.15")
    assert host.runs == []


def test_the_documented_way(host: NotingHost, plane: ControlPlane) -> None:
    plane.set_kms(None)
    plane.upgrade("1.34.4")
    plane.set_kms(KEY)
    assert host.runs[-1] == (1, "1.34.4", (kms_v2(KEY), IDENTITY))
    assert [change.configuration.version for change in plane.history] == ["1.26.15", "1.34.4", "1.34.4"]


def test_a_refused_change_touches_nothing(host: NotingHost, plane: ControlPlane) -> None:
    with pytest.raises(ChangeRefused):
        plane.upgrade("1.27.1")
    assert (host.runs, plane.history) == ([], [])


def test_history_tells_which_secrets_lost_their_reader(host: NotingHost, plane: ControlPlane) -> None:
    key = SECRETS_PREFIX + "default/left-behind"
    host.values = {key: V1, SECRETS_PREFIX + "default/plain": b"k8s\x00..."}
    plane.set_kms(None)
    plane.upgrade("1.34.4")
    safe, lost = (change.stored for change in plane.history)
    assert safe.by_form == {StoredForm.KMS_V1: 1, StoredForm.KMS_V2: 0, StoredForm.PLAIN: 1}
    assert safe.unreadable == ()
    assert lost.unreadable == (key,)


def test_a_roll_that_failed_is_done_over_by_the_same_change(host: NotingHost, plane: ControlPlane) -> None:
    host.broken = {1}
    with pytest.raises(TimeoutError):
        plane.set_kms(None)
    host.broken = set()
    plane.set_kms(None)
    assert [index for index, _, _ in host.runs] == [0, 1, 0, 1]
    assert len(plane.history) == 1


def test_one_replica_may_run_with_an_order_of_its_own(host: NotingHost, plane: ControlPlane) -> None:
    plane.run_replica(1, (IDENTITY, kms_v1(KEY)))
    plane.run_replica(1)
    assert [providers[0] for _, _, providers in host.runs] == [IDENTITY, kms_v1(KEY)]


def test_a_pause_under_way_ends_when_it_is_made_shorter() -> None:
    roll = Roll(3600)
    waiting = threading.Thread(target=roll.pause)
    waiting.start()
    roll.set(0)
    waiting.join(30)
    assert not waiting.is_alive()


def test_a_door_before_the_front_door_is_what_is_handed_out(plane: ControlPlane) -> None:
    plane.door = "https://127.0.0.1:2"
    assert plane.endpoint().server == "https://127.0.0.1:2"
