"""EmbeddedReplicaHost: API server replicas, their store and the front door, as threads of this process."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.lab.embedded import faults, managed_fields, object_meta
from tests.lab.embedded.certificates import Authority
from tests.lab.embedded.key_service import KeyService, key_service
from tests.lab.embedded.kinds import NAMESPACES
from tests.lab.embedded.replica import RefusedToStartError, Replica
from tests.lab.embedded.sign_in import TokenCheck
from tests.lab.embedded.store import Store
from tests.lab.embedded.targets import Target
from tests.lab.model import Endpoint, EntraTrust, Provider, VaultAccess

_FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_HANDSHAKE_SECONDS = 10.0
_LOG = logging.getLogger(__name__)


class EmbeddedReplicaHost:
    """A ``ReplicaHost`` without processes. Without ``vault`` keys are made up from their ids."""

    def __init__(
        self,
        directory: Path,
        replicas: int,
        vault: VaultAccess | None = None,
        entra: EntraTrust | None = None,
    ) -> None:
        self._directory = directory
        self._vault = vault
        self._store = Store()
        self._authority = Authority()
        self._admin = self._authority.client("kubernetes-admin", "system:masters")
        self._tokens = TokenCheck(entra) if entra else None
        self._lock = threading.Lock()
        self._replicas: list[Replica | None] = [None] * replicas
        self._denials: dict[tuple[str, str], tuple[str, str]] = {}
        self._turn = 0
        self._doors: list[_Door] = []

    def start(self) -> None:
        if self._doors:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._authority.server().write(self._directory / "server.pem"))
        context.load_verify_locations(cadata=self._authority.pem)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["http/1.1"])
        if not self._store.values(NAMESPACES.etcd_prefix):
            for name in _FIRST_NAMESPACES:
                self._create_namespace(name)
        doors: list[Callable[[], Replica | None]] = [self._next]
        doors += [_chooser(self._replicas, index) for index in range(len(self._replicas))]
        self._doors = [_Door(choose, context) for choose in doors]

    def stop(self) -> None:
        doors, self._doors = self._doors, []
        for door in doors:
            door.close()
        for index in range(len(self._replicas)):
            self.stop_replica(index)

    @property
    def replica_count(self) -> int:
        return len(self._replicas)

    def endpoint(self) -> Endpoint:
        return self._endpoint(0)

    def replica_endpoint(self, index: int) -> Endpoint:
        return self._endpoint(1 + range(len(self._replicas))[index])

    def run_replica(self, index: int, version: str, providers: Sequence[Provider], *, wait: bool = True) -> None:
        self.stop_replica(index)
        try:
            replica = Replica(version, providers, self._store, self._admit, self._key, self._tokens)
        except RefusedToStartError as error:
            if wait:
                raise TimeoutError(f"replica {index}: kube-apiserver {version} ended: {error}") from error
            return
        with self._lock:
            self._replicas[index] = replica
        status, said = replica.readiness()
        if wait and status != 200:
            raise TimeoutError(f"replica {index}: kube-apiserver {version} did not become ready:\n{said}")

    def stop_replica(self, index: int) -> None:
        with self._lock:
            replica, self._replicas[index] = self._replicas[index], None
        if replica:
            replica.drain()

    def kill_replica(self, index: int) -> None:
        self.stop_replica(index)

    def raw(self, prefix: str) -> Mapping[str, bytes]:
        return self._store.values(prefix)

    def revisions(self, prefix: str) -> Mapping[str, int]:
        return {item.key: item.revision for item in self._store.page(prefix).items}

    def put_raw(self, key: str, value: bytes) -> None:
        self._store.put(key, value)

    def compact(self) -> None:
        self._store.compact()

    def deny(self, namespace: str, name: str, webhook_name: str, message: str) -> None:
        """From now on a validating webhook denies every update of this Secret."""
        self._denials[namespace, name] = (webhook_name, message)

    def allow(self, namespace: str, name: str) -> None:
        """Take the webhook of ``deny`` away again."""
        self._denials.pop((namespace, name), None)

    def client_certificate(self, user: str, *groups: str) -> tuple[str, str]:
        """A certificate and key (PEM) for another user than the administrator."""
        pair = self._authority.client(user, *groups)
        return pair.certificate, pair.key

    def _endpoint(self, door: int) -> Endpoint:
        server = f"https://127.0.0.1:{self._doors[door].port}"
        return Endpoint(server, self._authority.pem, self._admin.certificate, self._admin.key)

    def _key(self, provider: Provider) -> KeyService:
        return key_service(provider.key_id, self._vault)

    def _admit(self, target: Target) -> None:
        denial = self._denials.get((target.namespace, target.name))
        if denial and target.resource.plural == "secrets":
            raise faults.denied_by_webhook(*denial)

    def _next(self) -> Replica | None:
        """The next replica in rotation; one that is not ready takes no new connections."""
        with self._lock:
            self._turn += 1
            count = len(self._replicas)
            order = [self._replicas[(self._turn + step) % count] for step in range(count)]
        return next((replica for replica in order if replica and replica.readiness()[0] == 200), None)

    def _create_namespace(self, name: str) -> None:
        obj = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}}
        object_meta.prepare_create(obj["metadata"], "")  # type: ignore[arg-type]
        NAMESPACES.settle(obj)
        managed_fields.track(obj, None, manager="kube-apiserver", api_version="v1")
        self._store.put(NAMESPACES.key("", name), json.dumps(obj).encode(), expected=0)


def _chooser(replicas: list[Replica | None], index: int) -> Callable[[], Replica | None]:
    return lambda: replicas[index]


class _Door:
    """A listening port; each accepted connection goes to the replica that ``choose`` names at that"
    " moment."""

    def __init__(self, choose: Callable[[], Replica | None], context: ssl.SSLContext) -> None:
        self._choose = choose
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name=f"door-{self.port}", daemon=True).start()

    def close(self) -> None:
        # shutdown wakes the thread that is in accept; close alone would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        replica = self._choose()
        if replica is None:
            accepted.close()
            return
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            accepted.settimeout(_HANDSHAKE_SECONDS)
            secured = self._context.wrap_socket(accepted, server_side=True)
            secured.settimeout(None)
        except OSError as error:
            _LOG.debug("no TLS with a client: %s", error)
            accepted.close()
            return
        replica.serve(secured)
