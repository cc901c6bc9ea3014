"""Builds from az's ``cmd`` what ``list`` asks, and whom: each tenant has a sign-in of its own."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterable, Iterator, Sized
from typing import Any

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import KmsMigrateError, Refused
from azext_kmsmigrate.listing import ListedCluster, listed
from azext_kmsmigrate.migration.fleet import Scope


def clusters_of(cmd: Any, subscriptions: list[str], management_groups: list[str], group: str) -> list[ListedCluster]:
    """The clusters of subscriptions (ids or names; none: az's own) or of management groups.

    Raises ``Refused`` (UNKNOWN_SUBSCRIPTION), and ``AzureError`` where nothing could be read.
    """
    from azure.cli.core.commands.client_factory import get_subscription_id

    from azext_kmsmigrate.arm.clusters import ArmClusters, GraphClusters
    from azext_kmsmigrate.clock import SystemClock

    sign_ins = _SignIns(cmd.cli_ctx)
    if management_groups:
        scope = Scope(management_groups=tuple(dict.fromkeys(map(_group_name, management_groups))), group=group)
    else:
        ids = sign_ins.ids(subscriptions) if subscriptions else [get_subscription_id(cmd.cli_ctx)]
        scope = Scope(tuple(dict.fromkeys(ids)), group=group)
    clock, told = SystemClock(), _Told(cmd.cli_ctx)
    graph, lists = GraphClusters(sign_ins.client_for, clock), ArmClusters(sign_ins.client_for)
    found = listed(scope, graph, lists, clock.now(), told.hear)
    told.end(found)
    return found


class _SignIns:
    """The subscriptions that az knows of, and a client for the tenant of each."""

    def __init__(self, cli_ctx: Any) -> None:
        from azure.cli.core._profile import Profile

        self._cli_ctx = cli_ctx
        self._known: list[dict[str, Any]] = Profile(cli_ctx=cli_ctx).load_cached_subscriptions()
        self._tenant_of = {str(one["id"]).lower(): str(one["tenantId"]) for one in self._known}
        self._clients: dict[str, Any] = {}

    def ids(self, typed: Iterable[str]) -> Iterator[str]:
        """Ids of what was typed; an id that az has not heard of is for Azure to judge."""
        for text in typed:
            names = (one for one in self._known if text.lower() in (str(one["id"]).lower(), str(one["name"]).lower()))
            found = [str(one["id"]).lower() for one in names]
            if not found and not _is_id(text):
                raise Refused(errors.UNKNOWN_SUBSCRIPTION, subscription=text)
            yield from found or [text.lower()]

    def client_for(self, subscription: str) -> Any:
        from azure.cli.core.commands.client_factory import get_mgmt_service_client

        from azext_kmsmigrate.arm.resource_manager import ResourceManager

        tenant = self._tenant_of.get(subscription.lower(), "")
        if tenant not in self._clients:
            known = subscription if tenant else None
            self._clients[tenant] = get_mgmt_service_client(self._cli_ctx, ResourceManager, subscription_id=known)
        return self._clients[tenant]


def _group_name(typed: str) -> str:
    """A management group is named by its ID, alone or as a resource id."""
    return typed.rstrip("/").rpartition("/")[2]


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


class _Told:
    """What the user is told on stderr: who was asked, and what could not be read."""

    def __init__(self, cli_ctx: Any) -> None:
        from knack.log import get_logger

        self._logger = get_logger(__name__)
        self._silent = bool(cli_ctx.only_show_errors)
        self._source = "Azure Resource Graph, which may be minutes behind"

    def hear(self, error: KmsMigrateError) -> None:
        if error.entry is errors.GRAPH_UNUSED:
            self._logger.warning("%s", error)
            self._source = "Azure Resource Manager"
        else:
            self._logger.error("%s", error)
            self._logger.error("%s", error.fix)

    def end(self, found: list[ListedCluster]) -> None:
        clusters = [one for one in found if one.name]
        places = {one.subscription_id for one in clusters}
        text = f"{_count(clusters, 'cluster')} in {_count(places, 'subscription')}, from {self._source}."
        if not self._silent:
            sys.stderr.write(f"{text}\n")


def _count(things: Sized, noun: str) -> str:
    return f"{len(things):,} {noun}{'' if len(things) == 1 else 's'}"
