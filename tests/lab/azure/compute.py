"""``Microsoft.Compute``: what of the quota is used in a location, and what the machine sizes are."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.azure import cluster as model
from tests.lab.azure.gate import Gate
from tests.lab.azure.metadata import LOCATION, SUBSCRIPTION_ID
from tests.lab.azure.refusal import ServiceError
from tests.lab.azure.resources import Json, Resources
from tests.lab.azure.server import Request, Response, Router

USAGES = "Microsoft.Compute/locations/usages"
REGIONAL = "cores"
# Size -> family and vCPUs, as `Microsoft.Compute/skus` has them.
SIZES = {
    "Standard_D2s_v5": ("standardDSv5Family", 2),
    "Standard_D4s_v5": ("standardDSv5Family", 4),
    "Standard_D8s_v5": ("standardDSv5Family", 8),
    "Standard_D4s_v3": ("standardDSv3Family", 4),
    "Standard_E4s_v5": ("standardESv5Family", 4),
    "Standard_NC4as_T4_v3": ("Standard NCASv3_T4 Family", 4),
}
_FAMILIES = {
    REGIONAL: "Total Regional vCPUs",
    "standardDSv5Family": "Standard DSv5 Family vCPUs",
    "standardDSv3Family": "Standard DSv3 Family vCPUs",
    "standardESv5Family": "Standard ESv5 Family vCPUs",
    "Standard NCASv3_T4 Family": "Standard NCASv3_T4 Family vCPUs",
}
_LIMIT = 350
_PROVIDER = "/subscriptions/{subscription}/providers/Microsoft.Compute"


class Compute:
    """Quota of one location. What is used is what the cluster's nodes use, and ``used`` of the resource more."""

    def __init__(self, resources: Resources, gate: Gate, cluster: Callable[[], Json]) -> None:
        self._resources = resources
        self._gate = gate
        self._cluster = cluster
        for family, title in _FAMILIES.items():
            properties = {"limit": _LIMIT, "used": 0, "title": title}
            resources.put(usage_id(family), {"properties": properties})

    def add_routes(self, router: Router) -> None:
        self._gate.add(router, "GET", f"{_PROVIDER}/locations/{{location}}/usages", self._usages)
        self._gate.add(router, "GET", f"{_PROVIDER}/skus", self._skus)

    def usage(self, family: str) -> tuple[int, int]:
        """The vCPUs of a family (or of the region) in use, and the limit."""
        properties = (self._resources.get(usage_id(family)) or {"properties": {"limit": 0, "used": 0}})["properties"]
        return int(properties["used"]) + self._own(family), int(properties["limit"])

    def _own(self, family: str) -> int:
        used = 0
        for pool in model.pools(self._cluster()):
            size_family, cores = SIZES.get(pool["vmSize"], ("", 0))
            if family in (REGIONAL, size_family):
                used += cores * int(pool.get("count") or 0)
        return used

    def _usages(self, request: Request, location: str) -> Response:
        if location.lower() != LOCATION:
            message = f"No registered resource provider found for location '{location}' and API version."
            raise ServiceError(400, "NoRegisteredProviderFound", message)
        values = []
        for document in self._resources.listed(USAGES):
            used, limit = self.usage(document["name"])
            name = {"value": document["name"], "localizedValue": document["properties"]["title"]}
            values.append({"unit": "Count", "currentValue": used, "limit": limit, "name": name})
        return self._resources.page(request, values)

    def _skus(self, request: Request) -> Response:
        values = [
            {
                "resourceType": "virtualMachines",
                "name": size,
                "tier": "Standard",
                "size": size.removeprefix("Standard_"),
                "family": family,
                "locations": [LOCATION],
                "locationInfo": [{"location": LOCATION, "zones": ["1", "2", "3"]}],
                "capabilities": [{"name": "vCPUs", "value": str(cores)}],
                "restrictions": [],
            }
            for size, (family, cores) in SIZES.items()
        ]
        return self._resources.page(request, values)


def usage_id(family: str) -> str:
    place = f"/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.Compute/locations/{LOCATION}"
    return f"{place}/usages/{family}"
