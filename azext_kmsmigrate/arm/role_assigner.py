"""The port ``Roles``: makes role assignments with the user's own rights."""

from __future__ import annotations

import uuid

from azext_kmsmigrate import errors
from azext_kmsmigrate.arm.grants import VERSION
from azext_kmsmigrate.arm.resource_manager import Resources
from azext_kmsmigrate.checks.grant import RoleOffer
from azext_kmsmigrate.checks.topic import Unseen
from azext_kmsmigrate.errors import AzureError, Conflict

_WRITE = "Microsoft.Authorization/roleAssignments/write"


class ArmRoles:
    """The name of an assignment follows from what it says, so that the same one is never made twice."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def assign(self, offer: RoleOffer) -> None:
        subscription = "/".join(offer.scope.split("/")[:3])
        role = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{offer.role.guid}"
        name = uuid.uuid5(uuid.NAMESPACE_URL, f"{offer.scope}|{role}|{offer.principal_id}".lower())
        properties = {
            "roleDefinitionId": role,
            "principalId": offer.principal_id,
            "principalType": "ServicePrincipal",
        }
        path = f"{offer.scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
        try:
            answer = self._resources.put(path, VERSION, _WRITE, {"properties": properties})
        except Conflict as error:
            if error.values.get("code") != "RoleAssignmentExists":
                raise
            return
        if not isinstance(answer, dict):
            lacks = isinstance(answer, Unseen)
            raise AzureError(
                errors.ROLE_NOT_ASSIGNED,
                role=offer.role.name,
                scope=offer.scope,
                why=f"you may not ({_WRITE})" if lacks else "the vault is not there",
                command=offer.command,
            )
