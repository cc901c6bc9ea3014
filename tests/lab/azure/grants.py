"""Who may do what: role assignments, deny assignments and roles, and when an assignment takes effect."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timezone

from tests.lab.azure.access import Permission, Role
from tests.lab.azure.metadata import SUBSCRIPTION_ID
from tests.lab.azure.resources import Json, Resources, within
from tests.lab.azure.roles import BUILT_IN

ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
DENIALS = "Microsoft.Authorization/denyAssignments"
EVERYONE = "00000000-0000-0000-0000-000000000000"
_MONTH_SECONDS = 30 * 86_400


class Grants:
    """Azure RBAC of the subscription. ``delay_seconds``: how long after its creation an assignment takes effect."""

    def __init__(self, resources: Resources) -> None:
        self.delay_seconds = 0.0
        self._resources = resources
        for role in BUILT_IN:
            resources.put(definition_id(role.id), _definition(role))

    def assign(
        self,
        principal_id: str,
        role_id: str,
        scope: str,
        *,
        name: str = "",
        principal_type: str = "ServicePrincipal",
        created_by: str = "",
        age_seconds: float = 0.0,
        more: Json | None = None,
    ) -> Json:
        """Store an assignment; ``role_id`` is a role definition's id or its GUID."""
        name = name or str(uuid.uuid4())
        stamp = iso(time.time() - age_seconds)
        properties = {
            "roleDefinitionId": role_id if "/" in role_id else definition_id(role_id),
            "principalId": principal_id,
            "principalType": principal_type,
            "scope": scope,
            "condition": None,
            "conditionVersion": None,
            "createdOn": stamp,
            "updatedOn": stamp,
            "createdBy": created_by,
            "updatedBy": created_by,
            "delegatedManagedIdentityResourceId": None,
            "description": None,
            **(more or {}),
        }
        resource_id = f"{scope.rstrip('/')}/providers/{ASSIGNMENTS}/{name}"
        return self._resources.put(resource_id, {"properties": properties})

    def assign_long_ago(self, principal_id: str, role_id: str, scope: str) -> Json:
        """An assignment that has taken effect whatever the delay."""
        return self.assign(principal_id, role_id, scope, age_seconds=_MONTH_SECONDS)

    def define(self, name: str, permission: Permission) -> str:
        """A custom role; returns its id."""
        guid = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
        document = _definition(Role(guid, name, name, permission), kind="CustomRole")
        return str(self._resources.put(definition_id(guid), document)["id"])

    def revoke_within(self, principal_id: str, scope: str, *, data_only: bool = False, role_id: str = "") -> None:
        """Take away a principal's assignments at and below a scope: those with data actions, or of one role."""
        for assignment in self._resources.listed(ASSIGNMENTS):
            properties = assignment["properties"]
            if properties["principalId"] != principal_id or not within(properties["scope"], scope):
                continue
            if role_id and properties["roleDefinitionId"].rpartition("/")[2] != role_id:
                continue
            if data_only and not any(p.data_actions for p in self._permissions_of(properties["roleDefinitionId"])):
                continue
            self._resources.delete(assignment["id"])

    def allowed(self, principal_id: str, action: str, scope: str, *, data: bool = False) -> bool:
        """Whether a principal may do this at this scope now."""
        return not self._denied(principal_id, action, scope, data) and any(
            permission.allows(action, data=data) for permission in self._held(principal_id, scope)
        )

    def permissions(self, principal_id: str, scope: str) -> list[Json]:
        """What ``Microsoft.Authorization/permissions`` lists for a caller: one entry an effective role."""
        return [permission.as_json() for permission in self._held(principal_id, scope)]

    def _held(self, principal_id: str, scope: str) -> Iterator[Permission]:
        latest = time.time() - self.delay_seconds
        for assignment in self._resources.view(ASSIGNMENTS):
            properties = assignment["properties"]
            if properties["principalId"] != principal_id or not within(scope, properties["scope"]):
                continue
            if seconds(properties["createdOn"]) <= latest:
                yield from self._permissions_of(properties["roleDefinitionId"])

    def _permissions_of(self, role_id: str) -> list[Permission]:
        definition = self._resources.get(definition_id(role_id.rpartition("/")[2]))
        documents = definition["properties"]["permissions"] if definition else []
        return [Permission.of(document) for document in documents]

    def _denied(self, principal_id: str, action: str, scope: str, data: bool) -> bool:
        for denial in self._resources.view(DENIALS):
            properties = denial["properties"]
            named = {principal["id"] for principal in properties.get("principals") or []}
            spared = {principal["id"] for principal in properties.get("excludePrincipals") or []}
            if not named & {principal_id, EVERYONE} or principal_id in spared:
                continue
            here = within(scope, properties["scope"])
            permissions = [Permission.of(document) for document in properties["permissions"]]
            if here and any(permission.allows(action, data=data) for permission in permissions):
                return True
        return False


def definition_id(guid: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION_ID}/providers/{DEFINITIONS}/{guid}"


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).isoformat().replace("+00:00", "Z")


def seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _definition(role: Role, kind: str = "BuiltInRole") -> Json:
    scope = "/" if kind == "BuiltInRole" else f"/subscriptions/{SUBSCRIPTION_ID}"
    return {
        "properties": {
            "roleName": role.name,
            "type": kind,
            "description": role.description,
            "assignableScopes": [scope],
            "permissions": [role.permission.as_json()],
            "createdOn": "2020-05-19T17:52:46Z",
            "updatedOn": "2021-11-11T20:14:30Z",
            "createdBy": None,
            "updatedBy": None,
        }
    }
