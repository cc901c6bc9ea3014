"""Who gets into a vault: its network rules, its tenant, and the grants of its permission model. Decisions.

The words are Key Vault's own (learn.microsoft.com: Key Vault REST API error codes).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from tests.lab.azure.grants import Grants
from tests.lab.azure.identity import TENANT_ID
from tests.lab.azure.metadata import LOCATION
from tests.lab.azure.refusal import VaultError
from tests.lab.azure.resources import Json

# Operation of a key -> what a role must allow, and what an access policy must list.
_ACTIONS = {
    "get": ("vaults/keys/read", "get"),
    "list": ("vaults/keys/read", "list"),
    "encrypt": ("vaults/keys/encrypt/action", "encrypt"),
    "decrypt": ("vaults/keys/decrypt/action", "decrypt"),
    "update": ("vaults/keys/update/action", "update"),
    "create": ("vaults/keys/create/action", "create"),
    "delete": ("vaults/keys/delete", "delete"),
    "recover": ("vaults/keys/recover/action", "recover"),
    "getrotationpolicy": ("vaults/keyrotationpolicies/read", "getrotationpolicy"),
}


@dataclass(frozen=True)
class Caller:
    """Who asks, from which address, and whether through a private endpoint of the vault."""

    app_id: str
    object_id: str
    address: str
    private: bool = False

    def __str__(self) -> str:
        return f"appid={self.app_id};oid={self.object_id};iss=https://sts.windows.net/{TENANT_ID}/"


def check_network(vault: Json, caller: Caller) -> None:
    """Raise ``ForbiddenByConnection`` or ``ForbiddenByFirewall``. AKS is not one of the trusted services."""
    if caller.private:
        return
    properties = vault["properties"]
    name = vault["name"]
    if properties.get("publicNetworkAccess", "Enabled") == "Disabled":
        message = (
            "Public network access is disabled and request is not from a trusted service nor via an "
            f"approved private link.\r\nCaller: appid={caller.app_id};oid={caller.object_id}\r\n"
            f"Vault: {name};location={LOCATION}"
        )
        raise VaultError(403, "Forbidden", message, inner="ForbiddenByConnection")
    if properties.get("publicNetworkAccess") == "SecuredByPerimeter":
        # The perimeter overrides the firewall and its bypass. Ours: the inner code is in no public source.
        message = "Request was denied by the network security perimeter of the vault."
        raise VaultError(403, "Forbidden", message, inner="ForbiddenByNsp")
    rules = properties.get("networkAcls") or {}
    if rules.get("defaultAction", "Allow") == "Allow":
        return
    allowed = [ipaddress.ip_network(rule["value"], strict=False) for rule in rules.get("ipRules") or []]
    if any(ipaddress.ip_address(caller.address) in network for network in allowed):
        return
    message = (
        "Client address is not authorized and caller is not a trusted service.\r\n"
        f"Client address: {caller.address}\r\nCaller: {caller}\r\nVault: {name};location={LOCATION}"
    )
    raise VaultError(403, "Forbidden", message, inner="ForbiddenByFirewall")


def check_tenant(vault: Json) -> None:
    """A vault takes the tokens of its own tenant only."""
    expected = vault["properties"]["tenantId"]
    if expected != TENANT_ID:
        raise VaultError(
            401,
            "Unauthorized",
            f"AKV10032: Invalid issuer. Expected one of https://sts.windows.net/{expected}/, "
            f"found https://sts.windows.net/{TENANT_ID}/.",
        )


def check_grant(vault: Json, grants: Grants, caller: Caller, operation: str, key: str) -> None:
    """Raise ``ForbiddenByRbac`` or ``AccessDenied``, whichever the vault's permission model says."""
    action, permission = _ACTIONS[operation]
    if not vault["properties"].get("enableRbacAuthorization"):
        _check_policies(vault, caller, permission)
        return
    scope = f"{vault['id']}/keys/{key}" if key else str(vault["id"])
    if grants.allowed(caller.object_id, f"Microsoft.KeyVault/{action}", scope, data=True):
        return
    message = (
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny "
        "assignments or role definitions were changed recently, please observe propagation time.\r\n"
        f"Caller: {caller}\r\n"
        f"Action: 'Microsoft.KeyVault/{action}'\r\n"
        f"Resource: '{scope.lower()}'\r\nAssignment: (not found)\r\n"
        "DenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\n"
        f"Vault: {vault['name']};location={LOCATION}\r\n"
    )
    raise VaultError(403, "Forbidden", message, inner="ForbiddenByRbac")


def _check_policies(vault: Json, caller: Caller, permission: str) -> None:
    for policy in vault["properties"].get("accessPolicies") or []:
        granted = [str(one).lower() for one in (policy.get("permissions") or {}).get("keys") or []]
        if policy.get("objectId") == caller.object_id and {permission, "all"} & set(granted):
            return
    message = (
        f"The user, group or application '{caller}' does not have keys {permission} permission on key vault "
        f"'{vault['name']};location={LOCATION}'. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125287"
    )
    raise VaultError(403, "Forbidden", message, inner="AccessDenied")
