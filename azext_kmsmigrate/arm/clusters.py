"""Asks Azure for the managed clusters of many subscriptions: Resource Graph, or ARM's own lists."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from azext_kmsmigrate import errors
from azext_kmsmigrate.arm.faults import one_line, words_of
from azext_kmsmigrate.arm.resource_manager import Json, ResourceManager
from azext_kmsmigrate.arm.rows import PROPERTIES, facts_of_row, flat
from azext_kmsmigrate.errors import AzureError
from azext_kmsmigrate.migration.facts import ClusterFacts
from azext_kmsmigrate.migration.fleet import Scope, Unread
from azext_kmsmigrate.ports import Clock

Page = tuple[ClusterFacts | Unread, ...]
ClientFor = Callable[[str], ResourceManager]
"""The client with the sign-in for a subscription: of its tenant. An empty text: the one of now."""

_GRAPH, _GRAPH_VERSION = "/providers/Microsoft.ResourceGraph/resources", "2022-10-01"
_CLUSTERS, _CLUSTERS_VERSION = "/providers/Microsoft.ContainerService/managedClusters", "2024-09-01"
_GROUPS, _GROUPS_VERSION = "/providers/Microsoft.Management/managementGroups", "2020-05-01"
# https://learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data, and az graph query's own limits
_ROWS, _MOST_SUBSCRIPTIONS, _MOST_GROUPS = 1000, 1000, 10
_TRIES, _LONGEST = 4, 60.0  # times that one page is asked for; seconds that it is waited for in between


class _Refusal(Exception):
    """Azure's code for what it does not answer."""


class GraphClusters:
    """The port ``Clusters``, on Azure Resource Graph: one request for a thousand clusters of any subscriptions.

    It shows what the sign-in may read and is silent about the rest. Its rows follow a change after some seconds.
    """

    def __init__(self, client_for: ClientFor, clock: Clock) -> None:
        self._client_for, self._clock = client_for, clock

    def pages(self, scope: Scope) -> Iterator[Page]:
        try:
            for client, places in self._requests(scope):
                yield from self._rows(client, {**places, "query": query(scope.group)})
        except _Refusal as refusal:
            raise AzureError(errors.GRAPH_UNUSED, code=str(refusal)) from refusal

    def _requests(self, scope: Scope) -> Iterator[tuple[ResourceManager, Json]]:
        """A client and the places to ask it about, as few times as Azure allows."""
        for groups in _parts(scope.management_groups, _MOST_GROUPS):
            yield self._client_for(""), {"managementGroups": groups}
        tenants: dict[ResourceManager, list[str]] = {}
        for subscription in scope.subscriptions:
            tenants.setdefault(self._client_for(subscription), []).append(subscription)
        for client, subscriptions in tenants.items():
            for part in _parts(tuple(subscriptions), _MOST_SUBSCRIPTIONS):
                yield client, {"subscriptions": part}

    def _rows(self, client: ResourceManager, body: Json) -> Iterator[Page]:
        options: Json = {"$top": _ROWS, "resultFormat": "objectArray"}
        total, rows = -1, 0
        while True:
            found = self._page(client, {**body, "options": options})
            data, token, count = found.get("data"), found.get("$skipToken"), found.get("totalRecords")
            if not isinstance(data, list) or str(found.get("resultTruncated")).lower() == "true":
                raise _Refusal("its answer is cut off")
            # A token is a number of rows to pass over: with clusters that come and go, one may be passed over too.
            if total not in (-1, count):
                raise _Refusal("the clusters changed between two pages")
            total, rows = int(count or 0), rows + len(data)
            page = tuple(map(_read, data))
            del found, data
            yield page
            del page  # one page at a time
            if not token:
                break
            options["$skipToken"] = token
        if rows != total:
            raise _Refusal(f"it gave {rows} clusters of {total}")

    def _page(self, client: ResourceManager, body: Json) -> Json:
        for tried in range(_TRIES):
            answer = _asked(client, "POST", _GRAPH, {"api-version": _GRAPH_VERSION}, body)
            if answer.status_code == 429 and tried + 1 < _TRIES:
                self._clock.sleep(_resets_after(answer.headers))
                continue
            if answer.headers.get("x-ms-user-quota-remaining") == "0" and answer.status_code == 200:
                self._clock.sleep(_resets_after(answer.headers))  # or the next one would be refused
            break
        return _document(answer)


class ArmClusters:
    """The port ``Clusters``, on ARM's list of each subscription, one after the other."""

    def __init__(self, client_for: ClientFor) -> None:
        self._client_for = client_for

    def pages(self, scope: Scope) -> Iterator[Page]:
        for group in scope.management_groups:
            found: list[str] = []
            try:
                for page in _listed(self._client_for(""), f"{_GROUPS}/{group}/descendants", _GROUPS_VERSION):
                    found += [
                        str(one["name"]) for one in page if str(one.get("type")).lower().endswith("subscriptions")
                    ]
            except _Refusal as refusal:
                error = AzureError(errors.MANAGEMENT_GROUP_UNREAD, name=group, code=str(refusal))
                yield (Unread(f"{_GROUPS}/{group}", error),)
            for subscription in found:
                yield from self._of(subscription, scope.group, "")
        for subscription in scope.subscriptions:
            yield from self._of(subscription, scope.group, subscription)

    def _of(self, subscription: str, group: str, tenant_of: str) -> Iterator[Page]:
        place = f"/subscriptions/{subscription}" + (f"/resourceGroups/{group}" if group else "")
        try:
            for page in _listed(self._client_for(tenant_of), place + _CLUSTERS, _CLUSTERS_VERSION):
                yield tuple(_read(flat(cluster)) for cluster in page)
        except _Refusal as refusal:
            error = AzureError(errors.SUBSCRIPTION_UNREAD, subscription=subscription, code=str(refusal))
            yield (Unread(f"/subscriptions/{subscription}", error),)


def query(group: str) -> str:
    """What Resource Graph is asked: the columns of a row, sorted by the one that is unique."""
    columns = [f"{name} = properties.{name}" for name in PROPERTIES]
    only = f"| where resourceGroup =~ {json.dumps(group, ensure_ascii=False)} " if group else ""
    return (
        f"resources | where type =~ 'microsoft.containerservice/managedclusters' {only}"
        f"| project id, name, location, identityType = identity.type, {', '.join(columns)} | order by id asc"
    )


def _listed(client: ResourceManager, path: str, version: str) -> Iterator[list[Json]]:
    """Each page of an ARM list. Raises ``_Refusal``."""
    found = _document(_asked(client, "GET", path, {"api-version": version}))
    while True:
        link = str(found.get("nextLink") or "")
        page = found.get("value") or []
        del found
        yield page
        del page  # one page at a time
        if not link:
            return
        if not client.holds(link):
            raise _Refusal("its list goes on at another address than Azure's own")
        found = _document(_asked(client, "GET", link))


def _asked(client: ResourceManager, *request: Any) -> Any:
    """Azure's answer. Raises ``_Refusal`` without one, and ``AzureError`` where the sign-in gives no token."""
    from azure.core.exceptions import AzureError as SdkError
    from azure.core.exceptions import ClientAuthenticationError
    from knack.util import CLIError

    what = "listing the clusters"
    try:
        answer = client.answer(*request)
    except (ClientAuthenticationError, CLIError) as error:
        raise AzureError(errors.SIGN_IN_FAILED, what=what, code=type(error).__name__) from error
    except SdkError as error:
        raise _Refusal(type(error).__name__) from error
    if answer.status_code == 401:
        raise AzureError(errors.SIGN_IN_FAILED, what=what, code=_code(answer))
    return answer


def _document(answer: Any) -> Json:
    if answer.status_code >= 300:
        raise _Refusal(_code(answer))
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _Refusal("it answered with something else than a document")
    return found


def _code(answer: Any) -> str:
    """Azure's own; Resource Graph's is in the details, under a ``BadRequest`` that says nothing."""
    from azure.core.exceptions import HttpResponseError

    error = HttpResponseError(response=answer)
    details = getattr(error.error, "details", None) or ()
    inner = next((one.code for one in details if one.code), None)
    return one_line(str(inner)) if inner else words_of(error)[0]


def _read(row: Json) -> ClusterFacts | Unread:
    try:
        return facts_of_row(row)
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        name, id_ = str(row.get("name") or "?"), str(row.get("id") or "?")
        return Unread(id_, AzureError(errors.CLUSTER_UNREAD, name=name, id=id_, failure=type(error).__name__))


def _parts(names: tuple[str, ...], most: int) -> Iterator[list[str]]:
    for begin in range(0, len(names), most):
        yield list(names[begin : begin + most])


def _resets_after(headers: Mapping[str, str]) -> float:
    """``x-ms-user-quota-resets-after`` (hh:mm:ss) in seconds; the usual window where it is missing."""
    found = re.fullmatch(r"(\d+):(\d+):(\d+)(?:\.\d+)?", headers.get("x-ms-user-quota-resets-after") or "")
    if found is None:
        return 5.0
    hours, minutes, seconds = map(int, found.groups())
    return min(_LONGEST, hours * 3600 + minutes * 60 + seconds + 0.5)
