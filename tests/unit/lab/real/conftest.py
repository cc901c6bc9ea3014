from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.controlplane.real import binaries
from tests.lab.controlplane.real.cluster_pki import ClusterPki
from tests.lab.controlplane.real.host import RealReplicaHost
from tests.unit.lab.real.api_client import ApiClient
from tests.unit.lab.real.fake_vault import FakeVault

HostMaker = Callable[..., RealReplicaHost]


@pytest.fixture(scope="session")
def machine() -> None:
    """Skips on a machine without the real programs; under CI=true that is a failure."""
    lacks = binaries.missing()
    if lacks and os.environ.get("CI") == "true":
        pytest.fail(f"CI must run the real API servers: {'; '.join(lacks)}")
    if lacks:
        pytest.skip("; ".join(lacks))


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> ClusterPki:
    return ClusterPki.create(tmp_path_factory.mktemp("azure-pki"))


@pytest.fixture
def vault(pki: ClusterPki) -> Iterator[FakeVault]:
    vault = FakeVault(pki)
    yield vault
    vault.close()


@pytest.fixture
def make_host(machine: None, vault: FakeVault, tmp_path: Path) -> Iterator[HostMaker]:
    """Makes started hosts on the test's vault; keywords go to RealReplicaHost."""
    hosts: list[RealReplicaHost] = []

    def make(replicas: int = 2, **keywords: object) -> RealReplicaHost:
        directory = tmp_path / f"host-{len(hosts)}"
        host = RealReplicaHost(directory, replicas, vault.access, **keywords)  # type: ignore[arg-type]
        hosts.append(host)
        host.start()
        return host

    yield make
    for host in hosts:
        host.stop()


@pytest.fixture
def client_of(tmp_path: Path) -> Callable[[RealReplicaHost], tuple[ApiClient, list[ApiClient]]]:
    """The client of the front door, and one past it for each replica."""

    def clients(host: RealReplicaHost) -> tuple[ApiClient, list[ApiClient]]:
        past = [ApiClient(host.replica_endpoint(index), tmp_path) for index in range(host.replica_count)]
        return ApiClient(host.endpoint(), tmp_path), past

    return clients
