"""The small decisions of the real host, without a process."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.lab.controlplane.real.host import RealReplicaHost
from tests.lab.controlplane.real.kms_plugin import status_version
from tests.lab.controlplane.real.kube_apiserver import encryption_configuration
from tests.lab.controlplane.real.reserved_port import ReservedPort
from tests.lab.model import IDENTITY, VaultAccess, kms_v1


@pytest.mark.parametrize(
    ("kubernetes", "answer"),
    [
        ("1.26.15", "v2beta1"),
        ("1.27.1", "v2beta1"),
        ("1.28.9", "v2beta1"),
        ("1.29.0", "v2"),
        ("1.34.4", "v2"),
    ],
)
def test_status_version(kubernetes: str, answer: str) -> None:
    assert status_version(kubernetes) == answer


def test_providers_keep_their_order() -> None:
    v1 = kms_v1("https://vault/keys/k/v")
    document = encryption_configuration([IDENTITY, v1], {v1: Path("/run/x.sock")})
    (resource,) = document["resources"]
    assert resource["resources"] == ["secrets"]
    assert [list(entry) for entry in resource["providers"]] == [["identity"], ["kms"]]
    kms = resource["providers"][1]["kms"]
    assert (kms["apiVersion"], kms["name"], kms["endpoint"]) == (
        "v1",
        "azurekmsprovider",
        "unix:///run/x.sock",
    )


def test_a_reserved_port_can_be_listened_on_and_nobody_is_given_it() -> None:
    with ReservedPort() as port:
        for _ in range(2):  # a server, and the same one restarted
            with socket.socket() as server:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind(("127.0.0.1", port.number))
                server.listen()
                socket.create_connection(("127.0.0.1", port.number)).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port.number))


def test_a_host_that_does_not_run_says_so(tmp_path: Path) -> None:
    host = RealReplicaHost(tmp_path, 2, VaultAccess("", "", "", ""))
    assert host.replica_count == 2
    with pytest.raises(RuntimeError, match="not running"):
        host.endpoint()
    host.stop()
    with pytest.raises(ValueError, match="at least one replica"):
        RealReplicaHost(tmp_path, 0, VaultAccess("", "", "", ""))
