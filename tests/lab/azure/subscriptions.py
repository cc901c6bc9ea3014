"""The subscriptions of the tenant and the management groups above them: who sees which."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.azure.gate import Gate
from tests.lab.azure.grants import ASSIGNMENTS, Grants
from tests.lab.azure.identity import TENANT_ID
from tests.lab.azure.refusal import ServiceError
from tests.lab.azure.resources import Json, Resources, within
from tests.lab.azure.server import Request, Response, Router

MANAGEMENT_GROUPS = "Microsoft.Management/managementGroups"


class Subscriptions:
    """Kept among the resources. The lab's own has everything; a further one has AKS clusters and nothing else."""

    def __init__(self, resources: Resources, grants: Grants, gate: Gate) -> None:
        self._resources = resources
        self._grants = grants
        self._gate = gate

    def add_routes(self, router: Router) -> None:
        group = f"/providers/{MANAGEMENT_GROUPS}/{{group}}"
        self._gate.add(router, "GET", group, self._get)
        self._gate.add(router, "GET", f"{group}/descendants", self._descendants)

    def create_group(self, name: str, parent: str = "") -> None:
        """A management group, under another one or under the tenant's root."""
        details = {"parent": {"id": group_scope(parent or TENANT_ID)}}
        properties = {"tenantId": TENANT_ID, "displayName": f"Management group {name}", "details": details}
        self._resources.put(group_scope(name), {"properties": properties})

    def has_group(self, name: str) -> bool:
        return self._resources.get(group_scope(name)) is not None

    def seen_by(self, principal: str) -> list[str]:
        """Those in which a principal has any role: at, above or below the subscription."""
        scopes = [
            str(one["properties"]["scope"])
            for one in self._resources.view(ASSIGNMENTS)
            if one["properties"]["principalId"] == principal
        ]
        return [
            one["subscriptionId"]
            for one in self._resources.view("subscription")
            if any(within(one["id"], scope) or within(scope, one["id"]) for scope in scopes)
        ]

    def below(self, group: str) -> list[str]:
        """The ids of the subscriptions in a management group and in those under it."""
        return [str(one["name"]) for one in self._under(group) if one["type"] == "/subscriptions"]

    def _under(self, group: str) -> Iterator[Json]:
        scope = group_scope(group)
        for one in self._resources.view("subscription"):
            if one.get("managementGroup", "").lower() == group.lower():
                yield _descendant("/subscriptions", one["id"], one["subscriptionId"], one["displayName"], scope)
        for one in self._resources.view(MANAGEMENT_GROUPS):
            if within(one["properties"]["details"]["parent"]["id"], scope):
                shown = one["properties"]["displayName"]
                yield _descendant(MANAGEMENT_GROUPS, one["id"], one["name"], shown, scope)
                yield from self._under(one["name"])

    def _get(self, request: Request, group: str) -> Response:
        return Response(200, self._known(group))

    def _descendants(self, request: Request, group: str) -> Response:
        self._known(group)
        return self._resources.page(request, list(self._under(group)))

    def _known(self, group: str) -> Json:
        found = self._resources.get(group_scope(group))
        if found is None:
            raise ServiceError(404, "NotFound", f"'/providers/{MANAGEMENT_GROUPS}/{group}' not found")
        return found


def subscription_document(subscription: str, name: str, management_group: str = "") -> Json:
    """As it is stored; ``managementGroup`` is the lab's own note, which is not shown."""
    return {
        "id": f"/subscriptions/{subscription}",
        "subscriptionId": subscription,
        "tenantId": TENANT_ID,
        "displayName": name,
        "state": "Enabled",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "spendingLimit": "Off"},
        "managementGroup": management_group,
    }


def group_scope(name: str) -> str:
    return f"/providers/{MANAGEMENT_GROUPS}/{name}"


def _descendant(kind: str, resource_id: str, name: str, shown: str, parent: str) -> Json:
    properties = {"displayName": shown, "parent": {"id": parent}}
    return {"id": resource_id, "type": kind, "name": name, "properties": properties}
