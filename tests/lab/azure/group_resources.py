"""What is in a resource group: ``resourceGroups/{group}/resources``, which az asks for tab completion."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.lab.azure.identity import Identity
from tests.lab.azure.metadata import group_id
from tests.lab.azure.refusal import ServiceError
from tests.lab.azure.resources import Json, Resources
from tests.lab.azure.server import Request, Response, Router

_SHOWN = ("id", "name", "type", "location", "tags")


class GroupResources:
    """The managed cluster and every other resource. ``cluster``: the managed cluster's document."""

    def __init__(self, identity: Identity, resources: Resources, cluster: Callable[[], Json]) -> None:
        self._identity, self._resources, self._cluster = identity, resources, cluster

    def add_routes(self, router: Router) -> None:
        router.add("GET", "/subscriptions/{subscription}/resourceGroups/{group}/resources", self._list)

    def _list(self, request: Request, subscription: str, group: str) -> Response:
        """Of the filter the lab knows ``resourceType eq 'x'``, which is what az sends."""
        self._identity.arm_caller(request)
        scope = group_id(group)
        if self._resources.get(scope) is None:
            raise ServiceError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
        kind = re.search(r"resourceType eq '([^']+)'", request.query.get("$filter", ""))
        if kind is None:
            message = "Invalid $filter: the local Azure knows resourceType eq 'x' only."
            raise ServiceError(400, "InvalidFilterInQueryString", message)
        cluster = self._cluster()
        of_clusters = cluster["type"].lower() == kind[1].lower() and cluster["id"].lower().startswith(scope.lower())
        found = [*([cluster] if of_clusters else []), *self._resources.listed(kind[1], scope)]
        return self._resources.page(request, [{name: one.get(name) for name in _SHOWN} for one in found])
