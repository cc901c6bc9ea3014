"""``Microsoft.ManagedIdentity``: user-assigned identities, each with its principal in the directory."""

from __future__ import annotations

from tests.lab.azure.gate import Gate
from tests.lab.azure.identity import TENANT_ID, Identity, Principal
from tests.lab.azure.metadata import LOCATION, group_id
from tests.lab.azure.refusal import resource_not_found
from tests.lab.azure.resources import Json, Resources
from tests.lab.azure.server import Request, Response, Router
from tests.lab.azure.shelf import Shelf

IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
_ONE = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{IDENTITIES}/{{name}}"


class ManagedIdentities:
    """An identity that is deleted takes its principal with it; a new one of the same name is somebody else."""

    def __init__(self, resources: Resources, identity: Identity, gate: Gate) -> None:
        self._resources = resources
        self._identity = identity
        self._gate = gate
        self._shelf = Shelf(resources, gate, IDENTITIES)

    def add_routes(self, router: Router) -> None:
        self._shelf.add_routes(router, writable=False)
        self._gate.add(router, "PUT", _ONE, self._put)
        self._gate.add(router, "DELETE", _ONE, self._delete)

    def create(self, principal: Principal) -> Json:
        """The resource of a principal that the directory knows."""
        return self._resources.put(identity_id(principal.name), _document(principal))

    def delete(self, resource_id: str) -> bool:
        """Delete the resource and its principal; role assignments stay behind, as in Azure."""
        gone = self._resources.delete(resource_id)
        if gone is not None:
            self._identity.remove(gone["properties"]["clientId"])
        return gone is not None

    def _put(self, request: Request, group: str, name: str) -> Response:
        known = self._resources.get(self._shelf.id(group, name))
        if known is not None:
            tags = request.json().get("tags") or {}
            return Response(200, self._resources.put(known["id"], {**known, "tags": tags}))
        principal = Principal.create(name)
        self._identity.add(principal)
        return Response(201, self._resources.put(self._shelf.id(group, name), _document(principal)))

    def _delete(self, request: Request, group: str, name: str) -> Response:
        return Response(200 if self.delete(self._shelf.id(group, name)) else 204)


def identity_id(name: str) -> str:
    return f"{group_id()}/providers/{IDENTITIES}/{name}"


def find(resources: Resources, resource_id: str) -> Json:
    """An identity by its id; raises ``ResourceNotFound`` in Resource Manager's words."""
    found = resources.get(resource_id)
    if found is None:
        group = resource_id.lower().partition("/resourcegroups/")[2].partition("/")[0]
        raise resource_not_found(IDENTITIES, resource_id.rpartition("/")[2], group)
    return found


def _document(principal: Principal) -> Json:
    properties = {"tenantId": TENANT_ID, "principalId": principal.object_id, "clientId": principal.client_id}
    return {"location": LOCATION, "tags": {}, "properties": properties}
