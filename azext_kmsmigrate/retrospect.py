"""Looks at what a report is made from: the cluster as it is now, and its journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from azext_kmsmigrate.deeds import World
from azext_kmsmigrate.errors import AzureError, ClusterError, KmsMigrateError
from azext_kmsmigrate.handover.account import Seen
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.facts import Offers
from azext_kmsmigrate.migration.plan import Situation, without_api_server
from azext_kmsmigrate.standing import goes_back

_T = TypeVar("_T")


def retrospect(world: World) -> Seen:
    """What is seen. Raises what keeps Azure from telling of the cluster, or the cluster of its journal.

    Without the journal there is no report: one that says nothing of a migration would say that there was none.
    """
    cluster, unseen = world.cluster.observe(), list[KmsMigrateError]()
    if refusal := without_api_server(cluster):
        raise refusal
    journal = world.journal.load()

    def seen(look: Callable[[], _T], otherwise: _T) -> _T:
        try:
            return look()
        except (AzureError, ClusterError) as error:
            unseen.append(error)
            return otherwise

    situation = Situation(cluster, seen(world.cluster.offers, Offers(seen=False)), journal)
    plan = Request(back=goes_back(journal, cluster)).decide(situation)
    holder = seen(world.lease.holder, None)
    by = ", ".join(part for part in (world.account, world.user, world.tool) if part)
    return Seen(situation, plan, holder, tuple(error.what for error in unseen), world.clock.now(), by)
