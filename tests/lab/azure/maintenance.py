"""``managedClusters/maintenanceConfigurations``: when AKS may do automatic work."""

from __future__ import annotations

from tests.lab.azure.gate import Gate
from tests.lab.azure.metadata import group_id
from tests.lab.azure.refusal import bad_request, resource_not_found
from tests.lab.azure.resources import Json, Resources
from tests.lab.azure.server import Request, Response, Router

_KIND = "Microsoft.ContainerService/managedClusters/maintenanceConfigurations"
_ALL = (
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService"
    "/managedClusters/{cluster}/maintenanceConfigurations"
)
NAMES = ("default", "aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule")


class Maintenance:
    """Stored as they are put; only AKS's three names exist."""

    def __init__(self, resources: Resources, gate: Gate) -> None:
        self._resources = resources
        self._gate = gate

    def add_routes(self, router: Router) -> None:
        self._gate.add(router, "GET", _ALL, self._list)
        self._gate.add(router, "GET", f"{_ALL}/{{name}}", self._get)
        self._gate.add(router, "PUT", f"{_ALL}/{{name}}", self._put)
        self._gate.add(router, "DELETE", f"{_ALL}/{{name}}", self._delete)

    def _list(self, request: Request, group: str, cluster: str) -> Response:
        return self._resources.page(request, self._resources.listed(_KIND, _id(group, cluster)))

    def _get(self, request: Request, group: str, cluster: str, name: str) -> Response:
        found = self._resources.get(f"{_id(group, cluster)}/maintenanceConfigurations/{name}")
        if found is None:
            raise resource_not_found(_KIND, f"{cluster}/{name}", group)
        return Response(200, found)

    def _put(self, request: Request, group: str, cluster: str, name: str) -> Response:
        if name not in NAMES:
            raise bad_request(f"Maintenance configuration name must be one of: {', '.join(NAMES)}.")
        properties: Json = request.json().get("properties") or {}
        resource_id = f"{_id(group, cluster)}/maintenanceConfigurations/{name}"
        return Response(200, self._resources.put(resource_id, {"properties": properties}))

    def _delete(self, request: Request, group: str, cluster: str, name: str) -> Response:
        gone = self._resources.delete(f"{_id(group, cluster)}/maintenanceConfigurations/{name}")
        return Response(200 if gone else 204)


def _id(group: str, cluster: str) -> str:
    return f"{group_id(group)}/providers/Microsoft.ContainerService/managedClusters/{cluster}"
