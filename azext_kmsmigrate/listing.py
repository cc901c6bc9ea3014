"""Lists managed clusters with what each needs: Resource Graph where it answers, ARM's lists where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from azext_kmsmigrate import errors
from azext_kmsmigrate.checks.check import Check, Finding
from azext_kmsmigrate.checks.need import Need, blockers, need_of
from azext_kmsmigrate.errors import AzureError, KmsMigrateError
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsState
from azext_kmsmigrate.migration.fleet import Scope, Unread
from azext_kmsmigrate.ports import Clusters

_MOST_BLOCKERS = 10  # of one cluster: a list of thousands is no report of one
_NO_GROUP = "ResourceGroupNotFound"


@dataclass(frozen=True)
class BlockerDocument:
    """What stops a migration of the cluster, and what to type; ``id`` is a check's, or a code."""

    id: str
    object: str
    what: str
    fix: str

    @classmethod
    def of(cls, check: Check, finding: Finding) -> BlockerDocument:
        return cls(check.id, finding.subject, finding.what, finding.fix)


@dataclass(frozen=True)
class ListedCluster:
    """One row of ``list``. ``kms`` and ``needs``: see ``KmsState`` and ``Need``.

    What could not be read has a row too, with ``needs: unknown``, why under ``blockedBy``, and null for the rest.
    """

    id: str
    name: str | None
    resource_group: str | None
    subscription_id: str
    location: str | None
    kubernetes_version: str | None
    kms: str | None
    provisioning_state: str | None
    power_state: str | None
    needs: str
    blocked_by: list[BlockerDocument]
    next_command: str | None

    @classmethod
    def of(cls, cluster: ClusterFacts, now: datetime) -> ListedCluster:
        need = need_of(cluster)
        found = islice(blockers(cluster, now), _MOST_BLOCKERS) if need is not Need.NOTHING else ()
        blocked = [BlockerDocument.of(*one) for one in found]
        name = cluster.name
        verb = _next(need, cluster.kms_state)
        command = f"az aks kms-migrate {verb} {name.option_text} --subscription {name.subscription}" if verb else None
        return cls(
            id=name.resource_id,
            name=name.name,
            resource_group=name.group,
            subscription_id=name.subscription,
            location=cluster.location,
            kubernetes_version=str(cluster.version),
            kms=cluster.kms_state.value,
            provisioning_state=cluster.state,
            power_state=cluster.power,
            needs=need.value,
            blocked_by=blocked,
            next_command=command,
        )

    @classmethod
    def unread(cls, found: Unread) -> ListedCluster:
        error = found.error
        why = BlockerDocument(error.entry.code, found.resource_id, f"{error.what} {error.why}", error.fix)
        return cls(
            id=found.resource_id,
            name=None,
            resource_group=None,
            subscription_id=found.subscription,
            location=None,
            kubernetes_version=None,
            kms=None,
            provisioning_state=None,
            power_state=None,
            needs=Need.UNKNOWN.value,
            blocked_by=[why],
            next_command=None,
        )


def listed(
    scope: Scope,
    graph: Clusters,
    lists: Clusters,
    now: datetime,
    tell: Callable[[KmsMigrateError], None],
) -> list[ListedCluster]:
    """All clusters of the scope, by subscription, group and name; what could not be read comes last.

    :param tell: is told why Resource Graph was not used, and of everything that could not be read
    :raises AzureError: nothing of the scope could be read
    """
    found, rest = _Found(now), scope
    try:
        found.take(graph.pages(scope))
    except AzureError as error:
        if error.entry is not errors.GRAPH_UNUSED:
            raise
        tell(error)
        found = _Found(now)
    else:
        # It says as little of a subscription that may not be read as of one without clusters.
        silent = tuple(one for one in scope.subscriptions if one.lower() not in found.subscriptions)
        rest = replace(scope, subscriptions=silent, management_groups=())
    found.take(lists.pages(rest))
    # Where several are asked, a group of that name need not be in each.
    several = len(scope.subscriptions) != 1
    unread = [one for one in found.unread if not (several and one.error.values.get("code") == _NO_GROUP)]
    if unread and not found.rows and len(unread) >= len(scope.subscriptions) + len(scope.management_groups):
        raise unread[0].error
    for one in unread:
        tell(one.error)
    return [*sorted(found.rows.values(), key=_place), *map(ListedCluster.unread, unread)]


class _Found:
    """What came so far: small rows, each cluster once, and no page of what Azure answered."""

    def __init__(self, now: datetime) -> None:
        self.rows: dict[str, ListedCluster] = {}
        self.unread: list[Unread] = []
        self.subscriptions: set[str] = set()
        self._now = now

    def take(self, pages: Iterator[tuple[ClusterFacts | Unread, ...]]) -> None:
        for page in pages:
            self._keep(page)
            del page  # before the next is asked for

    def _keep(self, page: tuple[ClusterFacts | Unread, ...]) -> None:
        for one in page:
            if isinstance(one, Unread):
                self.unread.append(one)
                self.subscriptions.add(one.subscription)
            else:
                row = ListedCluster.of(one, self._now)
                self.rows[row.id.lower()] = row
                self.subscriptions.add(row.subscription_id)


def _place(row: ListedCluster) -> tuple[str, str, str]:
    return row.subscription_id, (row.resource_group or "").lower(), (row.name or "").lower()


def _next(need: Need, kms: KmsState) -> str:
    """The command that looks closer; empty for none."""
    if need is Need.MIGRATION:
        return "check"
    if need is Need.COMPLETION:
        return "show"
    return "verify" if kms is KmsState.V2 else ""
