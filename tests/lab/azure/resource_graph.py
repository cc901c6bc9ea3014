"""Azure Resource Graph: queries over the resources of every subscription that the caller may read.

Refusals are those that the service was seen to give: Azure/azure-cli-extensions (``src/resource-graph/.../recordings``,
issue 3325), Azure/azure-sdk-for-java#29924, Azure/aztfexport#491, rubrikinc/rubrik-sizing-scripts#87.
"""

from __future__ import annotations

import base64
import enum
import json
import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from datetime import datetime, timezone

from tests.lab.azure import kusto
from tests.lab.azure.gate import check_api_version
from tests.lab.azure.grants import Grants
from tests.lab.azure.identity import TENANT_ID, Identity
from tests.lab.azure.refusal import ServiceError
from tests.lab.azure.resources import Json, Resources
from tests.lab.azure.server import Request, Response, Router
from tests.lab.azure.subscriptions import Subscriptions

_VERSIONS = ("2019-04-01", "2021-03-01", "2022-10-01", "2024-04-01")
_QUERIES, _WINDOW_SECONDS = 15, 5  # "at most 15 queries within every 5-second window"
_MOST_ROWS, _MOST_SUBSCRIPTIONS, _MOST_GROUPS = 1000, 1000, 10
_TEXTS = ("id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy")
_DYNAMICS = ("sku", "plan", "properties", "tags", "identity", "zones", "extendedLocation")
_COLUMNS = dict.fromkeys(_TEXTS, kusto.STRING) | dict.fromkeys(_DYNAMICS, kusto.DYNAMIC)
# In tables of their own, which the lab does not serve.
_ELSEWHERE = ("microsoft.authorization/", "microsoft.resources/", "microsoft.management/", "subscription")


class GraphFault(str, enum.Enum):
    """What Resource Graph answers instead of rows. ``absent``: this cloud has none. ``truncated``: no further page."""

    NONE = "ok"
    DENIED = "denied"
    ABSENT = "absent"
    AWAY = "away"
    TRUNCATED = "truncated"


class ResourceGraph:
    """``queries``: how many a caller may send in the window, as long as nobody changes it."""

    def __init__(
        self,
        identity: Identity,
        resources: Resources,
        grants: Grants,
        subscriptions: Subscriptions,
        cluster: Callable[[], Json],
    ) -> None:
        self.fault = GraphFault.NONE
        self.queries = _QUERIES
        self._identity = identity
        self._resources = resources
        self._grants = grants
        self._subscriptions = subscriptions
        self._cluster = cluster
        self._asked: dict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def add_routes(self, router: Router) -> None:
        router.add("POST", "/providers/Microsoft.ResourceGraph/resources", self._query)

    def _query(self, request: Request) -> Response:
        caller = str(self._identity.arm_caller(request)["oid"])
        if self.fault is GraphFault.ABSENT:
            message = "The resource namespace 'Microsoft.ResourceGraph' is invalid."
            raise ServiceError(404, "InvalidResourceNamespace", message)
        version = check_api_version(request)
        if version not in _VERSIONS:
            message = (
                "The resource type 'resources' could not be found in the namespace 'Microsoft.ResourceGraph' for api "
                f"version '{version}'. The supported api-versions are '{','.join(_VERSIONS)}'."
            )
            raise ServiceError(400, "InvalidResourceType", message)
        if self.fault is GraphFault.AWAY:
            raise ServiceError(503, "ServiceUnavailable", "The service is unavailable.")
        headers = self._quota(caller)
        if self.fault is GraphFault.DENIED:
            raise _denied(headers)
        return self._answer(request.json(), caller, headers, table=version == _VERSIONS[0])

    def _quota(self, caller: str) -> dict[str, str]:
        """Count the query; the headers that every answer has."""
        with self._lock:
            now, asked = time.monotonic(), self._asked[caller]
            while asked and asked[0] <= now - _WINDOW_SECONDS:
                asked.popleft()
            left = self.queries - len(asked)
            after = _WINDOW_SECONDS - (now - asked[0]) if asked else float(_WINDOW_SECONDS)
            if left > 0:
                asked.append(now)
        headers = {
            "x-ms-user-quota-remaining": str(max(0, left - 1)),
            "x-ms-user-quota-resets-after": f"00:00:{int(after) + (after > int(after)):02d}",
        }
        if left <= 0:
            message = (
                "Client application has been throttled and should not attempt to repeat the request until an amount "
                "of time has elapsed. Please see https://aka.ms/resourcegraph-throttling for help."
            )
            raise _refused(429, "RateLimiting", [{"code": "RateLimiting", "message": message}], headers)
        return headers

    def _answer(self, body: Json, caller: str, headers: dict[str, str], *, table: bool) -> Response:
        places = self._places(body, caller, headers)
        options = body.get("options") or {}
        tables = {"resources": (_COLUMNS, self._rows(places, caller))}
        try:
            found = kusto.run(str(body.get("query") or ""), tables)
        except kusto.QueryError as error:
            raise _bad(_invalid(error), headers) from None
        most, skipped = _page(options, headers)
        rows = found.rows[skipped : skipped + most]
        more = skipped + len(rows) < len(found.rows)
        pageable = found.pageable and self.fault is not GraphFault.TRUNCATED
        answer: Json = {
            "totalRecords": len(found.rows),
            "count": len(rows),
            "data": rows,
            "facets": [],
            "resultTruncated": "true" if more and not pageable else "false",
        }
        if options.get("resultFormat", "table" if table else "objectArray") == "table":
            columns = [{"name": name, "type": kind} for name, kind in found.columns.items()]
            answer["data"] = {"columns": columns, "rows": [[row[c["name"]] for c in columns] for row in rows]}
        if more and pageable:
            answer["$skipToken"] = _token(most, skipped + len(rows))
        return Response(200, answer, headers)

    def _places(self, body: Json, caller: str, headers: dict[str, str]) -> set[str]:
        """The ids of the subscriptions that the query is about and the caller sees."""
        subscriptions, groups = body.get("subscriptions") or [], body.get("managementGroups") or []
        visible = {one.lower() for one in self._subscriptions.seen_by(caller)}
        if len(subscriptions) > _MOST_SUBSCRIPTIONS or len(groups) > _MOST_GROUPS:
            raise _bad([{"code": "TooManyScopes", "message": "https://aka.ms/arg-error-toomanysubs"}], headers)
        unknown = [group for group in groups if not self._subscriptions.has_group(group)]
        if unknown:
            given = ",".join(unknown)
            message = f"The provided management groups must be valid. Given: '{given}'."
            raise _bad([{"code": "ManagementGroupsContainInvalidIds", "message": message}], headers)
        wanted = {str(one).lower() for one in subscriptions}
        if subscriptions and not any(self._resources.get(f"/subscriptions/{one}") for one in wanted):
            given = ",".join(map(str, subscriptions))
            message = (
                f"There must be at least one subscription that is eligible to contain resources. Given: '{given}'."
            )
            raise _bad([{"code": "NoValidSubscriptionsInQueryRequest", "message": message}], headers)
        for group in groups:
            wanted |= {one.lower() for one in self._subscriptions.below(group)}
        seen = visible & wanted if subscriptions or groups else visible
        if not seen:
            raise _denied(headers)
        return seen

    def _rows(self, places: set[str], caller: str) -> Iterator[kusto.Row]:
        """What the caller may read there. Rights are asked once a group unless it has none for all of it."""
        groups: dict[tuple[str, str], bool] = {}
        for document in [self._cluster(), *self._resources.everything()]:
            kind, parts = str(document["type"]).lower(), str(document["id"]).split("/")
            if len(parts) < 9 or parts[2].lower() not in places or kind.startswith(_ELSEWHERE):
                continue
            action, group = f"{document['type']}/read", "/".join(parts[:5])
            if (group, kind) not in groups:
                groups[group, kind] = self._grants.allowed(caller, action, group)
            if groups[group, kind] or self._grants.allowed(caller, action, document["id"]):
                row = {name: document.get(name) for name in _COLUMNS}
                place = {"subscriptionId": parts[2].lower(), "resourceGroup": parts[4].lower(), "tenantId": TENANT_ID}
                yield row | {"type": kind} | place


def _page(options: Json, headers: dict[str, str]) -> tuple[int, int]:
    """How many rows, and how many of them are passed over before."""
    most, skipped = options.get("$top", _MOST_ROWS), options.get("$skip", 0)
    if token := options.get("$skipToken"):
        try:
            kept = json.loads(base64.b64decode(token, validate=True))
            most, skipped = options.get("$top", kept["MaxRows"]), kept["RowsToSkip"]
        except (ValueError, KeyError, TypeError):
            raise _bad([{"code": "InvalidSkipToken", "message": "The skip token is invalid."}], headers) from None
    if not isinstance(most, int) or not 1 <= most <= _MOST_ROWS:
        message = f"The value of $top must be between 1 and {_MOST_ROWS}."
        raise _bad([{"code": "InvalidOptions", "message": message}], headers)
    return most, skipped


def _token(most: int, skipped: int) -> str:
    return base64.b64encode(json.dumps({"$id": "1", "MaxRows": most, "RowsToSkip": skipped}).encode()).decode()


def _invalid(error: kusto.QueryError) -> list[Json]:
    first = (
        "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the error "
    )
    detail: Json = {"code": error.code, "message": error.message}
    if error.token:
        detail |= {"line": error.line, "characterPositionInLine": error.place, "token": error.token}
    return [{"code": "InvalidQuery", "message": f"{first}before retrying."}, detail]


def _denied(headers: dict[str, str]) -> ServiceError:
    message = "Access is denied to the requested resource. The user might not have enough permission."
    return _refused(403, "AccessDenied", [{"code": "AccessDenied", "message": message}], headers)


def _bad(details: list[Json], headers: dict[str, str]) -> ServiceError:
    return _refused(400, "BadRequest", details, headers)


def _refused(status: int, code: str, details: list[Json], headers: dict[str, str]) -> ServiceError:
    moment = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    message = (
        f"Please provide below info when asking for support: timestamp = {moment}, correlationId = {uuid.uuid4()}."
    )
    return ServiceError(status, code, message, headers, details)
