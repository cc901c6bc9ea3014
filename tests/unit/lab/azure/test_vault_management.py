"""A vault as Resource Manager has it, and what its settings do to the keys."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests

from tests.lab.azure.identity import TENANT_ID, VAULT_AUDIENCE
from tests.unit.lab.azure.conftest import Lab, LabFactory

VAULT = "providers/Microsoft.KeyVault/vaults/lab-kv"
CLOSED = {"networkAcls": {"defaultAction": "Deny"}}


def _data(lab: Lab, url: str = "", method: str = "GET", body: Any = None, bearer: str = "") -> requests.Response:
    headers = {"Authorization": f"Bearer {bearer or lab.token(VAULT_AUDIENCE)}"}
    return requests.request(
        method,
        (url or lab.azure.key_id()) + "?api-version=7.4",
        json=body,
        headers=headers,
        verify=lab.ca_bundle,
        timeout=30,
    )


def _inner(response: requests.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"].get("innererror", {}).get("code", "")


def test_the_vault_and_its_lists(lab: Lab) -> None:
    vault = lab.arm("GET", VAULT).json()
    assert vault["id"] == lab.azure.vault.resource_id
    assert vault["type"] == "Microsoft.KeyVault/vaults"
    assert vault["properties"]["networkAcls"]["defaultAction"] == "Allow"
    assert lab.arm("GET", "providers/Microsoft.KeyVault/vaults").json()["value"] == [vault]
    missing = lab.arm("GET", "providers/Microsoft.KeyVault/vaults/other")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "ResourceNotFound")


def test_the_keys_without_the_data_plane(lab: Lab) -> None:
    lab.azure.vault.change(publicNetworkAccess="Disabled")
    lab.azure.vault.set_key(expires=2_000_000_000, enabled=False, key_ops=["decrypt"])
    key = lab.arm("GET", f"{VAULT}/keys/kms").json()
    properties = key["properties"]
    assert properties["keyUriWithVersion"] == lab.azure.key_id()
    assert (properties["kty"], properties["keySize"], properties["keyOps"]) == ("RSA", 2048, ["decrypt"])
    assert (properties["attributes"]["enabled"], properties["attributes"]["exp"]) == (False, 2_000_000_000)
    older = lab.azure.key_id().rpartition("/")[2]
    newer = lab.azure.vault.add_key("kms").rpartition("/")[2]
    versions = lab.arm("GET", f"{VAULT}/keys/kms/versions").json()["value"]
    assert [one["name"] for one in versions] == [older, newer]
    assert lab.arm("GET", f"{VAULT}/keys/kms/versions/{older}").json()["properties"]["attributes"]["enabled"] is False
    assert [one["name"] for one in lab.arm("GET", f"{VAULT}/keys").json()["value"]] == ["kms", "kms-new"]
    assert lab.arm("GET", f"{VAULT}/keys/other").json()["error"]["code"] == "KeyNotFound"


@pytest.mark.parametrize(
    ("change", "usable", "operator"),
    [
        ({}, True, (200, "")),
        (CLOSED, False, (403, "ForbiddenByFirewall")),
        ({"publicNetworkAccess": "Disabled"}, False, (403, "ForbiddenByConnection")),
        ({"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.7"}]}}, False, (200, "")),
        (
            {"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "198.51.100.20/32"}]}},
            True,
            (403, "ForbiddenByFirewall"),
        ),
        ({"tenantId": str(uuid.uuid4())}, False, (401, "")),
        ({"enableRbacAuthorization": False}, False, (403, "AccessDenied")),
    ],
)
def test_what_the_settings_do(lab: Lab, change: dict[str, Any], usable: bool, operator: tuple[int, str]) -> None:
    answer = lab.arm("PATCH", VAULT, {"properties": change})
    assert answer.status_code == 200
    assert lab.azure.vault.usable_in_public(lab.azure.key_id()) is usable
    response = _data(lab)
    assert (_inner(response) if response.status_code != 200 else (200, "")) == operator


def test_access_policies_count_only_without_roles(lab: Lab) -> None:
    azure = lab.azure
    policy = {
        "tenantId": TENANT_ID,
        "objectId": azure.cluster_identity.object_id,
        "permissions": {"keys": ["encrypt", "decrypt"]},
    }
    azure.vault.set_key(granted=False)
    added = lab.arm("PUT", f"{VAULT}/accessPolicies/add", {"properties": {"accessPolicies": [policy]}})
    assert added.status_code == 200
    assert not azure.vault.usable_in_public(azure.key_id())
    lab.arm("PATCH", VAULT, {"properties": {"enableRbacAuthorization": False}})
    assert azure.vault.usable_in_public(azure.key_id())
    lab.arm("PUT", f"{VAULT}/accessPolicies/remove", {"properties": {"accessPolicies": [policy]}})
    assert not azure.vault.usable_in_public(azure.key_id())


@pytest.mark.parametrize("name", ["enablePurgeProtection", "enableSoftDelete"])
def test_what_cannot_be_taken_back(lab: Lab, name: str) -> None:
    refused = lab.arm("PATCH", VAULT, {"properties": {name: False}})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "BadRequest")
    assert "irreversible action" in refused.json()["error"]["message"]


def test_a_deleted_vault(lab: Lab) -> None:
    assert lab.arm("DELETE", VAULT).status_code == 200
    with pytest.raises(requests.ConnectionError):
        _data(lab)
    subscription = lab.azure.vault.resource_id.partition("/resourceGroups/")[0]
    place = f"{subscription}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults"
    deleted = lab.arm("GET", f"{place}/lab-kv").json()["properties"]
    assert deleted["vaultId"] == lab.azure.vault.resource_id
    assert lab.arm("GET", f"{place}/other").json()["error"]["code"] == "DeletedVaultNotFound"
    again = {"location": "westeurope", "properties": {"tenantId": TENANT_ID, "sku": {"name": "standard"}}}
    assert lab.arm("PUT", VAULT, again).json()["error"]["code"] == "ConflictError"
    recover = {"location": "westeurope", "properties": {**again["properties"], "createMode": "recover"}}  # type: ignore[dict-item]
    assert lab.arm("PUT", VAULT, recover).status_code == 200
    # Role assignments do not come back: the operator's own on the vault is gone with them.
    assert _inner(_data(lab)) == (403, "ForbiddenByRbac")


def test_a_private_endpoint_connection_can_be_rejected(new_lab: LabFactory) -> None:
    lab = new_lab(key_vault="private")
    bearer = lab.identity_token(VAULT_AUDIENCE)
    assert _data(lab, bearer=bearer).status_code == 200
    (link,) = lab.arm("GET", f"{VAULT}/privateEndpointConnections").json()["value"]
    endpoint = lab.arm("GET", link["properties"]["privateEndpoint"]["id"]).json()
    assert endpoint["properties"]["privateLinkServiceConnections"][0]["properties"]["groupIds"] == ["vault"]
    state = {"properties": {"privateLinkServiceConnectionState": {"status": "Rejected"}}}
    assert lab.arm("PUT", f"{VAULT}/privateEndpointConnections/{link['name']}", state).status_code == 200
    assert _inner(_data(lab, bearer=bearer)) == (403, "ForbiddenByConnection")


def test_a_deleted_key_is_found_and_recovered(lab: Lab) -> None:
    lab.azure.vault.set_key(deleted=True)
    url = f"{lab.azure.vault.url}/deletedkeys/kms"
    shown = _data(lab, url).json()
    assert shown["recoveryId"] == url
    assert shown["key"]["kid"] == lab.azure.key_id()
    assert lab.arm("GET", f"{VAULT}/keys/kms").json()["error"]["code"] == "KeyNotFound"
    assert _inner(_data(lab, f"{url}/recover", "POST")) == (403, "ForbiddenByRbac")
    lab.azure.vault.set_key(deleted=False)
    assert _data(lab).status_code == 200
    assert _data(lab, url).json()["error"]["code"] == "KeyNotFound"


def test_lists_and_rotation_policy(lab: Lab) -> None:
    lab.azure.vault.add_key("kms")
    base = lab.azure.vault.url
    assert [one["kid"] for one in _data(lab, f"{base}/keys").json()["value"]] == [
        f"{base}/keys/kms",
        f"{base}/keys/kms-new",
    ]
    assert len(_data(lab, f"{base}/keys/kms/versions").json()["value"]) == 2
    usual = _data(lab, f"{base}/keys/kms/rotationpolicy").json()
    assert usual["lifetimeActions"][0]["action"]["type"] == "Notify"
    lab.azure.vault.set_key(rotates=True)
    (action,) = _data(lab, f"{base}/keys/kms/rotationpolicy").json()["lifetimeActions"]
    assert action == {"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}}
    assert lab.arm("GET", f"{VAULT}/keys/kms").json()["properties"]["rotationPolicy"]["lifetimeActions"] == [action]
    lab.azure.vault.set_key(rotates=False)
    assert "rotationPolicy" not in lab.arm("GET", f"{VAULT}/keys/kms").json()["properties"]


@pytest.mark.parametrize(
    ("change", "encrypt"),
    [
        ({"key_ops": ["decrypt"]}, (403, "KeyOperationForbidden")),
        ({"kty": "EC"}, (403, "KeyOperationForbidden")),
        ({"kty": "EC", "key_ops": ["encrypt", "decrypt"]}, (400, "")),
        ({"kty": "RSA-HSM"}, (200, "")),
    ],
)
def test_keys_that_cannot_encrypt(lab: Lab, change: dict[str, Any], encrypt: tuple[int, str]) -> None:
    lab.azure.vault.set_key(**change)
    body = {"alg": "RSA-OAEP-256", "value": "YWJj"}
    response = _data(lab, f"{lab.azure.key_id()}/encrypt", "POST", body, lab.identity_token(VAULT_AUDIENCE))
    assert (_inner(response) if response.status_code != 200 else (200, "")) == encrypt
    assert lab.azure.vault.usable_in_public(lab.azure.key_id()) is (encrypt[0] == 200)
    assert _data(lab).json()["key"]["kty"] == change.get("kty", "RSA")
    assert lab.arm("GET", f"{VAULT}/keys/kms").json()["properties"]["kty"] == change.get("kty", "RSA")
