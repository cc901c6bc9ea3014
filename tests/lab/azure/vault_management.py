"""``Microsoft.KeyVault`` in Resource Manager: vaults, their private endpoint connections, and their keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.lab.azure.gate import Gate
from tests.lab.azure.grants import ASSIGNMENTS, iso
from tests.lab.azure.keyvault import KeyVault, vault_document
from tests.lab.azure.merge import merge_patch
from tests.lab.azure.metadata import LOCATION, SUBSCRIPTION_ID, group_id
from tests.lab.azure.refusal import ServiceError, resource_not_found
from tests.lab.azure.resources import Json, Resources
from tests.lab.azure.server import Request, Response, Router
from tests.lab.azure.vault_keys import KeyVersion

VAULTS = "Microsoft.KeyVault/vaults"
_PROVIDER = "/subscriptions/{subscription}/providers/Microsoft.KeyVault"
_ALL = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{VAULTS}"
_ONE = f"{_ALL}/{{vault}}"
_LINK = f"{_ONE}/privateEndpointConnections"
_DELETED = "Microsoft.KeyVault/locations/deletedVaults"
_RETENTION_SECONDS = 90 * 86_400


class VaultManagement:
    """The management plane. ``vaults`` are those with a data plane, by name; others are resources only."""

    def __init__(self, resources: Resources, vaults: Mapping[str, KeyVault], gate: Gate) -> None:
        self._resources = resources
        self._vaults = vaults
        self._gate = gate

    def add_routes(self, router: Router) -> None:
        routes: list[tuple[str, str, Callable[..., Response]]] = [
            ("GET", f"{_PROVIDER}/vaults", self._list),
            ("GET", _ALL, self._list),
            ("GET", _ONE, self._get),
            ("PUT", _ONE, self._put),
            ("PATCH", _ONE, self._patch),
            ("DELETE", _ONE, self._delete),
            ("PUT", f"{_ONE}/accessPolicies/{{kind}}", self._access_policies),
            ("GET", f"{_PROVIDER}/deletedVaults", self._list_deleted),
            ("GET", f"{_PROVIDER}/locations/{{location}}/deletedVaults/{{vault}}", self._get_deleted),
            ("GET", _LINK, self._links),
            ("GET", f"{_LINK}/{{link}}", self._link),
            ("PUT", f"{_LINK}/{{link}}", self._put_link),
            ("GET", f"{_ONE}/keys", self._keys),
            ("GET", f"{_ONE}/keys/{{key}}", self._key),
            ("GET", f"{_ONE}/keys/{{key}}/versions", self._key_versions),
            ("GET", f"{_ONE}/keys/{{key}}/versions/{{version}}", self._key),
        ]
        for method, template, handler in routes:
            self._gate.add(router, method, template, handler)

    def _list(self, request: Request, group: str = "") -> Response:
        scope = group_id(group) if group else ""
        return self._resources.page(request, self._resources.listed(VAULTS, scope))

    def _get(self, request: Request, group: str, vault: str) -> Response:
        return Response(200, self._known(group, vault))

    def _known(self, group: str, vault: str) -> Json:
        found = self._resources.get(_id(group, vault))
        if found is None:
            raise resource_not_found(VAULTS, vault, group)
        return found

    def _put(self, request: Request, group: str, vault: str) -> Response:
        body = request.json()
        wanted: Json = body.get("properties") or {}
        if wanted.get("createMode") == "recover":
            return self._recover(group, vault)
        stored = self._resources.get(_id(group, vault))
        if not wanted.get("tenantId") or not wanted.get("sku") or not body.get("location"):
            message = "The parameters 'location', 'properties.tenantId' and 'properties.sku' are required."
            raise ServiceError(400, "BadRequest", message)
        if self._resources.get(_deleted_id(vault)) is not None:
            message = (
                f"A vault with the same name '{vault}' already exists in deleted state. You need to either recover or "
                "purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more "
                "information on soft delete."
            )
            raise ServiceError(409, "ConflictError", message)
        known = stored or vault_document(f"https://{vault}.vault.azure.net/")
        return Response(200, self._store(group, vault, known, {"tags": body.get("tags") or {}, "properties": wanted}))

    def _patch(self, request: Request, group: str, vault: str) -> Response:
        body = request.json()
        patch: Json = {key: body[key] for key in ("tags", "properties") if key in body}
        return Response(200, self._store(group, vault, self._known(group, vault), patch))

    def _store(self, group: str, vault: str, known: Json, patch: Json) -> Json:
        wanted = patch.get("properties") or {}
        _check_irreversible(known["properties"], wanted)
        # Read-only, and what the service itself knows of the vault.
        given = {
            key: value
            for key, value in wanted.items()
            if key not in ("vaultUri", "provisioningState", "privateEndpointConnections", "createMode")
        }
        return self._resources.put(_id(group, vault), merge_patch(known, {**patch, "properties": given}))

    def _delete(self, request: Request, group: str, vault: str) -> Response:
        """Soft delete: the vault can come back, its role assignments do not."""
        gone = self._resources.delete(_id(group, vault))
        if gone is None:
            return Response(204)
        for assignment in self._resources.listed(ASSIGNMENTS, gone["id"]):
            self._resources.delete(assignment["id"])
        now = time.time()
        properties = {
            "vaultId": gone["id"],
            "location": gone["location"],
            "deletionDate": iso(now),
            "scheduledPurgeDate": iso(now + _RETENTION_SECONDS),
            "tags": gone.get("tags") or {},
            "purgeProtectionEnabled": gone["properties"].get("enablePurgeProtection"),
        }
        self._resources.put(_deleted_id(vault), {"properties": properties, "kept": gone})
        return Response(200)

    def _recover(self, group: str, vault: str) -> Response:
        deleted = self._resources.delete(_deleted_id(vault))
        if deleted is None:
            raise ServiceError(404, "VaultNotFound", f"The deleted vault '{vault}' could not be found.")
        return Response(200, self._resources.put(_id(group, vault), deleted["kept"]))

    def _access_policies(self, request: Request, group: str, vault: str, kind: str) -> Response:
        known = self._known(group, vault)
        given = (request.json().get("properties") or {}).get("accessPolicies") or []
        named = {policy["objectId"] for policy in given}
        others = [one for one in known["properties"]["accessPolicies"] if one["objectId"] not in named]
        kept = {"add": [*others, *given], "replace": given, "remove": others}.get(kind)
        if kept is None:
            raise ServiceError(400, "BadRequest", f"The operation kind '{kind}' is not valid.")
        stored = self._resources.patch(_id(group, vault), {"properties": {"accessPolicies": kept}})
        return Response(200, stored)

    def _list_deleted(self, request: Request) -> Response:
        return self._resources.page(request, [_shown(one) for one in self._resources.listed(_DELETED)])

    def _get_deleted(self, request: Request, location: str, vault: str) -> Response:
        found = self._resources.get(_deleted_id(vault))
        if found is None:
            raise ServiceError(404, "DeletedVaultNotFound", f"The deleted vault '{vault}' could not be found.")
        return Response(200, _shown(found))

    def _links(self, request: Request, group: str, vault: str) -> Response:
        connections = self._known(group, vault)["properties"]["privateEndpointConnections"]
        return self._resources.page(request, connections)

    def _link(self, request: Request, group: str, vault: str, link: str) -> Response:
        for connection in self._known(group, vault)["properties"]["privateEndpointConnections"]:
            if connection["name"].lower() == link.lower():
                return Response(200, connection)
        raise resource_not_found(f"{VAULTS}/{vault}/privateEndpointConnections", link, group)

    def _put_link(self, request: Request, group: str, vault: str, link: str) -> Response:
        """Approve or reject a connection that is there."""
        answer = self._link(request, group, vault, link)
        state = (request.json().get("properties") or {}).get("privateLinkServiceConnectionState") or {}
        if state.get("status") not in ("Approved", "Rejected", "Disconnected"):
            raise ServiceError(400, "BadRequest", "The status of a private link service connection is required.")
        changed = merge_patch(answer.body, {"properties": {"privateLinkServiceConnectionState": state}})
        connections = self._known(group, vault)["properties"]["privateEndpointConnections"]
        kept = [changed if one["name"] == changed["name"] else one for one in connections]
        self._resources.patch(_id(group, vault), {"properties": {"privateEndpointConnections": kept}})
        return Response(200, changed)

    def _keys(self, request: Request, group: str, vault: str) -> Response:
        versions = self._versions_of(group, vault)
        return self._resources.page(request, [self._key_resource(group, vault, one[-1]) for one in versions.values()])

    def _key_versions(self, request: Request, group: str, vault: str, key: str) -> Response:
        versions = self._versions_of(group, vault).get(key, [])
        return self._resources.page(request, [self._key_resource(group, vault, one, True) for one in versions])

    def _key(self, request: Request, group: str, vault: str, key: str, version: str = "") -> Response:
        for found in reversed(self._versions_of(group, vault).get(key, [])):
            if version in ("", found.version):
                return Response(200, self._key_resource(group, vault, found, bool(version)))
        reference = f"{key}/{version}" if version else key
        # Ours: the management plane's text for a key that is not there.
        raise ServiceError(404, "KeyNotFound", f"A key with (name/id) {reference} was not found in this key vault.")

    def _versions_of(self, group: str, vault: str) -> dict[str, list[KeyVersion]]:
        name = self._known(group, vault)["name"]
        return self._vaults[name].keys() if name in self._vaults else {}

    def _key_resource(self, group: str, vault: str, key: KeyVersion, version: bool = False) -> Json:
        resource_id = f"{_id(group, vault)}/keys/{key.name}"
        uri = f"{self._vaults[vault.lower()].url}/keys/{key.name}"
        shown: dict[str, Any] = {
            "attributes": key.attributes(),
            "kty": key.kty,
            "keyOps": list(key.key_ops),
            "keyUri": uri,
            "keyUriWithVersion": f"{uri}/{key.version}",
        }
        policy = self._vaults[vault.lower()].rotation_policies.get(key.name)
        if policy:
            shown["rotationPolicy"] = policy
        shown |= {"curveName": "P-256"} if key.kty.startswith("EC") else {"keySize": key.rsa.key_size}
        return {
            "id": f"{resource_id}/versions/{key.version}" if version else resource_id,
            "name": key.version if version else key.name,
            "type": f"{VAULTS}/keys/versions" if version else f"{VAULTS}/keys",
            "location": LOCATION,
            "properties": shown,
        }


def _check_irreversible(known: Json, wanted: Json) -> None:
    if known.get("enablePurgeProtection") and wanted.get("enablePurgeProtection") is False:
        raise ServiceError(
            400,
            "BadRequest",
            'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault '
            "is an irreversible action.",
        )
    if known.get("enableSoftDelete") and wanted.get("enableSoftDelete") is False:
        raise ServiceError(
            400,
            "BadRequest",
            'The property "enableSoftDelete" can be set to false only for creating new vault. Enabling the '
            "'soft delete' functionality is an irreversible action.",
        )


def _shown(deleted: Json) -> Json:
    return {
        **{key: value for key, value in deleted.items() if key != "kept"},
        "type": "Microsoft.KeyVault/deletedVaults",
    }


def _id(group: str, vault: str) -> str:
    return f"{group_id(group)}/providers/{VAULTS}/{vault}"


def _deleted_id(vault: str) -> str:
    place = f"/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.KeyVault/locations/{LOCATION}"
    return f"{place}/deletedVaults/{vault}"
