"""One process of the command: the ports as it sees them, until it is killed.

Every call of a port is two points, asked and answered, and one that changes Azure is more. A killed process has no
``finally``: from then on each of its calls raises and does nothing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from azext_kmsmigrate import errors
from azext_kmsmigrate.deeds import World
from azext_kmsmigrate.errors import AzureError, ClusterError, Lost, Refused
from azext_kmsmigrate.migration.events import Counting, Event, Moment, Note, Operating, Waiting, Warned
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsProfile, Offers, SupportPlan
from azext_kmsmigrate.migration.journal import CanaryRecord, Journal, from_document, to_document
from azext_kmsmigrate.migration.node import Node
from azext_kmsmigrate.migration.secret import Answer, Counters, Failure, Page, SecretRef
from azext_kmsmigrate.migration.version import KubernetesVersion
from azext_kmsmigrate.patience import Patience
from azext_kmsmigrate.ports import OperationResult, Tick
from azext_kmsmigrate.rewrite.secrets_inspector import SecretsInspector
from tests.sim.apiservers import CANARY, is_canary
from tests.sim.azure import Change, disabled, enabled, force_ended, pool_upgraded, upgraded
from tests.sim.inspector import SimInspector

if TYPE_CHECKING:
    from tests.sim.cluster import SimCluster


class Killed(BaseException):
    """``kill -9``: nothing of the process runs after it."""


class Process:
    """See the module's docstring. ``points`` counts how far it came."""

    def __init__(self, sim: SimCluster, kill_at: int) -> None:
        self.sim, self._kill_at = sim, kill_at
        self._lock = threading.Lock()
        self.points = 0
        self.dead = False
        self.name = f"process-{id(self):x}"
        self.journal_failures: list[errors.KmsMigrateError] = []
        self.interrupt_at_tick = 0
        self.ticks = 0
        self.waited = 0  # calls that met an API server that was away
        self.on_moment: Callable[[Moment], None] = lambda moment: None
        self.patience = Patience(sim.clock, _Observer(self).tell)

    def world(self) -> World:
        return World(
            cluster=_Cluster(self),
            secrets=_Secrets(self),
            journal=_JournalStore(self),
            lease=_Lease(self),
            nodes=_Nodes(self),
            clock=self.sim.clock,
            observer=_Observer(self),
            inspectors=(SimInspector(self), SecretsInspector(_Secrets(self), self.sim.clock)),
            user=self.name,
            patience=self.patience,
        )

    def point(self) -> None:
        """A point at which the process may be killed."""
        with self._lock:
            if self.dead:
                raise Killed
            self.points += 1
            if self.points == self._kill_at:
                self.dead = True
                raise Killed

    @contextmanager
    def call(self) -> Iterator[SimCluster]:
        self.point()
        yield self.sim
        self.point()

    @contextmanager
    def patient_call(self) -> Iterator[SimCluster]:
        """One that waits for an API server that is away, as those outside the passes do."""
        with self.call() as sim:
            if sim.api.away:
                self.waited += 1
                sim.clock.sleep(min(sim.api.away, self.patience.seconds or 120.0))
            if sim.api.away:
                raise ClusterError(errors.API_UNREACHABLE, what="call it", code="ConnectionError")
            yield sim


class _Cluster:
    def __init__(self, process: Process) -> None:
        self._process = process

    def observe(self) -> ClusterFacts:
        with self._process.call() as sim:
            self._lose_answer("observe")
            return sim.azure.show()

    def offers(self) -> Offers:
        with self._process.call() as sim:
            self._lose_answer("offers")
            return sim.azure.offered()

    def disable_kms(self, seen: ClusterFacts, tick: Tick) -> OperationResult:
        return self._put("disable-kms", seen, disabled, tick)

    def enable_kms(self, seen: ClusterFacts, kms: KmsProfile, tick: Tick) -> OperationResult:
        return self._put("enable-kms", seen, enabled(kms), tick)

    def upgrade(
        self,
        seen: ClusterFacts,
        version: KubernetesVersion,
        *,
        whole: bool,
        tick: Tick,
        plan: SupportPlan | None = None,
        force_until: datetime | None = None,
    ) -> OperationResult:
        until = force_until.strftime("%Y-%m-%dT%H:%M:%SZ") if force_until else ""
        change = upgraded(version, whole=whole, plan=plan, forced_until=until)
        return self._put(f"upgrade {version}", seen, change, tick)

    def end_force(self, seen: ClusterFacts, tick: Tick) -> OperationResult:
        return self._put("end-force", seen, force_ended, tick)

    def upgrade_pool(self, seen: ClusterFacts, pool: str, version: KubernetesVersion, tick: Tick) -> OperationResult:
        return self._put(f"upgrade-pool {pool} {version}", seen, pool_upgraded(pool, version), tick)

    def reconcile(self, seen: ClusterFacts, tick: Tick) -> OperationResult:
        return self._put("reconcile", seen, lambda facts: facts, tick)

    def wait(self, tick: Tick) -> ClusterFacts:
        with self._process.call() as sim:
            while (facts := sim.azure.show()).busy:
                self._lose_answer("wait")
                tick(Operating("an operation under way", facts.state))
                sim.clock.sleep(5.0)
            return facts

    def _lose_answer(self, what: str) -> None:
        if self._process.sim.azure.away:
            raise AzureError(errors.AZURE_UNREACHABLE, what=what, code="ServiceRequestError")
        lost = self._process.sim.azure.lost
        if lost.get(what):
            lost[what] -= 1
            raise AzureError(errors.AZURE_UNREACHABLE, what=what, code="ServiceRequestError")

    def _put(self, what: str, seen: ClusterFacts, change: Change, tick: Tick) -> OperationResult:
        with self._process.call() as sim:
            if sim.azure.away:
                self._lose_answer(what)
            sim.azure.put(what, seen.etag, change)
            self._process.point()
            self._lose_answer(what)
            while not sim.azure.finished():
                tick(Operating(what, "Updating"))
                sim.clock.sleep(10.0)
            return sim.azure.result


class _Secrets:
    def __init__(self, process: Process) -> None:
        self._process = process
        self._own: set[str] = set()

    def page(self, *, namespace: str = "", limit: int = 500, token: str = "") -> Page | Failure:
        with self._process.call() as sim:
            page = sim.api.page(sim.api.next_replica(), namespace, limit, token)
            if isinstance(page, Failure):
                return page
            return replace(page, items=tuple(one for one in page.items if one.uid not in self._own))

    def connect(self) -> _Connection:
        self._process.point()
        return _Connection(self._process, self._process.sim.api.next_replica())

    def create_canary(self) -> SecretRef:
        with self._process.patient_call() as sim:
            return sim.api.create_canary(sim.api.next_replica())

    def find_canary(self) -> SecretRef | None:
        with self._process.patient_call() as sim:
            return sim.api.find_canary()

    def canary_as(self, record: CanaryRecord) -> SecretRef:
        return SecretRef(*CANARY, record.uid, int(record.resource_version), signature=0)

    def delete_canary(self) -> None:
        with self._process.patient_call() as sim:
            sim.api.delete_canary()

    def create_own_canary(self) -> SecretRef:
        with self._process.patient_call() as sim:
            made = sim.api.create_own_canary(sim.api.next_replica())
            self._own.add(made.uid)
            return replace(made, canary=False)

    def delete_own_canary(self, canary: SecretRef) -> None:
        with self._process.patient_call() as sim:
            assert canary.uid in self._own
            if sim.api.delete_fails:
                raise sim.api.delete_fails
            sim.api.delete(canary.namespace, canary.name)


class _Connection:
    """Pinned to one API server; made anew without a word when that one ends it (``ApiServers.ends_connections``)."""

    def __init__(self, process: Process, replica: int) -> None:
        self._process, self._replica = process, replica
        self._held: tuple[int, float] | None = None
        self.made = 0

    def patch(self, namespace: str, name: str, *, dry_run: bool = False) -> Answer:
        with self._process.call() as sim:
            return sim.api.patch(self._reached(sim), (namespace, name), dry_run=dry_run)

    def touch(self, namespace: str, name: str, value: str) -> Answer:
        assert is_canary((namespace, name)), "only the tool's own Secret is ever changed"
        with self._process.call() as sim:
            return sim.api.patch(self._reached(sim), (namespace, name), edit=True)

    def _reached(self, sim: SimCluster) -> int:
        if self._held != (self._replica, sim.api.began(self._replica)):
            if self.made and sim.api.ends_connections:
                self._replica = sim.api.next_replica()
            self.made += not self.made or sim.api.ends_connections
            self._held = self._replica, sim.api.began(self._replica)
        return self._replica

    def answers(self) -> bool:
        with self._process.call() as sim:
            return not sim.api.away

    def signs(self) -> tuple[str, ...]:
        self._process.point()
        return ()

    def counters(self) -> Counters | None:
        with self._process.call() as sim:
            return sim.api.counters(self._reached(sim))

    def close(self) -> None:
        """Nothing to give back."""


class _JournalStore:
    """Keeps the journal as text, and refuses a save over somebody else's."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._version = 0

    def load(self) -> Journal | None:
        with self._process.patient_call() as sim:
            self._version = sim.journal_version
            return from_document(json.loads(sim.journal_document)) if sim.journal_document else None

    def save(self, journal: Journal) -> None:
        with self._process.patient_call() as sim:
            if self._process.journal_failures:
                raise self._process.journal_failures.pop(0)
            if self._version != sim.journal_version:
                raise Lost(errors.LEASE_LOST, holder="another run")
            sim.journal_document = json.dumps(to_document(journal))
            sim.journal_version += 1
            self._version = sim.journal_version


class _Lease:
    def __init__(self, process: Process) -> None:
        self._process = process

    def held(self) -> AbstractContextManager[None]:
        return self._held()

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._process.call() as sim:
            if sim.lease_holder and sim.clock.monotonic() < sim.lease_until:
                raise Refused(errors.LEASE_HELD, name="blue", holder=sim.lease_holder, since="2026-01-31T09:00:00Z")
            sim.lease_holder = self._process.name
            self._extend(sim)
        try:
            yield
        finally:
            if not self._process.dead and sim.lease_holder == self._process.name:
                sim.lease_holder = ""

    def renew(self, *, now: bool = False) -> None:
        self._process.point()
        sim = self._process.sim
        if sim.api.away and not now:
            return
        with self._process.patient_call():
            pass
        if sim.lease_holder not in ("", self._process.name):
            raise Lost(errors.LEASE_LOST, holder=sim.lease_holder)
        if sim.lease_holder:
            self._extend(sim)

    def holder(self) -> str | None:
        with self._process.call() as sim:
            return sim.lease_holder or None

    def _extend(self, sim: SimCluster) -> None:
        sim.lease_until = sim.clock.monotonic() + 60.0


class _Nodes:
    def __init__(self, process: Process) -> None:
        self._process = process

    def all(self) -> tuple[Node, ...]:
        with self._process.patient_call() as sim:
            return sim.nodes()


class _Observer:
    """Remembers the notes and warnings. ``interrupt_at_tick``: Ctrl-C at that sign of life."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def tell(self, event: Event) -> None:
        if isinstance(event, (Note, Warned)):
            self._process.sim.said.append(event.text)
        elif isinstance(event, (Waiting, Counting, Operating)):
            self._process.ticks += 1
            self._process.on_moment(event)
            if self._process.ticks == self._process.interrupt_at_tick:
                raise KeyboardInterrupt

    def watching(self) -> AbstractContextManager[None]:
        return nullcontext()
