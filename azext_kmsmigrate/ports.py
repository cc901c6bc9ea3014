"""The ports: what the loop and the rewriting need from Azure, the cluster, time and the user.

Each has one contract: what its docstrings promise holds for the real adapter and for every stand-in. Adapters turn
foreign exceptions into ``errors``; nothing else may leave them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from azext_kmsmigrate.checks.grant import RoleOffer
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.migration.events import Event, Moment
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsProfile, Offers, SupportPlan
from azext_kmsmigrate.migration.fleet import Scope, Unread
from azext_kmsmigrate.migration.journal import CanaryRecord, Journal
from azext_kmsmigrate.migration.node import Node
from azext_kmsmigrate.migration.secret import Answer, Counters, Failure, Page, SecretRef
from azext_kmsmigrate.migration.upgrade_path import Hop
from azext_kmsmigrate.migration.version import KubernetesVersion

Tick = Callable[[Moment], None]
"""Called about every second while something lasts, with how far it is. May raise to stop."""


@dataclass(frozen=True)
class OperationResult:
    """How an operation of Azure ended. ``code`` and ``detail`` are Azure's own words, empty on success."""

    status: str
    code: str = ""
    detail: str = ""

    @property
    def succeeded(self) -> bool:
        return self.status == "Succeeded"


class Cluster(Protocol):
    """The managed cluster in ARM.

    A change is sent with the etag that was observed: when somebody wrote in between, ``Conflict`` is raised and
    nothing has happened. A refusal raises ``AzureError``. An operation that Azure accepted is followed to its end,
    whatever that is, and returned; it is never sent twice.
    """

    def observe(self) -> ClusterFacts:
        """The cluster now. Raises ``Refused`` (CLUSTER_NOT_FOUND) when there is none."""

    def offers(self) -> Offers: ...

    def disable_kms(self, seen: ClusterFacts, tick: Tick) -> OperationResult: ...

    def enable_kms(self, seen: ClusterFacts, kms: KmsProfile, tick: Tick) -> OperationResult: ...

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
        """``plan``: a support plan to change to in the same request; long term support brings the premium tier.
        ``force_until``: pass over deprecated APIs and PodDisruptionBudgets, for upgrades that begin before it.

        The same version again is Azure's way to finish an upgrade that left something behind.
        """

    def end_force(self, seen: ClusterFacts, tick: Tick) -> OperationResult:
        """Take away what ``force_until`` set: Azure keeps it until that time by itself."""

    def upgrade_pool(
        self, seen: ClusterFacts, pool: str, version: KubernetesVersion, tick: Tick
    ) -> OperationResult: ...

    def reconcile(self, seen: ClusterFacts, tick: Tick) -> OperationResult:
        """One PUT of the cluster as it is: Azure tries again to bring it to the wanted state."""

    def wait(self, tick: Tick) -> ClusterFacts:
        """Follow whatever operation is under way until the cluster is in a terminal state."""


class Connection(Protocol):
    """One TCP connection to the API server: every request on it reaches the same replica for as long as it holds.

    Answers are never raised: a request that got no answer is a ``Failure`` too.
    """

    @property
    def made(self) -> int:
        """How many times it was made: the next request makes one anew that a server has ended, maybe to another."""

    def patch(self, namespace: str, name: str, *, dry_run: bool = False) -> Answer:
        """The empty merge patch: rewrites the Secret if, and only if, its stored form is stale.

        A dry run writes nothing, and meets whatever else stands in the way of writing: rights, the reading of what is
        stored, admission, validation. ``Patched`` then says that there is nothing, with the resourceVersion as it is.
        """

    def touch(self, namespace: str, name: str, value: str) -> Answer:
        """Change an annotation of a Secret of the tool's own, so that it is written for certain."""

    def counters(self) -> Counters | None:
        """The replica's own counters, or None where they may not be read."""

    def answers(self) -> bool:
        """Whether an API server is there at all: any answer of its own will do, whatever it says."""

    def signs(self) -> tuple[str, ...]:
        """What else the cluster shows of its API servers, in words: supports a judgement, decides nothing."""

    def close(self) -> None: ...


class Secrets(Protocol):
    """The Secrets of the cluster. Metadata only; no Secret data crosses the wire."""

    def page(self, *, namespace: str = "", limit: int = 500, token: str = "") -> Page | Failure:
        """One page of the list, consistent with etcd; ``namespace`` empty means all.

        Without the migration's canary and the one of this command; those of other commands are marked.
        """

    def connect(self) -> Connection:
        """A fresh connection, which a load balancer may send to any replica."""

    def create_canary(self) -> SecretRef:
        """Create the migration's canary anew (an older one is deleted first). It stays until ``delete_canary``."""

    def find_canary(self) -> SecretRef | None:
        """The migration's canary as it lies, in a settled cluster: no API server may be unable to read it."""

    def canary_as(self, record: CanaryRecord) -> SecretRef:
        """The migration's canary as it was when the record was made; asks nothing, it may be unreadable just now."""

    def delete_canary(self) -> None:
        """Delete the migration's canary, if it is there."""

    def create_own_canary(self) -> SecretRef:
        """Create a canary for one command, under a name that no other has; remove it with ``delete_own_canary``.

        Those that commands left behind more than an hour ago go, with nothing else.
        """

    def delete_own_canary(self, canary: SecretRef) -> None:
        """Delete a canary that ``create_own_canary`` made, if it is still there."""


class JournalStore(Protocol):
    """Where the journal lives."""

    def load(self) -> Journal | None:
        """The stored journal; None when there is none. Raises ``Refused`` (JOURNAL_FOREIGN) when it is no journal."""

    def save(self, journal: Journal) -> None: ...


class Lease(Protocol):
    """One runner at a time."""

    def held(self) -> AbstractContextManager[None]:
        """Hold the Lease for the length of a ``with``.

        One that another run holds is watched: ``Refused`` (LEASE_HELD) as soon as that run is seen alive; taken over
        when it gave no sign of life for the length of the Lease, or at once when the user said so.
        """

    def renew(self, *, now: bool = False) -> None:
        """Cheap to call often. Raises ``Lost`` when another runner has taken over; ``now``: for certain."""

    def holder(self) -> str | None:
        """Who holds it now, in words; None when nobody does."""


class Nodes(Protocol):
    """The nodes as the cluster shows them."""

    def all(self) -> tuple[Node, ...]:
        """Every node now, from one list."""


@dataclass(frozen=True)
class Question:
    """What a look is about: the cluster, the key that KMS v1 uses or used, and the key to turn KMS v2 on with.

    ``upgrades``: those that are to come, in order, as far as they can be foreseen.
    """

    cluster: ClusterFacts
    original_kms: KmsProfile | None = None
    target_kms: KmsProfile | None = None
    upgrades: tuple[Hop, ...] = ()


class Inspector(Protocol):
    """Looks at what checks read. Read-only; lists each kind at most once.

    What it may not see, or cannot reach, is returned as ``Unseen`` or raised as one of ``errors``: never guessed.
    """

    @property
    def topics(self) -> tuple[Topic[Any], ...]:
        """What it can look at."""

    def look(self, topic: Topic[Any], question: Question) -> Any:
        """What the topic's own docstring promises, or ``Unseen``."""


class Roles(Protocol):
    """Role assignments in Azure."""

    def assign(self, offer: RoleOffer) -> None:
        """Make it, or leave it when it is there. Raises ``AzureError`` (ROLE_NOT_ASSIGNED) when the user may not."""


class Activity(Protocol):
    """Who changed the cluster."""

    def writers(self, since: datetime) -> str:
        """A clause that names who changed it, or says why that is not known. Raises nothing."""


class Clusters(Protocol):
    """The managed clusters of many subscriptions."""

    def pages(self, scope: Scope) -> Iterator[tuple[ClusterFacts | Unread, ...]]:
        """Page by page; one is asked for when the one before is done with, and none is kept.

        What may not be read is among them as ``Unread``. Raises ``AzureError`` when there is no going on: what came
        before is then not to be used.
        """


class Clock(Protocol):
    """Time, so that tests own it."""

    def now(self) -> datetime:
        """UTC."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class Stop(Protocol):
    """Whether the user, or who ended the pipeline's job, wants the command to stop."""

    def due(self) -> None:
        """Raises ``KeyboardInterrupt`` when the time that the user gave is over."""

    def heard(self) -> AbstractContextManager[None]:
        """For the length of a ``with``, a signal to stop raises ``KeyboardInterrupt`` with its name."""


class Observer(Protocol):
    """Who is told what happens; shows it, or not. Never raises for what it is told."""

    def tell(self, event: Event) -> None:
        """Called from one thread."""

    def watching(self) -> AbstractContextManager[None]:
        """For the length of a command's work; what is shown live is gone at its end, whatever ended it."""
