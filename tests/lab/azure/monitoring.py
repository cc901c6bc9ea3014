"""``Microsoft.Insights`` and ``Microsoft.ResourceHealth``: who changed what, and whether the cluster is well."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.azure.gate import Gate
from tests.lab.azure.resources import Json, Resources
from tests.lab.azure.server import Request, Response, Router

_EVENTS = "/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values"
_HEALTH = "/{scope*}/providers/Microsoft.ResourceHealth/availabilityStatuses/current"


class Monitoring:
    """The activity log, and the availability of the managed cluster."""

    def __init__(self, resources: Resources, gate: Gate, cluster: Callable[[], Json]) -> None:
        self._resources = resources
        self._gate = gate
        self._cluster = cluster

    def add_routes(self, router: Router) -> None:
        self._gate.add(router, "GET", _EVENTS, self._events)
        self._gate.add(router, "GET", _HEALTH, self._health)

    def _events(self, request: Request) -> Response:
        events = self._gate.activity.listed(request.query.get("$filter", ""))
        chosen = [name for name in request.query.get("$select", "").split(",") if name]
        wanted = {name.strip().lower() for name in chosen}
        shown = [
            {name: value for name, value in event.items() if not wanted or name.lower() in wanted} for event in events
        ]
        return self._resources.page(request, shown)

    def _health(self, request: Request, scope: str) -> Response:
        properties = self._cluster()["properties"]
        stopped = properties["powerState"]["code"] != "Running"
        failed = properties["provisioningState"] == "Failed"
        state = "Unavailable" if stopped else "Degraded" if failed else "Available"
        body = {
            "id": f"/{scope}/providers/Microsoft.ResourceHealth/availabilityStatuses/current",
            "name": "current",
            "type": "Microsoft.ResourceHealth/AvailabilityStatuses",
            "properties": {
                "availabilityState": state,
                "title": state,
                "reasonType": "" if state == "Available" else "CustomerInitiated",
            },
        }
        return Response(200, body)
