"""The world of one migration: Azure, the API servers, what is kept in kube-system, and time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.facts import (
    ClusterFacts,
    ClusterName,
    KmsProfile,
    ManagedIdentity,
    NodePool,
    Surroundings,
)
from azext_kmsmigrate.migration.journal import Journal, from_document
from azext_kmsmigrate.migration.node import Node
from azext_kmsmigrate.migration.secret import StoredAs
from azext_kmsmigrate.migration.version import KMS_V2_FROM, KubernetesVersion
from azext_kmsmigrate.results import RunResult
from azext_kmsmigrate.rewrite.rewriting import Limits
from azext_kmsmigrate.runner import Confirm, Runner
from tests.sim.apiservers import ApiServers, Encryption
from tests.sim.azure import Azure, Put
from tests.sim.clock import FakeClock
from tests.sim.inspector import IDENTITY, PRINCIPAL, WELL
from tests.sim.process import Process

KEY = "https://vault.vault.azure.net/keys/etcd/0123456789abcdef0123456789abcdef"
OTHER_KEY = "https://vault.vault.azure.net/keys/etcd/fedcba9876543210fedcba9876543210"
NAME = ClusterName("blue", "shop", "sub", "/subscriptions/sub/resourceGroups/shop/x/managedClusters/blue")


def agree(cluster: ClusterFacts, plan: object, found: object) -> None:
    """A user who says yes."""


class SimCluster:
    """One cluster. ``roll``: seconds after a change until each API server has taken it on."""

    def __init__(
        self,
        *,
        version: str = "1.26.15",
        kms: bool = True,
        key_id: str = KEY,
        secrets: int = 6,
        replicas: int = 2,
        roll: tuple[float, ...] = (0.0, 1.0),
        offers: dict[str, list[str]] | None = None,
        supported: bool = False,
        pools: tuple[str, ...] = ("system", "user"),
        pool_version: str = "",
        state: str = "Succeeded",
    ) -> None:
        parsed = KubernetesVersion.parse(version)
        of_pools = KubernetesVersion.parse(pool_version or version)
        self.clock = FakeClock()
        self.roll = list(roll)
        facts = ClusterFacts(
            name=NAME,
            version=parsed,
            wanted=parsed,
            state=state,
            power="Running",
            kms=KmsProfile(enabled=kms, key_id=key_id),
            pools=tuple(NodePool(p, of_pools, of_pools, "Succeeded", 2) for p in pools),
            supported=supported,
            surroundings=Surroundings(node_group="MC_shop_blue", identities=(ManagedIdentity(IDENTITY, PRINCIPAL),)),
        )
        self.azure = Azure(
            facts, self.clock.monotonic, self._effect, offers or {"1.26.15": ["1.27.1"], "1.27.1": ["1.28.3"]}
        )
        self.api = ApiServers(encryption_of(facts), replicas, self.clock.monotonic)
        for number in range(secrets):
            self.api.add(f"ns-{number % 3}", f"secret-{number}")
        self.api.writes = 0
        self.lagging_kubelets = 0  # times that nodes are looked at and found at their old version yet
        self.cordoned: set[str] = set()
        self.journal_document = ""
        self.journal_version = 0
        self.lease_holder = ""
        self.lease_until = 0.0
        self.said: list[str] = []
        self.had_v2 = False
        self.answers: dict[Topic[Any], Any] = dict(WELL)
        self.looks: list[Topic[Any]] = []
        self.unreadable_for_good: list[tuple[str, str]] = []

    # what a test does

    def process(self, kill_at: int = 0) -> Process:
        """A new process of the command. ``kill_at``: it dies at that point of its calls, with no clean-up."""
        return Process(self, kill_at)

    def runner(self, limits: Limits | None = None) -> Runner:
        return Runner(self.process().world(), limits or FAST)

    def start(self, request: Request | None = None, confirm: Confirm = agree) -> RunResult:
        """``az aks kms-migrate start``, typed once."""
        return self.runner().run(request or Request(), confirm)

    def after(self, seconds: float) -> SimCluster:
        """Time passes with nobody at work."""
        self.clock.sleep(seconds)
        return self

    def meddle(self, change: Callable[[ClusterFacts], ClusterFacts]) -> None:
        self.azure.meddle(change)

    # what a test sees

    @property
    def puts(self) -> list[str]:
        return [put.what for put in self.azure.puts]

    @property
    def changing_puts(self) -> list[Put]:
        return [put for put in self.azure.puts if put.changed]

    @property
    def forms(self) -> dict[str, int]:
        return {form.value: count for form, count in self.api.forms().items()}

    @property
    def journal(self) -> Journal:
        return from_document(json.loads(self.journal_document))

    @property
    def completed(self) -> bool:
        """Whether the journal says that the migration is complete."""
        return bool(self.journal_document) and not self.journal.unfinished

    def nodes(self) -> tuple[Node, ...]:
        old = KubernetesVersion.parse("1.26.15") if self.lagging_kubelets else None
        self.lagging_kubelets = max(0, self.lagging_kubelets - 1)
        return tuple(
            Node(name := f"{p.name}-{i}", p.name, old or p.version, cordoned=name in self.cordoned)
            for p in self.azure.show().pools
            for i in range(p.count)
        )

    def _effect(self, before: ClusterFacts, after: ClusterFacts, at: float) -> None:
        if before.version < KMS_V2_FROM <= after.version:
            self.unreadable_for_good += [k for k, s in self.api.secrets.items() if s.form is StoredAs.KMS_V1]
        self.had_v2 = self.had_v2 or (after.kms.enabled and after.version >= KMS_V2_FROM)
        self.api.configure(at, self.roll, encryption_of(after, had_v2=self.had_v2))


FAST = Limits(grace=2.0, patience=300.0, parallel=2)


def encryption_of(facts: ClusterFacts, *, had_v2: bool = False) -> Encryption:
    """The providers AKS gives an API server: the form written first, and readers for what may lie there.

    KMS v1 keeps its reader after it was turned off, and has none from 1.27 on. A server learns to read v2 when KMS is
    turned on there, and keeps that reader.
    """
    if facts.version < KMS_V2_FROM:
        first = StoredAs.KMS_V1 if facts.kms.enabled else StoredAs.PLAIN
        return Encryption.of(first, StoredAs.KMS_V1, StoredAs.PLAIN)
    if facts.kms.enabled:
        return Encryption.of(StoredAs.KMS_V2, StoredAs.PLAIN)
    return Encryption.of(StoredAs.PLAIN, *([StoredAs.KMS_V2] if had_v2 else []))


def with_kms(key_id: str = KEY) -> Callable[[ClusterFacts], ClusterFacts]:
    """Somebody turns KMS on."""
    return lambda facts: replace(facts, kms=replace(facts.kms, enabled=True, key_id=key_id))
