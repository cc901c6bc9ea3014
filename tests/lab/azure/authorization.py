"""``Microsoft.Authorization`` as Resource Manager serves it: assignments, roles, denials, a caller's permissions."""

from __future__ import annotations

import re

from tests.lab.azure.gate import Gate
from tests.lab.azure.grants import ASSIGNMENTS, DEFINITIONS, DENIALS, Grants, definition_id
from tests.lab.azure.identity import TENANT_ID, Identity
from tests.lab.azure.refusal import ServiceError
from tests.lab.azure.resources import Json, Resources, within
from tests.lab.azure.server import Request, Response, Router

_QUOTED = r"\s*(?:eq\s*|\(\s*)'([^']*)'"


class Authorization:
    """Role assignments can be listed, put and deleted; the rest is read."""

    def __init__(self, resources: Resources, grants: Grants, identity: Identity, gate: Gate) -> None:
        self._resources = resources
        self._grants = grants
        self._identity = identity
        self._gate = gate

    def add_routes(self, router: Router) -> None:
        add = self._gate.add
        for prefix in ("/{scope*}", ""):
            add(router, "GET", f"{prefix}/providers/{DEFINITIONS}", self._definitions)
            add(router, "GET", f"{prefix}/providers/{DEFINITIONS}/{{name}}", self._definition)
        assignments = f"/{{scope*}}/providers/{ASSIGNMENTS}"
        add(router, "GET", assignments, self._list)
        add(router, "GET", f"{assignments}/{{name}}", self._get)
        add(router, "PUT", f"{assignments}/{{name}}", self._put)
        add(router, "DELETE", f"{assignments}/{{name}}", self._delete)
        add(router, "GET", f"/{{scope*}}/providers/{DENIALS}", self._denials)
        add(router, "GET", "/{scope*}/providers/Microsoft.Authorization/permissions", self._permissions)

    def _definitions(self, request: Request, scope: str = "") -> Response:
        expression = request.query.get("$filter", "")
        name = re.search("roleName" + _QUOTED, expression, re.IGNORECASE)
        kind = re.search("type" + _QUOTED, expression, re.IGNORECASE)
        found = [
            one
            for one in self._resources.listed(DEFINITIONS)
            if (name is None or one["properties"]["roleName"].lower() == name[1].lower())
            and (kind is None or one["properties"]["type"].lower() == kind[1].lower())
        ]
        return self._resources.page(request, found)

    def _definition(self, request: Request, name: str, scope: str = "") -> Response:
        found = self._resources.get(definition_id(name))
        if found is None:
            raise ServiceError(
                404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{name}' does not exist."
            )
        return Response(200, found)

    def _list(self, request: Request, scope: str) -> Response:
        return self._resources.page(request, self._filtered(ASSIGNMENTS, request, scope))

    def _denials(self, request: Request, scope: str) -> Response:
        return self._resources.page(request, self._filtered(DENIALS, request, scope))

    def _filtered(self, kind: str, request: Request, scope: str) -> list[Json]:
        """At, above and below the scope; ``atScope()`` and ``assignedTo()`` leave out those below."""
        expression = request.query.get("$filter", "")
        principal = re.search("(?:principalId|assignedTo)" + _QUOTED, expression, re.IGNORECASE)
        upwards = bool(re.search(r"atScope\(\)|assignedTo", expression, re.IGNORECASE))
        if expression and principal is None and not upwards:
            message = (
                f"The filter '{expression}' is not supported. Supported filters are 'principalId' and 'atScope()'."
            )
            raise ServiceError(400, "UnsupportedQuery", message)
        return [
            one
            for one in self._resources.listed(kind)
            if (
                within(scope, one["properties"]["scope"]) or (not upwards and within(one["properties"]["scope"], scope))
            )
            and (principal is None or principal[1] in _principals(one))
        ]

    def _get(self, request: Request, scope: str, name: str) -> Response:
        found = self._resources.get(_id(scope, name))
        if found is None:
            raise ServiceError(404, "RoleAssignmentNotFound", f"The role assignment '{name}' is not found.")
        return Response(200, found)

    def _put(self, request: Request, scope: str, name: str) -> Response:
        body = request.json()
        # Older api-versions and some clients have no `properties` level in the request.
        wanted = body.get("properties") or body
        principal, role = str(wanted.get("principalId") or ""), str(wanted.get("roleDefinitionId") or "")
        if self._resources.get(definition_id(role.rpartition("/")[2])) is None:
            message = f"The specified role definition with ID '{role.rpartition('/')[2]}' does not exist."
            raise ServiceError(400, "RoleDefinitionDoesNotExist", message)
        if not self._identity.knows(principal):
            raise ServiceError(
                400,
                "PrincipalNotFound",
                f"Principal {principal.replace('-', '')} does not exist in the directory {TENANT_ID}. Check that you "
                "have the correct principal ID. If you are creating this principal and then immediately assigning a "
                "role, this error might be related to a replication delay. In this case, set the role assignment "
                "principalType property to a value, such as ServicePrincipal, User, or Group.",
            )
        for one in self._resources.listed(ASSIGNMENTS):
            there = one["properties"]
            same = within(there["scope"], scope) and within(scope, there["scope"])
            if same and there["principalId"] == principal and there["roleDefinitionId"].lower() == role.lower():
                raise ServiceError(409, "RoleAssignmentExists", "The role assignment already exists.")
        kept = self._grants.assign(
            principal,
            role,
            f"/{scope}",
            name=name,
            principal_type=wanted.get("principalType") or "ServicePrincipal",
            created_by=self._gate.caller(request),
            more={key: wanted[key] for key in ("description", "condition", "conditionVersion") if wanted.get(key)},
        )
        return Response(201, kept)

    def _delete(self, request: Request, scope: str, name: str) -> Response:
        gone = self._resources.delete(_id(scope, name))
        return Response(200, gone) if gone else Response(204)

    def _permissions(self, request: Request, scope: str) -> Response:
        return self._resources.page(request, self._grants.permissions(self._gate.caller(request), scope))


def _principals(document: Json) -> list[str]:
    properties = document["properties"]
    named = [str(one["id"]) for one in properties.get("principals") or []]
    return [*named, str(properties.get("principalId") or "")]


def _id(scope: str, name: str) -> str:
    return f"/{scope}/providers/{ASSIGNMENTS}/{name}"
