"""The port between a control plane's decisions and whatever runs its API servers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from tests.lab.model import Endpoint, Provider


class ReplicaHost(Protocol):
    """API server replicas on one store, behind one front door: real processes, or the embedded stand-in.

    Versions are full (``1.26.15``). Providers are in the order of the EncryptionConfiguration: the first
    writes, all read. Calls block until what they say is true; a replica that does not become ready raises
    ``TimeoutError`` with what it last said.
    """

    def start(self) -> None:
        """Start the store and the front door; no replica runs yet."""

    def stop(self) -> None:
        """End everything that start and run_replica began; safe to call twice."""

    @property
    def replica_count(self) -> int: ...

    def endpoint(self) -> Endpoint:
        """The front door: each new connection may reach any running replica (round robin)."""

    def replica_endpoint(self, index: int) -> Endpoint:
        """Past the front door, to one replica."""

    def run_replica(self, index: int, version: str, providers: Sequence[Provider], *, wait: bool = True) -> None:
        """(Re)start one replica with this version and configuration; others go on serving.

        Clients of the old process are drained: the front door sends nothing new to it before it ends.
        With ``wait=False`` a replica that never becomes ready is not an error.
        """

    def stop_replica(self, index: int) -> None: ...

    def kill_replica(self, index: int) -> None:
        """End one replica at once, in the middle of what it does; the front door finds out by itself."""

    def raw(self, prefix: str) -> Mapping[str, bytes]:
        """The raw stored values below a key prefix, straight from the store."""

    def revisions(self, prefix: str) -> Mapping[str, int]:
        """The revision at which each key below a prefix was last written, whatever with."""

    def put_raw(self, key: str, value: bytes) -> None: ...

    def compact(self) -> None:
        """Compact the store's history to now: older continue tokens become 410 Expired."""


class Plane(Protocol):
    """What the local Azure asks of a control plane; each call blocks until the change has fully happened."""

    def endpoint(self) -> Endpoint: ...

    def set_kms(self, key_id: str | None) -> None:
        """Turn KMS on with a key, or off (None): rewrite the EncryptionConfiguration, roll the replicas."""

    def upgrade(self, version: str) -> None:
        """Start this version's API servers on the same store, one replica after the other."""

    def disruption_budgets(self) -> Iterable[Mapping[str, Any]]:
        """The cluster's PodDisruptionBudgets, as the API server shows them."""

    def upgrade_pool(self, pool: str, version: str) -> None:
        """Let the kubelets of a pool's nodes follow, node by node."""
