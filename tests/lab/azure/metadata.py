"""What every cloud says about itself: endpoints, subscriptions, tenants, resource groups."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.lab.azure.identity import ARM_AUDIENCES, TENANT_ID, Identity
from tests.lab.azure.refusal import ServiceError
from tests.lab.azure.resources import Resources
from tests.lab.azure.server import Request, Response, Router

CLOUD_NAME = "LocalAzure"
SUBSCRIPTION_ID = "99999999-8888-4777-8666-555555555555"
SUBSCRIPTION_NAME = "Local lab"
RESOURCE_GROUP = "lab"
LOCATION = "westeurope"
NODE_RESOURCE_GROUP_PREFIX = "MC_lab_"
_GROUPS = "Microsoft.Resources/resourceGroups"


def cloud_metadata(base_url: str) -> dict[str, Any]:
    """The document of ``/metadata/endpoints``; ``az cloud register`` reads it."""
    return {
        "name": CLOUD_NAME,
        "resourceManager": base_url,
        "portal": base_url,
        "gallery": base_url,
        "graph": base_url,
        "graphAudience": base_url,
        "microsoftGraphResourceId": base_url,
        "batch": base_url,
        "media": base_url,
        "sqlManagement": base_url,
        "vmImageAliasDoc": base_url,
        "activeDirectoryDataLake": base_url,
        "authentication": {
            "loginEndpoint": base_url,
            "audiences": list(ARM_AUDIENCES),
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {
            "keyVaultDns": "vault.azure.net",
            "storage": "core.windows.net",
            "acrLoginServer": "azurecr.io",
            "sqlServerHostname": "database.windows.net",
        },
    }


def check_subscription(resources: Resources, subscription: str) -> None:
    if resources.get(f"/subscriptions/{subscription}") is None:
        raise ServiceError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")


def group_id(name: str = RESOURCE_GROUP, subscription: str = SUBSCRIPTION_ID) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{name}"


_VNET = f"{group_id()}/providers/Microsoft.Network/virtualNetworks/lab-vnet"
NODES_SUBNET = f"{_VNET}/subnets/nodes"
API_SUBNET = f"{_VNET}/subnets/apiserver"


def node_group(cluster: str) -> str:
    """The name of the group in which AKS keeps a cluster's own resources."""
    return f"{NODE_RESOURCE_GROUP_PREFIX}{cluster}_{LOCATION}"


class Metadata:
    """``/metadata/endpoints`` needs no token; the rest does, as in Azure."""

    def __init__(
        self,
        identity: Identity,
        resources: Resources,
        seen_by: Callable[[str], list[str]],
        base_url: Callable[[], str],
    ) -> None:
        self._identity = identity
        self._seen_by = seen_by
        self._resources = resources
        self._base_url = base_url

    def add_routes(self, router: Router) -> None:
        router.add("GET", "/metadata/endpoints", self._endpoints)
        router.add("GET", "/subscriptions", self._subscriptions)
        router.add("GET", "/subscriptions/{subscription}", self._subscription)
        router.add("GET", "/tenants", self._tenants)
        router.add("GET", "/subscriptions/{subscription}/resources", self._all)
        router.add("GET", "/subscriptions/{subscription}/resourcegroups", self._groups)
        router.add("GET", "/subscriptions/{subscription}/resourcegroups/{group}", self._group)

    def _endpoints(self, request: Request) -> Response:
        return Response(200, cloud_metadata(self._base_url()))

    def _subscriptions(self, request: Request) -> Response:
        seen = self._seen_by(self._identity.arm_caller(request)["oid"])
        found = [_subscription(one) for one in self._resources.view("subscription") if one["subscriptionId"] in seen]
        return Response(200, {"value": found, "count": {"type": "Total", "value": len(found)}})

    def _subscription(self, request: Request, subscription: str) -> Response:
        self._identity.arm_caller(request)
        check_subscription(self._resources, subscription)
        found = self._resources.get(f"/subscriptions/{subscription}")
        return Response(200, _subscription(found or {}))

    def _tenants(self, request: Request) -> Response:
        self._identity.arm_caller(request)
        tenant = {
            "id": f"/tenants/{TENANT_ID}",
            "tenantId": TENANT_ID,
            "displayName": "Lab",
            "defaultDomain": "lab.invalid",
            "tenantCategory": "Home",
        }
        return Response(200, {"value": [tenant]})

    def _groups(self, request: Request, subscription: str) -> Response:
        self._identity.arm_caller(request)
        check_subscription(self._resources, subscription)
        return self._resources.page(request, self._resources.listed(_GROUPS, f"/subscriptions/{subscription}"))

    def _group(self, request: Request, subscription: str, group: str) -> Response:
        self._identity.arm_caller(request)
        check_subscription(self._resources, subscription)
        found = self._resources.get(group_id(group, subscription))
        if found is None:
            raise ServiceError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
        return Response(200, found)

    def _all(self, request: Request, subscription: str) -> Response:
        """``/resources``: of the filter the lab knows ``resourceType eq 'x'``, which is what az sends."""
        self._identity.arm_caller(request)
        check_subscription(self._resources, subscription)
        kind = re.search(r"resourceType eq '([^']+)'", request.query.get("$filter", ""))
        found = self._resources.listed(kind[1], f"/subscriptions/{subscription}") if kind else []
        names = ("id", "name", "type", "location", "tags")
        return self._resources.page(request, [{name: one.get(name) for name in names} for one in found])


def _subscription(stored: dict[str, Any]) -> dict[str, Any]:
    """As Azure shows it: without the lab's own notes."""
    return {name: value for name, value in stored.items() if name not in ("name", "type", "managementGroup")}


def group_document(name: str, managed_by: str = "") -> dict[str, Any]:
    """A resource group; AKS's own say which cluster manages them."""
    document: dict[str, Any] = {
        "id": group_id(name),
        "name": name,
        "type": _GROUPS,
        "location": LOCATION,
        "tags": {},
        "properties": {"provisioningState": "Succeeded"},
    }
    return document | ({"managedBy": managed_by} if managed_by else {})
