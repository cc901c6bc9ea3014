"""Both hosts that the contract suite speaks to, and the vault that their KMS providers need."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.contract.api_client import Api, secrets
from tests.contract.fixture_vault import FixtureVault
from tests.lab.controlplane.ports import ReplicaHost
from tests.lab.embedded.host import EmbeddedReplicaHost
from tests.lab.model import IDENTITY, SECRETS_PREFIX, Provider, kms_v1, kms_v2

V26, V27, V34 = "1.26.15", "1.27.1", "1.34.4"


Opener = Callable[[], "contextlib.AbstractContextManager[Cluster]"]


class Cluster:
    """Two replicas of one host; restarts a replica only when it should run something else."""

    def __init__(self, host: ReplicaHost, vault: FixtureVault) -> None:
        self.host = host
        self.vault = vault
        self.v1 = kms_v1(vault.key_id("first"))
        self.v2 = kms_v2(vault.key_id("second"))
        self._runs: dict[int, tuple[str, tuple[Provider, ...]]] = {}

    def run(self, version: str, *orders: Sequence[Provider]) -> None:
        """Each replica runs ``version`` with its own provider order; a single order is everybody's."""
        count = self.host.replica_count
        wanted = {index: (version, tuple(orders[index % len(orders)])) for index in range(count)}
        changed = {index: run for index, run in wanted.items() if self._runs.get(index) != run}
        for index, run in changed.items():  # one after the other: two 1.34 that start at once can fail
            self.forget(index)
            self.host.run_replica(index, *run)
            self._runs[index] = run

    def forget(self, index: int) -> None:
        """Somebody ran this replica behind the cluster's back."""
        self._runs.pop(index, None)

    def kms_v1(self) -> None:
        self.run(V26, [self.v1, IDENTITY])

    def kms_off(self) -> None:
        self.run(V26, [IDENTITY, self.v1])

    def kms_v2(self, version: str = V27) -> None:
        self.run(version, [self.v2, IDENTITY])

    def api(self, replica: int | None = None) -> Api:
        """A client of the front door, or of one replica."""
        host = self.host
        return Api(host.endpoint() if replica is None else host.replica_endpoint(replica))

    def empty(self) -> None:
        """Delete every Secret: the next test's servers may not be able to read it, and then not start."""
        for key in self.host.raw(SECRETS_PREFIX):
            _, _, _, namespace, name = key.split("/")
            for replica in self._runs:
                if self.api(replica).delete(secrets(namespace, name)).status in (200, 404):
                    break
            else:
                raise AssertionError(f"no replica can delete {key}")

    def raw(self, namespace: str, name: str) -> bytes:
        key = f"/registry/secrets/{namespace}/{name}"
        return self.host.raw(key)[key]


@pytest.fixture(scope="session")
def vault() -> Iterator[FixtureVault]:
    vault = FixtureVault()
    yield vault
    vault.close()


@pytest.fixture(
    scope="session",
    params=["embedded", pytest.param("real", marks=pytest.mark.real)],
    ids=["embedded", "real"],
)
def open_cluster(
    request: pytest.FixtureRequest, vault: FixtureVault, tmp_path_factory: pytest.TempPathFactory
) -> Opener:
    """Starts a cluster of the kind under test, without a replica running yet."""

    @contextlib.contextmanager
    def opened() -> Iterator[Cluster]:
        directory: Path = tmp_path_factory.mktemp(request.param)
        host: ReplicaHost
        if request.param == "embedded":
            host = EmbeddedReplicaHost(directory, 2, vault.access)
        else:
            host = _real_host(directory, vault)
        host.start()
        try:
            yield Cluster(host, vault)
        finally:
            host.stop()

    return opened


@pytest.fixture(scope="session")
def _older(open_cluster: Opener) -> Iterator[Cluster]:
    with open_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def _newest(open_cluster: Opener) -> Iterator[Cluster]:
    with open_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(_older: Cluster) -> Iterator[Cluster]:
    """For 1.26 and 1.27: no server goes back to them from 1.34, which stores newer kinds of its own."""
    yield _older
    _older.empty()


@pytest.fixture
def newest(_newest: Cluster) -> Iterator[Cluster]:
    """For 1.34."""
    yield _newest
    _newest.empty()


@pytest.fixture
def fresh(open_cluster: Opener) -> Iterator[Cluster]:
    """A cluster of the test's own."""
    with open_cluster() as cluster:
        yield cluster


def _real_host(directory: Path, vault: FixtureVault) -> ReplicaHost:
    try:
        from tests.lab.controlplane.real import binaries
        from tests.lab.controlplane.real.host import RealReplicaHost
    except ImportError as error:
        return _without_real(f"the real lab is not there: {error}")
    missing = binaries.missing()
    if missing:
        return _without_real(f"the real API servers cannot run here: {'; '.join(missing)}")
    return RealReplicaHost(directory, 2, vault.access)


def _without_real(why: str) -> ReplicaHost:
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
