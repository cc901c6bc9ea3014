"""Resources of one kind, served as they are stored: lists, one, and where it is allowed put and deleted."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.azure.gate import Gate
from tests.lab.azure.metadata import LOCATION, group_id
from tests.lab.azure.refusal import ServiceError, resource_not_found
from tests.lab.azure.resources import Json, Resources
from tests.lab.azure.server import Request, Response, Router

Shown = Callable[[Json], Json]


class Shelf:
    """One kind of top-level resource. ``shown`` adds what Azure works out when it is asked."""

    def __init__(self, resources: Resources, gate: Gate, kind: str, shown: Shown = lambda one: one) -> None:
        self._resources = resources
        self._gate = gate
        self._kind = kind
        self._shown = shown

    def add_routes(self, router: Router, *, writable: bool = True) -> None:
        everywhere = f"/subscriptions/{{subscription}}/providers/{self._kind}"
        here = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{self._kind}"
        self._gate.add(router, "GET", everywhere, self._list)
        self._gate.add(router, "GET", here, self._list)
        self._gate.add(router, "GET", f"{here}/{{name}}", self._get)
        if writable:
            self._gate.add(router, "PUT", f"{here}/{{name}}", self._put)
            self._gate.add(router, "DELETE", f"{here}/{{name}}", self._delete)

    def find(self, group: str, name: str) -> Json:
        """The resource as it is shown; raises ``ResourceNotFound``."""
        found = self._resources.get(self.id(group, name))
        if found is None:
            raise resource_not_found(self._kind, name, group)
        return self._shown(found)

    def id(self, group: str, name: str) -> str:
        return f"{group_id(group)}/providers/{self._kind}/{name}"

    def _list(self, request: Request, group: str = "") -> Response:
        found = self._resources.listed(self._kind, group_id(group) if group else "")
        return self._resources.page(request, [self._shown(one) for one in found])

    def _get(self, request: Request, group: str, name: str) -> Response:
        return Response(200, self.find(group, name))

    def _put(self, request: Request, group: str, name: str) -> Response:
        body = request.json()
        if str(body.get("location", "")).lower().replace(" ", "") != LOCATION:
            message = (
                f"The provided location '{body.get('location')}' is not available for resource type '{self._kind}'."
            )
            raise ServiceError(400, "LocationNotAvailableForResourceType", message)
        known = self._resources.get(self.id(group, name))
        properties = {**(body.get("properties") or {}), "provisioningState": "Succeeded"}
        document = {"location": LOCATION, "tags": body.get("tags") or {}, "properties": properties}
        stored = self._resources.put(self.id(group, name), document)
        return Response(200 if known else 201, self._shown(stored))

    def _delete(self, request: Request, group: str, name: str) -> Response:
        return Response(200 if self._resources.delete(self.id(group, name)) else 204)
