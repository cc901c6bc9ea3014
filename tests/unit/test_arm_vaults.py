"""Vaults, keys and rights, read from documents of the shapes that Azure's REST reference gives."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError

from azext_kmsmigrate import errors
from azext_kmsmigrate.arm.key_inspector import KeyInspector
from azext_kmsmigrate.checks.key_sight import KEYS, EndpointConnection, Key, KeySight, Presence, Vault, VaultSettings
from azext_kmsmigrate.checks.rights import Grants
from azext_kmsmigrate.checks.topic import Unseen
from azext_kmsmigrate.errors import AzureError
from azext_kmsmigrate.migration.facts import KmsProfile, NetworkAccess
from azext_kmsmigrate.ports import Question
from tests.unit.arm_answers import FORBIDDEN, Answer, Answers, azure
from tests.unit.vault_scenes import NEW_KEY, NEW_VAULT_ID, OLD_KEY, PRINCIPAL, TENANT, VAULT_ID, facts

HOST = "kv-new.vault.azure.net"
VERSION = NEW_KEY.rpartition("/")[2]
VAULTS = "/subscriptions/sub/providers/Microsoft.KeyVault/vaults"
ROLE = "/subscriptions/sub/providers/Microsoft.Authorization/roleDefinitions/12338af0"
KEY_PATH = f"{NEW_VAULT_ID}/keys/etcd"
CHALLENGE = f'Bearer authorization="https://login.microsoftonline.com/{TENANT}", resource="https://vault.azure.net"'


def vault(name: str = "kv-new", vault_id: str = NEW_VAULT_ID, **properties: Any) -> dict[str, Any]:
    return {
        "id": vault_id,
        "name": name,
        "type": "Microsoft.KeyVault/vaults",
        "location": "westeurope",
        "properties": {
            "sku": {"family": "A", "name": "standard"},
            "tenantId": TENANT,
            "vaultUri": f"https://{name}.vault.azure.net/",
            "accessPolicies": [],
            "enableSoftDelete": True,
            "enablePurgeProtection": True,
            "enableRbacAuthorization": True,
            "publicNetworkAccess": "Enabled",
            "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow", "ipRules": []},
            "provisioningState": "Succeeded",
            **properties,
        },
    }


def key_version(**properties: Any) -> dict[str, Any]:
    return {
        "id": f"{KEY_PATH}/versions/{VERSION}",
        "properties": {
            "attributes": {"enabled": True, "exp": 1798675200, "nbf": 1767139200, "created": 1, "updated": 1},
            "kty": "RSA",
            "keySize": 2048,
            "keyOps": ["encrypt", "decrypt"],
            "keyUriWithVersion": NEW_KEY,
            **properties,
        },
    }


def assignment(scope: str = NEW_VAULT_ID, created: str = "2026-01-30T09:00:00.1234567Z") -> dict[str, Any]:
    properties = {
        "roleDefinitionId": ROLE,
        "principalId": PRINCIPAL,
        "principalType": "ServicePrincipal",
        "scope": scope,
        "createdOn": created,
    }
    return {"id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/1", "properties": properties}


def deny(scope: str = NEW_VAULT_ID, **more: Any) -> dict[str, Any]:
    properties = {
        "denyAssignmentName": "no-keys",
        "permissions": [{"dataActions": ["Microsoft.KeyVault/*"]}],
        "scope": scope,
        "doNotApplyToChildScopes": False,
        "principals": [{"id": PRINCIPAL, "type": "ServicePrincipal"}],
        "excludePrincipals": [],
        **more,
    }
    return {"properties": properties}


ROLE_DOCUMENT = {
    "id": ROLE,
    "properties": {
        "roleName": "Key Vault Crypto User",
        "permissions": [
            {
                "actions": [],
                "notActions": [],
                "dataActions": [f"Microsoft.KeyVault/vaults/keys/{a}/action" for a in ("encrypt", "decrypt")],
                "notDataActions": [],
            }
        ],
    },
}
FINE = {
    f"GET {VAULTS}": {"value": [vault("other", "/other"), vault()]},
    f"GET {KEY_PATH}/versions/{VERSION}": key_version(),
    f"GET {KEY_PATH}": {"properties": {"rotationPolicy": {"lifetimeActions": [{"action": {"type": "notify"}}]}}},
    f"GET {KEY_PATH}/providers/Microsoft.Authorization/roleAssignments": {"value": [assignment()]},
    f"GET {ROLE}": ROLE_DOCUMENT,
    f"GET {KEY_PATH}/providers/Microsoft.Authorization/denyAssignments": {"value": []},
    f"GET {HOST}/keys": Answer({}, 401, {"WWW-Authenticate": CHALLENGE}),
}
PUBLIC = KmsProfile(True, NEW_KEY)
PRIVATE = KmsProfile(True, NEW_KEY, NetworkAccess.PRIVATE, NEW_VAULT_ID)


def look(answers: Answers, target: KmsProfile = PUBLIC, original: KmsProfile | None = None) -> KeySight:
    inspector = KeyInspector(answers.resources(), answers.data(), ".vault.azure.net")
    found = inspector.look(KEYS, Question(facts(), original, target))
    return found[target.key_id]


def but(**changes: Any) -> Answers:
    """All is well but for this; a document None is not there."""
    names = {
        "vaults": f"GET {VAULTS}",
        "vault": f"GET {NEW_VAULT_ID}",
        "deleted": "GET /subscriptions/sub/providers/Microsoft.KeyVault/deletedVaults",
        "graph": "POST /providers/Microsoft.ResourceGraph/resources",
        "version": f"GET {KEY_PATH}/versions/{VERSION}",
        "key": f"GET {KEY_PATH}",
        "assignments": f"GET {KEY_PATH}/providers/Microsoft.Authorization/roleAssignments",
        "denials": f"GET {KEY_PATH}/providers/Microsoft.Authorization/denyAssignments",
        "role": f"GET {ROLE}",
        "challenge": f"GET {HOST}/keys",
        "bundle": f"GET {HOST}/keys/etcd/{VERSION}",
        "deleted_key": f"GET {HOST}/deletedkeys/etcd",
    }
    table = {**FINE, **{names[name]: said for name, said in changes.items()}}
    return azure({where: said for where, said in table.items() if said is not None})


def test_everything_is_read() -> None:
    sight = look(but())
    assert sight.vault == Vault(
        HOST,
        resource_id=NEW_VAULT_ID,
        tenant=TENANT,
        settings=VaultSettings(True, "Enabled", True, soft_delete=True, purge_protection=True),
    )
    assert sight.key == Key(
        kind="RSA",
        bits=2048,
        operations=frozenset({"encrypt", "decrypt"}),
        expires=datetime(2026, 12, 31, tzinfo=timezone.utc),
        not_before=datetime(2025, 12, 31, tzinfo=timezone.utc),
        rotates=False,
    )
    assert isinstance(sight.grants, Grants)
    given = sight.grants.assignments[0]
    assert (given.role, given.scope) == ("Key Vault Crypto User", NEW_VAULT_ID)
    assert given.created == datetime(2026, 1, 30, 9, tzinfo=timezone.utc)
    assert sight.grants.giving("Microsoft.KeyVault/vaults/keys/encrypt/action", sight.resource_id, data=True)


def test_a_key_that_is_old_and_new_is_asked_for_once() -> None:
    answers = but()
    look(answers, PUBLIC, PUBLIC)
    assert sorted(answers.paths) == sorted(set(answers.paths))


def test_nobody_is_sent_the_token_but_the_vault() -> None:
    answers = but(version=FORBIDDEN, bundle=FORBIDDEN)
    look(answers)
    signed = {str(r.url).split("/")[2] for r in answers.asked if "Authorization" in r.headers}
    assert signed == {HOST}
    foreign = azure({"GET keys.example.com/keys": Answer({}, 401, {"WWW-Authenticate": CHALLENGE})})
    sight = look(foreign, KmsProfile(True, f"https://keys.example.com/keys/etcd/{VERSION}"))
    assert isinstance(sight.vault, Vault)
    assert not sight.vault.known
    assert not [r for r in foreign.asked if "Authorization" in r.headers]


def settings(answers: Answers, kms: KmsProfile = PUBLIC) -> VaultSettings:
    found = look(answers, kms).vault
    assert isinstance(found, Vault)
    assert isinstance(found.settings, VaultSettings)
    return found.settings


def listing(**properties: Any) -> Answers:
    return but(vaults={"value": [vault(**properties)]})


def test_a_vaults_settings() -> None:
    assert not settings(listing(networkAcls={"defaultAction": "Deny"})).open
    assert settings(listing(networkAcls=None)).open
    assert settings(listing(publicNetworkAccess="SecuredByPerimeter")).public_access == "SecuredByPerimeter"
    assert not settings(listing(enablePurgeProtection=None)).purge_protection
    policy = {"tenantId": TENANT, "objectId": PRINCIPAL.upper(), "permissions": {"keys": ["Encrypt", "decrypt"]}}
    found = settings(listing(enableRbacAuthorization=False, accessPolicies=[policy]))
    assert (found.rbac, found.policies) == (False, {PRINCIPAL: frozenset({"encrypt", "decrypt"})})
    connection = {
        "properties": {
            "privateEndpoint": {"id": "/endpoint"},
            "privateLinkServiceConnectionState": {"status": "Pending", "actionsRequired": "None"},
        }
    }
    assert settings(listing(privateEndpointConnections=[connection])).connections == (
        EndpointConnection("/endpoint", "Pending"),
    )


def test_a_private_vault_is_read_by_its_id() -> None:
    answers = but(vault=vault(), vaults=FORBIDDEN)
    assert isinstance(look(answers, PRIVATE).vault, Vault)
    assert f"GET {VAULTS}" not in answers.paths


def test_the_id_of_another_vault_is_not_taken_for_the_keys() -> None:
    other = replace(PRIVATE, vault_id=VAULT_ID)
    answers = azure({**FINE, f"GET {VAULT_ID}": vault("kv-old", VAULT_ID)})
    found = look(answers, other).vault
    assert isinstance(found, Vault)
    assert found.resource_id == NEW_VAULT_ID


def test_the_pages_of_a_list_are_all_read_and_only_azures_own() -> None:
    second = {"value": [vault()]}
    link = "https://management.azure.com/more?page=2"
    paged = azure({**FINE, f"GET {VAULTS}": {"value": [], "nextLink": link}, "GET /more": second})
    assert isinstance(look(paged).vault, Vault)
    foreign = azure({**FINE, f"GET {VAULTS}": {"value": [], "nextLink": "https://example.com/more"}})
    look(foreign)
    assert not [r for r in foreign.asked if "example.com" in str(r.url)]


def test_a_vault_in_another_subscription_is_found_by_its_name() -> None:
    elsewhere = NEW_VAULT_ID.replace("/sub/", "/other/")
    answers = but(vaults={"value": []}, graph={"data": [{"id": elsewhere}]})
    answers.by_path[f"get management.azure.com{elsewhere}".lower()] = Answer(vault(vault_id=elsewhere))
    found = look(answers).vault
    assert isinstance(found, Vault)
    assert found.resource_id == elsewhere


def test_a_vault_that_azure_does_not_show_tells_its_tenant() -> None:
    found = look(but(vaults={"value": []})).vault
    assert isinstance(found, Vault)
    assert (found.presence, found.tenant, found.known) == (Presence.PRESENT, TENANT, True)
    assert found.settings == Unseen(
        f"key vault {HOST} is in no subscription that you may read", "Microsoft.KeyVault/vaults/read"
    )


def test_a_deleted_vault() -> None:
    deleted = {"value": [{"name": "kv-new", "properties": {"vaultId": NEW_VAULT_ID}}]}
    for kms in (PUBLIC, PRIVATE):
        found = look(but(vaults={"value": []}, deleted=deleted), kms).vault
        assert found == Vault(HOST, Presence.DELETED, resource_id=NEW_VAULT_ID)


def test_a_vault_that_is_nowhere() -> None:
    nowhere = ServiceRequestError("Failed to resolve 'kv-new.vault.azure.net'")
    found = look(but(vaults={"value": []}, challenge=nowhere)).vault
    assert found == Vault(HOST, Presence.ABSENT)
    # Who may not list vaults cannot tell, for the name may be known inside a network only.
    assert isinstance(look(but(vaults=FORBIDDEN, challenge=nowhere)).vault, Unseen)
    unreachable = ServiceRequestError("connection refused")
    assert isinstance(look(but(vaults={"value": []}, challenge=unreachable)).vault, Unseen)


BUNDLE = {
    "key": {"kid": NEW_KEY, "kty": "EC", "key_ops": ["sign"], "crv": "P-256"},
    "attributes": {"enabled": False, "exp": 1798675200},
}
MODULUS = "gAAA" + "AAAA" * 84 + "AA"  # 2048 bits
FIREWALL = Answer({"error": {"code": "Forbidden", "innererror": {"code": "ForbiddenByFirewall"}}}, 403)
DISABLED = Answer({"error": {"code": "Forbidden", "innererror": {"code": "KeyDisabled"}}}, 403)


def test_a_key_that_azure_does_not_show_is_asked_of_the_vault() -> None:
    found = look(but(version=FORBIDDEN, bundle=BUNDLE)).key
    assert isinstance(found, Key)
    assert (found.kind, found.enabled) == ("EC", False)
    assert isinstance(found.rotates, Unseen) is False
    rsa = {"key": {"kty": "RSA", "key_ops": ["encrypt"], "n": MODULUS}, "attributes": {"enabled": True}}
    found = look(but(version=FORBIDDEN, bundle=rsa)).key
    assert isinstance(found, Key)
    assert (found.bits, found.operations) == (2048, frozenset({"encrypt"}))
    assert look(but(version=FORBIDDEN, bundle=DISABLED)).key == Key(kind="", enabled=False)


def test_a_key_that_neither_shows_is_unseen_with_the_right_that_lacks() -> None:
    for said in (FORBIDDEN, FIREWALL):
        found = look(but(version=FORBIDDEN, bundle=said)).key
        assert isinstance(found, Unseen)
        assert found.permission == "Microsoft.KeyVault/vaults/keys/versions/read"


def test_a_firewall_of_the_vault_is_not_taken_for_a_missing_key() -> None:
    found = look(but(vaults=FORBIDDEN, bundle=FIREWALL)).key
    assert found == Unseen("the vault's firewall does not let you in from here")


def test_a_key_that_is_gone() -> None:
    assert look(but(version=None, bundle=None, deleted_key={"recoveryId": "x"})).key == Key(Presence.DELETED)
    assert look(but(version=None, bundle=None)).key == Key(Presence.ABSENT)


def test_a_key_that_rotates() -> None:
    policy = {"properties": {"rotationPolicy": {"lifetimeActions": [{"action": {"type": "Rotate"}}]}}}
    found = look(but(key=policy)).key
    assert isinstance(found, Key)
    assert found.rotates


def denials(*documents: dict[str, Any]) -> int:
    found = look(but(denials={"value": list(documents)})).grants
    assert isinstance(found, Grants)
    return len(found.denials)


def test_deny_assignments_that_concern_the_identity() -> None:
    everyone = [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}]
    assert denials(deny()) == 1
    assert denials(deny(principals=everyone)) == 1
    assert denials(deny(principals=everyone, excludePrincipals=[{"id": PRINCIPAL}])) == 0
    assert denials(deny(principals=[{"id": "somebody else"}])) == 0
    assert denials(deny(doNotApplyToChildScopes=True)) == 0
    assert denials(deny(KEY_PATH, doNotApplyToChildScopes=True)) == 1


@pytest.mark.parametrize("what", ["assignments", "denials", "role"])
def test_rights_that_may_not_be_read_are_unseen(what: str) -> None:
    found = look(but(**{what: FORBIDDEN})).grants
    assert isinstance(found, Unseen)
    assert found.permission.startswith("Microsoft.Authorization/")


def test_the_rights_are_asked_for_with_the_groups_of_the_identity() -> None:
    answers = but()
    look(answers)
    asked = next(str(r.url) for r in answers.asked if "roleAssignments" in str(r.url))
    assert f"assignedTo%28%27{PRINCIPAL}%27%29" in asked or f"assignedTo('{PRINCIPAL}')" in asked


def test_an_error_of_azures_own_is_raised_as_ours() -> None:
    broken = Answer({"error": {"code": "InternalServerError", "message": "sorry"}}, 400)
    with pytest.raises(errors.AzureError, match="InternalServerError"):
        look(but(vaults=broken))


def test_an_old_and_a_new_key_are_both_seen() -> None:
    answers = but(vaults={"value": [vault(), vault("kv-old", VAULT_ID)]})
    inspector = KeyInspector(answers.resources(), answers.data(), ".vault.azure.net")
    found = inspector.look(KEYS, Question(facts(), KmsProfile(True, OLD_KEY), PUBLIC))
    assert set(found) == {OLD_KEY, NEW_KEY}
    assert found[OLD_KEY].key == Key(Presence.ABSENT)


@pytest.mark.parametrize("text", [b"<html>sign in to the network</html>", b'{"value": [{"na'])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_an_answer_that_is_none_of_azures_says_nothing_about_what_was_asked(method: str, text: bytes) -> None:
    resources = azure({f"{method} /it": Answer(text)}).resources()
    body: tuple[Any, ...] = () if method == "GET" else ({},)
    with pytest.raises(AzureError, match="KMSM205"):
        getattr(resources, method.lower())("/it", "1", "read", *body)
    assert isinstance(
        azure({f"GET {HOST}/keys/etcd/{VERSION}": Answer(text)}).data().key(HOST, "etcd", VERSION), Unseen
    )
