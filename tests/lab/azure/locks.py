"""Management locks: kept at any scope, and in the way of whoever writes below it."""

from __future__ import annotations

from tests.lab.azure.gate import Gate
from tests.lab.azure.locking import LOCKS, Locks
from tests.lab.azure.refusal import ServiceError
from tests.lab.azure.resources import Json, Resources, within
from tests.lab.azure.server import Request, Response, Router

_LEVELS = ("CanNotDelete", "ReadOnly")


class LockResources:
    """``Microsoft.Authorization/locks``."""

    def __init__(self, resources: Resources, locks: Locks, gate: Gate) -> None:
        self._resources = resources
        self._locks = locks
        self._gate = gate

    def add_routes(self, router: Router) -> None:
        locks = f"/{{scope*}}/providers/{LOCKS}"
        self._gate.add(router, "GET", locks, self._list)
        self._gate.add(router, "GET", f"{locks}/{{name}}", self._get)
        self._gate.add(router, "PUT", f"{locks}/{{name}}", self._put)
        self._gate.add(router, "DELETE", f"{locks}/{{name}}", self._delete)

    def _list(self, request: Request, scope: str) -> Response:
        """Locks at, above and below the scope; with ``$filter=atScope()`` not those below."""
        at_scope = "atscope()" in request.query.get("$filter", "").lower()
        found = [
            lock
            for lock in self._resources.listed(LOCKS)
            if within(scope, self._locks.scope_of(lock)) or (not at_scope and within(self._locks.scope_of(lock), scope))
        ]
        return self._resources.page(request, found)

    def _get(self, request: Request, scope: str, name: str) -> Response:
        found = self._resources.get(_id(scope, name))
        if found is None:
            raise ServiceError(404, "LockNotFound", f"The lock '{name}' could not be found.")
        return Response(200, found)

    def _put(self, request: Request, scope: str, name: str) -> Response:
        properties: Json = request.json().get("properties") or {}
        if properties.get("level") not in _LEVELS:
            message = f"The lock level '{properties.get('level')}' is invalid. Allowed levels: {', '.join(_LEVELS)}."
            raise ServiceError(400, "InvalidLockLevel", message)
        known = self._resources.get(_id(scope, name))
        kept = {key: properties[key] for key in ("level", "notes", "owners") if properties.get(key)}
        return Response(200 if known else 201, self._resources.put(_id(scope, name), {"properties": kept}))

    def _delete(self, request: Request, scope: str, name: str) -> Response:
        return Response(200 if self._resources.delete(_id(scope, name)) else 204)


def _id(scope: str, name: str) -> str:
    return f"/{scope}/providers/{LOCKS}/{name}"
