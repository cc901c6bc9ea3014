"""Does what an AKS control plane does: keeps the encryption configuration, rolls replicas, moves nodes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.lab.administrator import Administrator, administrator
from tests.lab.controlplane.encryption import Configuration, initial
from tests.lab.controlplane.ports import ReplicaHost
from tests.lab.model import SECRETS_PREFIX, Endpoint, Provider, StoredForm

NODES = "/api/v1/nodes"
NAMESPACES = "/api/v1/namespaces"


@dataclass(frozen=True)
class Stored:
    """The Secrets in the store at one moment."""

    by_form: Mapping[StoredForm, int]
    unreadable: tuple[str, ...] = ()
    """Keys (``/registry/secrets/<namespace>/<name>``) that no provider of the configuration reads."""


@dataclass(frozen=True)
class Change:
    """A line of a control plane's history: a configuration, since when, and what the store held then."""

    at: float
    """Seconds since the epoch."""
    configuration: Configuration
    stored: Stored


@dataclass
class Roll:
    """The pause between two replicas of a roll; may change while one is under way."""

    seconds: float = 0.0
    _moved: threading.Condition = field(default_factory=threading.Condition)

    def set(self, seconds: float) -> None:
        with self._moved:
            self.seconds = seconds
            self._moved.notify_all()

    def pause(self) -> None:
        begun = time.monotonic()
        with self._moved:
            while (left := begun + self.seconds - time.monotonic()) > 0:
                self._moved.wait(left)


class ControlPlane:
    """Implements ``Plane`` on any ``ReplicaHost``.

    ``pools`` are the node pools with their number of nodes; nodes are named ``aks-<pool>-<n>``. ``door`` is
    the address to hand out when something stands before the host's front door.
    """

    def __init__(
        self,
        host: ReplicaHost,
        version: str,
        key_id: str | None,
        pools: Mapping[str, int],
        roll_seconds: float = 0.0,
    ) -> None:
        self.host = host
        self.configuration = initial(version, key_id)
        self.history: list[Change] = []
        self.roll = Roll(roll_seconds)
        self.door = ""
        self._pools = dict(pools)
        self._rolled = True
        # Changes come one at a time, as AKS has it; faults may come in between.
        self._changing = threading.Lock()

    def start(self) -> None:
        """Start the store and all replicas, then create what AKS creates: kube-system and the nodes."""
        self.host.start()
        self._record()
        for index in range(self.host.replica_count):
            self.run_replica(index)
        with administrator(self.host.endpoint()) as api:
            for name in ("default", "kube-system"):
                api.create_if_absent(NAMESPACES, {"metadata": {"name": name}})
            for pool, count in self._pools.items():
                for number in range(count):
                    self._create_node(api, pool, number)

    def stop(self) -> None:
        self.roll.set(0.0)
        self.host.stop()

    def endpoint(self) -> Endpoint:
        front = self.host.endpoint()
        return replace(front, server=self.door) if self.door else front

    def set_kms(self, key_id: str | None) -> None:
        with self._changing:
            self._change(self.configuration.with_kms(key_id))

    def upgrade(self, version: str) -> None:
        with self._changing:
            self._change(self.configuration.upgraded(version))

    def upgrade_pool(self, pool: str, version: str) -> None:
        with self._changing, administrator(self.host.endpoint()) as api:
            for number in range(self._pools[pool]):
                self._report_kubelet(api, pool, number, version)

    def disruption_budgets(self) -> list[dict[str, Any]]:
        with administrator(self.host.endpoint()) as api:
            return list(api.items("/apis/policy/v1/poddisruptionbudgets"))

    def run_replica(self, index: int, providers: Sequence[Provider] | None = None) -> None:
        """(Re)start one replica, as configured or with providers of its own until the next roll."""
        config = self.configuration
        self.host.run_replica(index, config.version, config.providers if providers is None else providers)

    def stored(self) -> Stored:
        """What etcd holds now."""
        return survey(self.host.raw(SECRETS_PREFIX), self.configuration)

    def _change(self, configuration: Configuration) -> None:
        if configuration != self.configuration:
            self.configuration = configuration
            self._record()
        elif self._rolled:
            return
        # A roll that fails is done over by the next change, the same one (a reconcile) included.
        self._rolled = False
        for index in range(self.host.replica_count):
            if index:
                self.roll.pause()
            self.run_replica(index)
        self._rolled = True

    def _record(self) -> None:
        self.history.append(Change(time.time(), self.configuration, self.stored()))

    def _create_node(self, api: Administrator, pool: str, number: int) -> None:
        labels = {"agentpool": pool, "kubernetes.azure.com/agentpool": pool, "kubernetes.io/os": "linux"}
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": node_name(pool, number), "labels": labels},
        }
        api.create_if_absent(NODES, node)
        self._report_kubelet(api, pool, number, self.configuration.version)

    def _report_kubelet(self, api: Administrator, pool: str, number: int, version: str) -> None:
        status = {
            "nodeInfo": {"kubeletVersion": f"v{version}", "kubeProxyVersion": f"v{version}"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        }
        api.merge(f"{NODES}/{node_name(pool, number)}/status", {"status": status})


def node_name(pool: str, number: int) -> str:
    return f"aks-{pool}-{number}"


def survey(raw: Mapping[str, bytes], configuration: Configuration) -> Stored:
    """Count raw Secret values by stored form, and name those that no provider reads."""
    forms = Counter(map(StoredForm.of, raw.values()))
    unreadable = tuple(sorted(key for key, value in raw.items() if not configuration.reads(value)))
    return Stored({form: forms[form] for form in StoredForm}, unreadable)
