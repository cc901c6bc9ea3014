"""Finds key vaults in Azure by the address that a key's id names, and reads them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from azext_kmsmigrate.arm.resource_manager import Json, Resources
from azext_kmsmigrate.arm.vault_data import VaultData
from azext_kmsmigrate.checks.key_sight import EndpointConnection, Presence, Vault, VaultSettings
from azext_kmsmigrate.checks.topic import Unseen
from azext_kmsmigrate.migration.facts import KmsProfile

VERSION = "2023-07-01"
_GRAPH_VERSION = "2021-03-01"
_READ = "Microsoft.KeyVault/vaults/read"
_READ_DELETED = "Microsoft.KeyVault/deletedVaults/read"


class Vaults:
    """``suffix``: how the hosts of this cloud's vaults end, ``.vault.azure.net``."""

    def __init__(self, resources: Resources, data: VaultData, suffix: str) -> None:
        self._resources, self._data, self._suffix = resources, data, suffix

    def find(self, kms: KmsProfile) -> Vault | Unseen:
        """The vault of a key: by the resource id that is given, by its address in the subscription, by name in all."""
        address = address_of(kms.key_id)
        if kms.vault_id:
            found = self._resources.get(kms.vault_id, VERSION, _READ)
            if isinstance(found, dict) and _address(found) == address:
                return vault_of(found)
            if found is None and self._is_deleted(kms.vault_id):
                return Vault(address, Presence.DELETED, resource_id=kms.vault_id)
        subscription = f"/subscriptions/{self._resources.name.subscription}"
        listed = self._resources.listed(f"{subscription}/providers/Microsoft.KeyVault/vaults", VERSION, _READ)
        for document in listed if isinstance(listed, tuple) else ():
            if _address(document) == address:
                return vault_of(document)
        if found := self._elsewhere(address):
            return vault_of(found)
        if deleted := self._deleted_by_name(subscription, self._name(address)):
            return Vault(address, Presence.DELETED, resource_id=deleted)
        return self._from_outside(address, listed if isinstance(listed, Unseen) else None)

    def _from_outside(self, address: str, unseen: Unseen | None) -> Vault | Unseen:
        """What a vault that Azure does not show tells by itself."""
        known = bool(self._name(address))
        tenant = self._data.tenant(address)
        if isinstance(tenant, str):
            why = f"key vault {address} is in no subscription that you may read"
            return Vault(address, known=known, tenant=tenant, settings=unseen or Unseen(why, _READ))
        if tenant is None and unseen is None:
            return Vault(address, Presence.ABSENT, known=known)
        return unseen or (tenant if isinstance(tenant, Unseen) else Unseen("there is no host of the vault's name"))

    def _name(self, address: str) -> str:
        """The vault's name, where the address is one of this cloud's vaults."""
        host, suffix = address.partition(":")[0], "." + self._suffix.strip(".").lower()
        return host.removesuffix(suffix) if host.endswith(suffix) else ""

    def _elsewhere(self, address: str) -> Json | None:
        """In the other subscriptions that the user may read; names of vaults are unique in a cloud."""
        name = self._name(address)
        if not name.replace("-", "").isalnum():
            return None
        query = f"resources | where type =~ 'microsoft.keyvault/vaults' and name =~ '{name}' | project id"
        path = "/providers/Microsoft.ResourceGraph/resources"
        answer = self._resources.post(path, _GRAPH_VERSION, _READ, {"query": query})
        rows = (answer.get("data") or []) if isinstance(answer, dict) else []
        for row in rows:
            found = self._resources.get(row["id"], VERSION, _READ)
            if isinstance(found, dict) and _address(found) == address:
                return found
        return None

    def _is_deleted(self, vault_id: str) -> bool:
        subscription = "/".join(vault_id.split("/")[:3])
        return any(_kept_id(d).lower() == vault_id.lower() for d in self._deleted(subscription))

    def _deleted_by_name(self, subscription: str, name: str) -> str:
        return next(
            (_kept_id(d) for d in self._deleted(subscription) if name and d.get("name", "").lower() == name), ""
        )

    def _deleted(self, subscription: str) -> tuple[Json, ...]:
        path = f"{subscription}/providers/Microsoft.KeyVault/deletedVaults"
        found = self._resources.listed(path, VERSION, _READ_DELETED)
        return found if isinstance(found, tuple) else ()


def address_of(url: str) -> str:
    """Host and port, as they are compared."""
    return urlsplit(url).netloc.lower()


def vault_of(document: Json) -> Vault:
    """A vault as Azure shows it."""
    properties = document.get("properties") or {}
    rules = properties.get("networkAcls") or {}
    return Vault(
        address=_address(document),
        resource_id=document["id"],
        tenant=properties.get("tenantId") or "",
        settings=VaultSettings(
            rbac=bool(properties.get("enableRbacAuthorization")),
            public_access=properties.get("publicNetworkAccess") or "Enabled",
            open=(rules.get("defaultAction") or "Allow") == "Allow",
            soft_delete=properties.get("enableSoftDelete") is not False,
            purge_protection=bool(properties.get("enablePurgeProtection")),
            policies=_policies(properties),
            connections=tuple(_connection(c) for c in properties.get("privateEndpointConnections") or ()),
        ),
    )


def _policies(properties: Json) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for policy in properties.get("accessPolicies") or ():
        keys = (policy.get("permissions") or {}).get("keys") or ()
        who = str(policy.get("objectId") or "").lower()
        found[who] = found.get(who, frozenset()) | {str(k).lower() for k in keys}
    return found


def _connection(document: Any) -> EndpointConnection:
    properties = document.get("properties") or {}
    state = properties.get("privateLinkServiceConnectionState") or {}
    return EndpointConnection((properties.get("privateEndpoint") or {}).get("id") or "", state.get("status") or "")


def _address(document: Json) -> str:
    return address_of((document.get("properties") or {}).get("vaultUri") or "")


def _kept_id(document: Json) -> str:
    return str((document.get("properties") or {}).get("vaultId") or "")
