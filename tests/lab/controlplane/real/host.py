"""RealReplicaHost: the ReplicaHost whose API servers are kube-apiservers and whose store is etcd."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab.controlplane.real import binaries, kube_apiserver
from tests.lab.controlplane.real.child_process import ChildProcess, Nursery
from tests.lab.controlplane.real.cluster_pki import ClusterPki
from tests.lab.controlplane.real.etcd import Etcd
from tests.lab.controlplane.real.front_door import FrontDoor
from tests.lab.controlplane.real.kms_plugin import KmsPlugins
from tests.lab.controlplane.real.reserved_port import ReservedPort
from tests.lab.model import Endpoint, EntraTrust, Provider, VaultAccess

_DRAIN_SECONDS = 1.0
_LAST_GRACE_SECONDS = 3.0
_LONGEST_SOCKET_DIRECTORY = 75
_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


class _Replica:
    """What runs for one replica: an API server and its KMS plugins. Its port stays the same for ever."""

    def __init__(self, pki: ClusterPki) -> None:
        self.port = ReservedPort()
        self.admin = kube_apiserver.AdminClient(pki, self.port.number)
        self.lock = threading.RLock()
        self.server: ChildProcess | None = None
        self.plugins: list[ChildProcess] = []

    def end(self, grace: float = 10.0) -> None:
        if self.server:
            self.server.stop(grace)
        for plugin in self.plugins:
            plugin.stop()
        self.server, self.plugins = None, []


class RealReplicaHost:
    """See ReplicaHost in tests/lab/controlplane/ports.py.

    ``directory`` (made 0700) holds etcd's data, certificates, configurations and logs. ``extra_flags`` go to
    every kube-apiserver, after the lab's own. A replica that a program's end keeps from becoming ready raises
    TimeoutError with that program's own last words, at once; one that merely does not become ready does so
    after ``ready_seconds``, and stays as it is: out of rotation, to be looked at, or run anew.
    """

    def __init__(
        self,
        directory: Path,
        replicas: int,
        vault: VaultAccess,
        entra: EntraTrust | None = None,
        extra_flags: Sequence[str] = (),
        *,
        ready_seconds: float = 120.0,
    ) -> None:
        if replicas < 1:
            raise ValueError("a control plane has at least one replica")
        self._directory = directory.resolve()
        self._count = replicas
        self._vault = vault
        self._entra = entra
        self._extra_flags = tuple(extra_flags)
        self._ready_seconds = ready_seconds
        self._running: _Parts | None = None
        self._admins_bound = False

    def start(self) -> None:
        if self._running:
            raise RuntimeError("the host has been started already")
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory.chmod(0o700)
        self._running = _Parts(self._directory, self._count, self._vault)
        try:
            self._running.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        running, self._running = self._running, None
        if running:
            running.stop()

    @property
    def replica_count(self) -> int:
        return self._count

    def endpoint(self) -> Endpoint:
        return self._endpoint(self._parts.door.url)

    def replica_endpoint(self, index: int) -> Endpoint:
        return self._endpoint(f"https://127.0.0.1:{self._replica(index).port.number}")

    def run_replica(self, index: int, version: str, providers: Sequence[Provider], *, wait: bool = True) -> None:
        program = binaries.kube_apiserver(version)  # may build: while the old process still serves
        replica = self._replica(index)
        with replica.lock:
            self.stop_replica(index)
            self._launch(index, program, version, providers)
            self._parts.door.admit(index)
            if wait:
                self._wait_until_ready(index, version)
                self._bind_administrators(replica)

    def stop_replica(self, index: int) -> None:
        replica = self._replica(index)
        with replica.lock:
            self._parts.door.withdraw(index, _DRAIN_SECONDS if replica.server else 0.0)
            replica.end()

    def kill_replica(self, index: int) -> None:
        replica = self._replica(index)
        with replica.lock:
            if replica.server:
                replica.server.kill()

    def raw(self, prefix: str) -> Mapping[str, bytes]:
        return self._parts.etcd.values(prefix)

    def revisions(self, prefix: str) -> Mapping[str, int]:
        return self._parts.etcd.revisions(prefix)

    def put_raw(self, key: str, value: bytes) -> None:
        self._parts.etcd.put(key, value)

    def compact(self) -> None:
        self._parts.etcd.compact()

    def process_ids(self) -> tuple[int, ...]:
        """Every process that runs for this host now."""
        return self._parts.process_ids()

    @property
    def _parts(self) -> _Parts:
        if self._running is None:
            raise RuntimeError("the host is not running")
        return self._running

    def _replica(self, index: int) -> _Replica:
        if not 0 <= index < self._count:
            raise IndexError(f"there are {self._count} replicas, none has the index {index}")
        return self._parts.replicas[index]

    def _endpoint(self, server: str) -> Endpoint:
        pki = self._parts.pki
        return Endpoint(server, pki.ca.read_text(), pki.admin.read_text(), pki.admin_key.read_text())

    def _launch(self, index: int, program: Path, version: str, providers: Sequence[Provider]) -> None:
        parts, replica, home = self._parts, self._replica(index), self._directory / f"replica-{index}"
        home.mkdir(mode=0o700, exist_ok=True)
        sockets: dict[Provider, Path] = {}
        for provider in providers:
            if provider.kind == "kms":
                plugin, sockets[provider] = parts.plugins.start(provider, version, f"replica-{index}-{provider.name}")
                replica.plugins.append(plugin)
        configuration = home / "encryption.json"
        configuration.write_text(json.dumps(kube_apiserver.encryption_configuration(providers, sockets), indent=1))
        entra = kube_apiserver.entra_flags(self._entra, self._entra_ca(self._entra)) if self._entra else []
        command = kube_apiserver.flags(
            parts.pki, replica.port.number, parts.etcd.url, configuration, entra, self._extra_flags
        )
        replica.server = parts.nursery.start(
            f"kube-apiserver {version}", [program, *command], home / "kube-apiserver.log"
        )

    def _wait_until_ready(self, index: int, version: str) -> None:
        replica, door = self._replica(index), self._parts.door
        deadline = time.monotonic() + self._ready_seconds
        while True:
            for process in (replica.server, *replica.plugins):
                if process and (code := process.exit_code()) is not None:
                    words = process.last_words(lines=1)
                    raise TimeoutError(f"replica {index}: {process.name} ended with code {code}: {words}")
            said = replica.admin.readiness()
            if said == "ok" and door.serves(index):
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"replica {index} ({version}) is not ready, /readyz says: {_failing(said)}")
            time.sleep(0.1)

    def _bind_administrators(self, replica: _Replica) -> None:
        if self._entra and not self._admins_bound:
            replica.admin.ensure(_BINDINGS, kube_apiserver.cluster_admin_binding(self._entra.admin_object_id))
            self._admins_bound = True

    def _entra_ca(self, trust: EntraTrust) -> Path:
        path = self._directory / "entra-ca.crt"
        path.write_text(trust.ca_pem)
        return path


def _socket_directory(directory: Path) -> Path:
    """Below ``directory`` where that is short enough: a Unix socket's path has room for about 100 bytes."""
    near = directory / "run"
    if len(os.fsencode(near)) > _LONGEST_SOCKET_DIRECTORY:
        return Path(tempfile.mkdtemp(prefix="kms-lab-"))
    near.mkdir(mode=0o700, exist_ok=True)
    return near


def _failing(said: str) -> str:
    """Of a long /readyz answer, the checks that fail."""
    failing = [line for line in said.splitlines() if line.startswith("[-]")]
    return ", ".join(failing) or said


class _Parts:
    """All that runs between start and stop."""

    def __init__(self, directory: Path, replicas: int, vault: VaultAccess) -> None:
        etcd_program, haproxy_program, kms_program = (
            binaries.etcd(),
            binaries.haproxy(),
            binaries.kms_plugin(),
        )
        self._sockets = _socket_directory(directory)
        self.nursery = Nursery()
        self.pki = ClusterPki.create(directory / "pki")
        self.etcd = Etcd(etcd_program, directory / "etcd", self.nursery)
        self.door = FrontDoor(haproxy_program, directory / "front-door", self._sockets, self.nursery)
        self.plugins = KmsPlugins(kms_program, directory / "kms", self._sockets, vault, self.nursery)
        self.replicas = [_Replica(self.pki) for _ in range(replicas)]

    def start(self) -> None:
        self.etcd.start()
        self.door.start([replica.port.number for replica in self.replicas])

    def stop(self) -> None:
        self.door.stop()
        with ThreadPoolExecutor(len(self.replicas)) as enders:
            list(enders.map(lambda replica: replica.end(_LAST_GRACE_SECONDS), self.replicas))
        for replica in self.replicas:
            replica.port.close()
        self.etcd.stop()
        self.nursery.close()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def process_ids(self) -> tuple[int, ...]:
        owned = [self.etcd.process, self.door.process]
        for replica in self.replicas:
            owned += [replica.server, *replica.plugins]
        return tuple(process.pid for process in owned if process)
