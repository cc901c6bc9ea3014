"""One lab put together: the local Azure, a host for the API servers, the control plane between them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.lab import seeding
from tests.lab.azure.cluster import pool_counts
from tests.lab.azure.kubeconfig import with_certificate
from tests.lab.azure.local import LocalAzure
from tests.lab.connections import ConnectionProxy
from tests.lab.controlplane.plane import ControlPlane
from tests.lab.controlplane.ports import ReplicaHost
from tests.lab.controlplane.real import binaries
from tests.lab.controlplane.real.distant_network import DistantNetwork
from tests.lab.controlplane.real.host import RealReplicaHost
from tests.lab.embedded.host import EmbeddedReplicaHost
from tests.lab.model import SECRETS_PREFIX, Endpoint, EntraTrust, LabOptions, VaultAccess
from tests.lab.webhook import NAME, AdmissionWebhooks, refusal


class Laboratory:
    """Everything of one lab, in this process and its children. ``stop`` leaves nothing running."""

    def __init__(self, directory: Path, options: LabOptions) -> None:
        self.directory = directory
        self.options = options
        azure = directory / "azure"
        azure.mkdir(mode=0o700)
        self.azure = LocalAzure(azure, options)
        self.seeded: Mapping[str, bytes] = {}
        """The raw values as they were when the lab was ready: what ``put-raw`` puts back."""
        self.proxy: ConnectionProxy | None = None
        self._webhooks: AdmissionWebhooks | None = None
        self._network: DistantNetwork | None = None
        self._denied: set[tuple[str, str]] = set()
        self._ends = contextlib.ExitStack()
        self._ending = threading.Lock()

    def start(self) -> None:
        """Block until az and kubectl can be used; on failure nothing is left running."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        with self._ending:
            self._ends.close()

    def etcd(self) -> dict[str, int]:
        """Raw counts by stored form."""
        return {form.value: count for form, count in self.plane.stored().by_form.items()}

    def history(self) -> list[dict[str, object]]:
        """Each configuration the control plane had: since when, and what the store held just then."""
        return [
            {
                "at": change.at,
                "version": change.configuration.version,
                "providers": [
                    {"kind": p.kind, "apiVersion": p.api_version, "name": p.name, "keyId": p.key_id}
                    for p in change.configuration.providers
                ],
                "etcd": {form.value: count for form, count in change.stored.by_form.items()},
                "unreadable": list(change.stored.unreadable),
            }
            for change in self.plane.history
        ]

    def environment(self) -> dict[str, str]:
        """What az and kubectl need in their environment."""
        return {**self.azure.environment(), "KUBECONFIG": str(self.directory / "kubeconfig")}

    def _start(self) -> None:
        options = self.options
        self._begin(self.azure.start, self.azure.stop)
        self.host = self._host()
        self.plane = ControlPlane(
            self.host,
            options.kubernetes,
            self.azure.key_id() if options.kms else None,
            pool_counts(options),
            options.roll_seconds,
        )
        self._begin(self.plane.start, self.plane.stop)
        if options.rtt_ms or "proxy" in options.extra:
            self.proxy = ConnectionProxy(self.host.endpoint().server, options.rtt_ms / 1000)
            self._begin(self.proxy.start, self.proxy.stop)
            self.plane.door = self.proxy.address
        self.azure.attach(self.plane)
        seeding.seed(self.host.endpoint(), options.secrets)
        self.seeded = self.host.raw(SECRETS_PREFIX)
        self._write_kubeconfig(self.plane.endpoint())

    def _begin(self, start: Callable[[], None], stop: Callable[[], None]) -> None:
        # What failed to start may have started halfway.
        self._ends.callback(stop)
        start()

    def _host(self) -> ReplicaHost:
        options = self.options
        vault: VaultAccess = self.azure.vault_access()
        entra: EntraTrust | None = self.azure.entra_trust() if options.access == "entra" else None
        directory = self.directory / "replicas"
        if options.apiserver == "embedded":
            return EmbeddedReplicaHost(directory, options.replicas, vault=vault, entra=entra)
        if missing := binaries.missing():
            raise RuntimeError("the real API servers cannot run here: " + "; ".join(missing))
        flags = options.extra.get("apiserver-flags", "").split()
        return RealReplicaHost(directory, options.replicas, vault=vault, entra=entra, extra_flags=flags)

    def move_away(self, rtt_ms: float) -> None:
        """Put a network of this round trip before the front door, for who connects from now on; 0: none."""
        network, self._network = self._network, None
        self.plane.door = self.proxy.address if self.proxy else ""
        if network:
            network.stop()
        if rtt_ms:
            log = self.directory / "toxiproxy.log"
            network = DistantNetwork(binaries.toxiproxy(), self.host.endpoint().server, rtt_ms, log)
            self._begin(network.start, network.stop)
            self._network, self.plane.door = network, network.url
        self._write_kubeconfig(self.plane.endpoint())

    def deny(self, namespace: str, name: str) -> None:
        """From now on an admission webhook refuses this Secret's updates."""
        self._denied.add((namespace, name))
        if isinstance(self.host, EmbeddedReplicaHost):
            self.host.deny(namespace, name, NAME, refusal(namespace, name))
            return
        self.webhooks().deny(namespace, name)

    def webhooks(self) -> AdmissionWebhooks:
        """The admission webhooks of real API servers; RuntimeError for the embedded ones, which have none."""
        if isinstance(self.host, EmbeddedReplicaHost):
            raise RuntimeError("the embedded API servers call no webhook")
        if self._webhooks is None:
            self._webhooks = AdmissionWebhooks(self.directory, self.host.endpoint(), self.host.put_raw)
            self._ends.callback(self._webhooks.stop)
        return self._webhooks

    def allow(self) -> None:
        """Take every admission webhook away again."""
        if isinstance(self.host, EmbeddedReplicaHost):
            for namespace, name in self._denied:
                self.host.allow(namespace, name)
        elif self._webhooks is not None:
            self._webhooks.allow()
        self._denied.clear()

    def _write_kubeconfig(self, endpoint: Endpoint) -> None:
        file = self.directory / "kubeconfig"
        file.touch(0o600)
        file.write_text(with_certificate(endpoint, self.options.name, "administrator"))
