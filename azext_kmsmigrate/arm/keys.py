"""Reads key versions: through Resource Manager, which no vault's firewall stops, else from the vault itself."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from azext_kmsmigrate.arm.resource_manager import Json, Resources
from azext_kmsmigrate.arm.vault_data import VaultData
from azext_kmsmigrate.arm.vaults import VERSION
from azext_kmsmigrate.checks.key_sight import Key, Presence, Vault
from azext_kmsmigrate.checks.topic import Unseen

_READ = "Microsoft.KeyVault/vaults/keys/read"
_READ_VERSION = "Microsoft.KeyVault/vaults/keys/versions/read"


class Keys:
    """The key versions of vaults."""

    def __init__(self, resources: Resources, data: VaultData) -> None:
        self._resources, self._data = resources, data

    def look(self, key_id: str, vault: Vault) -> Key | Unseen:
        parts = urlsplit(key_id).path.strip("/").split("/")
        if len(parts) != 3:
            return Unseen(f"{key_id} is not the id of a key version")
        if not vault.known:
            return Unseen(f"{vault.address} is not known as a key vault: no token of yours goes there")
        if vault.presence is not Presence.PRESENT:
            return Unseen(f"key vault '{vault.name}' is {vault.presence.value}")
        _, name, version = parts
        path = f"{vault.resource_id}/keys/{name}"
        by_azure: Json | Unseen | None = Unseen("the vault's own id is not known")
        if vault.resource_id:
            by_azure = self._resources.get(f"{path}/versions/{version}", VERSION, _READ_VERSION)
        if isinstance(by_azure, dict):
            return replace(_of_resource(by_azure), rotates=self._rotates(vault.address, name, path))
        by_vault = self._data.key(vault.address, name, version)
        if isinstance(by_vault, dict):
            return replace(_of_bundle(by_vault), rotates=self._rotates(vault.address, name, ""))
        if isinstance(by_azure, Unseen) and isinstance(by_vault, Unseen):
            # Resource Manager's right is the smaller one to ask for.
            return by_azure if vault.resource_id else by_vault
        deleted = self._data.deleted_key(vault.address, name)
        return Key(Presence.DELETED if isinstance(deleted, dict) else Presence.ABSENT)

    def _rotates(self, address: str, name: str, path: str) -> bool | Unseen:
        """Whether Key Vault makes new versions by itself: as Resource Manager says, where it does, else the vault."""
        document = self._resources.get(path, VERSION, _READ) if path else None
        policy = (document.get("properties") or {}).get("rotationPolicy") if isinstance(document, dict) else None
        found = policy or self._data.rotation_policy(address, name)
        return found if isinstance(found, Unseen) else _does_rotate(found)


def _of_resource(document: Json) -> Key:
    properties = document.get("properties") or {}
    return Key(
        kind=str(properties.get("kty") or ""),
        bits=int(properties.get("keySize") or 0),
        operations=frozenset(properties.get("keyOps") or ()),
        **_attributes(properties.get("attributes") or {}),
    )


def _of_bundle(document: Json) -> Key:
    key = document.get("key") or {}
    modulus = str(key.get("n") or "")
    return Key(
        kind=str(key.get("kty") or ""),
        bits=8 * len(base64.urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4)).lstrip(b"\0")),
        operations=frozenset(key.get("key_ops") or ()),
        **_attributes(document.get("attributes") or {}),
    )


def _attributes(attributes: Json) -> dict[str, Any]:
    """``exp`` and ``nbf`` are seconds since 1970 in both contracts."""
    return {
        "enabled": attributes.get("enabled") is not False,
        "expires": _moment(attributes.get("exp")),
        "not_before": _moment(attributes.get("nbf")),
    }


def _moment(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, timezone.utc) if seconds else None


def _does_rotate(policy: Any) -> bool:
    actions = (policy or {}).get("lifetimeActions") or ()
    return any(str((a.get("action") or {}).get("type") or "").lower() == "rotate" for a in actions)
