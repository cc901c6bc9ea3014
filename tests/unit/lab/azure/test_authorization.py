"""Who may do what: the arithmetic of roles, and Resource Manager's own refusals."""

from __future__ import annotations

import time
import uuid

import pytest
import requests

from tests.lab.azure.access import Permission
from tests.lab.azure.gate import target_of
from tests.lab.azure.grants import EVERYONE, iso
from tests.lab.azure.metadata import SUBSCRIPTION_ID
from tests.lab.azure.roles import BUILT_IN, CRYPTO_USER, READER
from tests.unit.lab.azure.conftest import Lab

SUBSCRIPTION = f"/subscriptions/{SUBSCRIPTION_ID}"
ROLES = {role.name: role for role in BUILT_IN}
ENCRYPT = "Microsoft.KeyVault/vaults/keys/encrypt/action"
DECRYPT = "Microsoft.KeyVault/vaults/keys/decrypt/action"
APPROVE = "Microsoft.KeyVault/vaults/privateEndpointConnectionsApproval/action"
SECRETS = "Microsoft.ContainerService/managedClusters/secrets"
ASSIGNMENTS = "providers/Microsoft.Authorization/roleAssignments"
VAULT = "providers/Microsoft.KeyVault/vaults/lab-kv"


def _code(response: requests.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize(
    ("role", "action", "data", "allowed"),
    [
        ("Key Vault Crypto User", ENCRYPT, True, True),
        ("Key Vault Crypto User", ENCRYPT, False, False),
        ("Key Vault Crypto Officer", DECRYPT, True, True),
        ("Key Vault Crypto Service Encryption User", ENCRYPT, True, False),
        ("Key Vault Reader", ENCRYPT, True, False),
        ("Key Vault Reader", "Microsoft.KeyVault/vaults/keys/read", True, True),
        ("Key Vault Contributor", APPROVE, False, True),
        ("Key Vault Contributor", ENCRYPT, True, False),
        ("Contributor", "Microsoft.Authorization/roleAssignments/write", False, False),
        ("Contributor", APPROVE, False, True),
        ("Owner", "Microsoft.Authorization/roleAssignments/write", False, True),
        ("Owner", ENCRYPT, True, False),
        ("Reader", "Microsoft.KeyVault/vaults/read", False, True),
        ("Reader", "Microsoft.KeyVault/vaults/write", False, False),
        ("Azure Kubernetes Service RBAC Writer", f"{SECRETS}/write", True, True),
        ("Azure Kubernetes Service RBAC Reader", f"{SECRETS}/read", True, False),
        ("Azure Kubernetes Service RBAC Cluster Admin", f"{SECRETS}/write", True, True),
        (
            "Azure Kubernetes Service Contributor Role",
            "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",
            False,
            True,
        ),
    ],
)
def test_what_the_built_in_roles_allow(role: str, action: str, data: bool, allowed: bool) -> None:
    assert ROLES[role].permission.allows(action, data=data) is allowed


@pytest.mark.parametrize(
    ("method", "path", "action", "scope"),
    [
        ("GET", "/s/providers/Microsoft.A/x/n", "Microsoft.A/x/read", "/s/providers/Microsoft.A/x/n"),
        ("GET", "/s/providers/Microsoft.A/x", "Microsoft.A/x/read", "/s"),
        ("GET", "/s/providers/Microsoft.A/x/n/y", "Microsoft.A/x/y/read", "/s/providers/Microsoft.A/x/n"),
        ("PATCH", "/s/providers/Microsoft.A/x/n/y/m", "Microsoft.A/x/y/write", "/s/providers/Microsoft.A/x/n/y/m"),
        ("DELETE", "/s/providers/Microsoft.A/x/n/", "Microsoft.A/x/delete", "/s/providers/Microsoft.A/x/n"),
        ("POST", "/s/providers/Microsoft.A/x/n/start", "Microsoft.A/x/start/action", "/s/providers/Microsoft.A/x/n"),
        (
            "PUT",
            "/s/providers/Microsoft.A/x/n/providers/Microsoft.Authorization/locks/l",
            "Microsoft.Authorization/locks/write",
            "/s/providers/Microsoft.A/x/n/providers/Microsoft.Authorization/locks/l",
        ),
        (
            "POST",
            "/s/providers/Microsoft.PolicyInsights/checkPolicyRestrictions",
            "Microsoft.PolicyInsights/checkPolicyRestrictions/read",
            "/s/providers/Microsoft.PolicyInsights",
        ),
        (
            "GET",
            "/subscriptions/1/resourceGroups/g",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "/subscriptions/1/resourceGroups/g",
        ),
    ],
)
def test_what_a_request_needs(method: str, path: str, action: str, scope: str) -> None:
    assert target_of(method, path) == (scope, action)


def test_patterns_are_whole_and_without_case() -> None:
    permission = Permission(actions=("Microsoft.X/*/read",), not_actions=("Microsoft.X/secret/*",))
    assert permission.allows("microsoft.x/a/b/READ")
    assert not permission.allows("Microsoft.X/a/reads")
    assert not permission.allows("Microsoft.X/secret/read")


def test_a_caller_without_a_role_is_refused(lab: Lab) -> None:
    refused = lab.arm("GET", VAULT, token=lab.identity_token())
    assert _code(refused) == (403, "AuthorizationFailed")
    message = refused.json()["error"]["message"]
    assert lab.azure.cluster_identity.object_id in message
    assert "perform action 'Microsoft.KeyVault/vaults/read' over scope" in message
    lab.azure.grants.assign(lab.azure.cluster_identity.object_id, READER.id, SUBSCRIPTION)
    assert lab.arm("GET", VAULT, token=lab.identity_token()).status_code == 200
    assert _code(lab.arm("PATCH", VAULT, {"tags": {}}, token=lab.identity_token())) == (403, "AuthorizationFailed")


def test_an_assignment_is_put_found_and_deleted(lab: Lab) -> None:
    principal = lab.azure.cluster_identity.object_id
    name = str(uuid.uuid4())
    properties = {
        "principalId": principal,
        "roleDefinitionId": f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{READER.id}",
        "principalType": "ServicePrincipal",
    }
    path = f"{VAULT}/{ASSIGNMENTS}"
    made = lab.arm("PUT", f"{path}/{name}", {"properties": properties})
    assert made.status_code == 201
    assert made.json()["properties"]["scope"].endswith("/vaults/lab-kv")
    assert made.json()["properties"]["createdBy"] == lab.azure.operator.object_id
    assert _code(lab.arm("PUT", f"{path}/{uuid.uuid4()}", {"properties": properties})) == (409, "RoleAssignmentExists")
    mine = f"principalId eq '{principal}'"
    names = {one["name"] for one in lab.arm("GET", path, **{"$filter": mine}).json()["value"]}
    assert name in names
    assert lab.arm("DELETE", f"{path}/{name}").status_code == 200
    assert lab.arm("DELETE", f"{path}/{name}").status_code == 204
    assert _code(lab.arm("GET", f"{path}/{name}")) == (404, "RoleAssignmentNotFound")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"principalId": str(uuid.uuid4())}, "PrincipalNotFound"),
        ({"roleDefinitionId": "/x/roleDefinitions/y"}, "RoleDefinitionDoesNotExist"),
    ],
)
def test_an_assignment_that_makes_no_sense(lab: Lab, change: dict[str, str], code: str) -> None:
    properties = {
        "principalId": lab.azure.operator.object_id,
        "roleDefinitionId": f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{READER.id}",
        **change,
    }
    refused = lab.arm("PUT", f"{VAULT}/{ASSIGNMENTS}/{uuid.uuid4()}", {"properties": properties})
    assert _code(refused) == (400, code)


def test_lists_look_up_and_down_as_the_filter_says(lab: Lab) -> None:
    azure = lab.azure
    principal = azure.cluster_identity.object_id
    group = azure.grants.assign(principal, READER.id, f"{SUBSCRIPTION}/resourceGroups/lab")["name"]
    below = {one["name"] for one in lab.arm("GET", ASSIGNMENTS).json()["value"]}
    above = {one["name"] for one in lab.arm("GET", ASSIGNMENTS, **{"$filter": "atScope()"}).json()["value"]}
    assigned = lab.arm("GET", f"{VAULT}/{ASSIGNMENTS}", **{"$filter": f"assignedTo('{principal}')"}).json()["value"]
    assert group in above < below
    assert {one["properties"]["principalId"] for one in assigned} == {principal}
    assert len(assigned) == 2
    assert _code(lab.arm("GET", ASSIGNMENTS, **{"$filter": "name eq 'x'"})) == (400, "UnsupportedQuery")


def test_lists_come_in_pages(lab: Lab) -> None:
    lab.azure.resources.page_size = 2
    names: list[str] = []
    answer = lab.arm("GET", f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions").json()
    while True:
        assert len(answer["value"]) <= 2
        names += [one["properties"]["roleName"] for one in answer["value"]]
        if "nextLink" not in answer:
            break
        answer = lab.arm("GET", answer["nextLink"]).json()
    assert names == [role.name for role in BUILT_IN]


def test_the_permissions_of_the_caller(lab: Lab) -> None:
    path = f"{VAULT}/providers/Microsoft.Authorization/permissions"
    owner = lab.arm("GET", path).json()["value"]
    assert ["*"] in [one["actions"] for one in owner]
    azure = lab.azure
    azure.grants.assign(azure.cluster_identity.object_id, READER.id, SUBSCRIPTION)
    theirs = lab.arm("GET", path, token=lab.identity_token()).json()["value"]
    assert sorted(one["actions"] for one in theirs) == [[], ["*/read"]]
    assert [one["dataActions"] for one in theirs if one["dataActions"]] == [list(CRYPTO_USER.permission.data_actions)]


def test_an_assignment_takes_effect_after_the_delay(lab: Lab) -> None:
    azure = lab.azure
    azure.grants.delay_seconds = 600
    principal = azure.cluster_identity.object_id
    assignment = azure.grants.assign(principal, READER.id, SUBSCRIPTION)
    assert not azure.grants.allowed(principal, "Microsoft.KeyVault/vaults/read", SUBSCRIPTION)
    created = {"properties": {"createdOn": iso(time.time() - 601)}}
    azure.patch_resource(assignment["id"], created)
    assert azure.grants.allowed(principal, "Microsoft.KeyVault/vaults/read", SUBSCRIPTION)


def test_a_denial_wins_over_a_role(lab: Lab) -> None:
    azure = lab.azure
    denial = {
        "denyAssignmentName": "no encryption",
        "scope": azure.vault.resource_id,
        "permissions": [{"actions": [], "notActions": [], "dataActions": [ENCRYPT], "notDataActions": []}],
        "principals": [{"id": EVERYONE, "type": "SystemDefined"}],
        "excludePrincipals": [],
    }
    assert azure.vault.usable_in_public(azure.key_id())
    path = "Microsoft.KeyVault/vaults/lab-kv/providers/Microsoft.Authorization/denyAssignments/d1"
    azure.patch_resource(path, {"properties": denial})
    assert not azure.vault.usable_in_public(azure.key_id())
    listed = lab.arm("GET", f"{VAULT}/providers/Microsoft.Authorization/denyAssignments").json()["value"]
    assert [one["properties"]["denyAssignmentName"] for one in listed] == ["no encryption"]
    spared = {
        "properties": {"excludePrincipals": [{"id": azure.cluster_identity.object_id, "type": "ServicePrincipal"}]}
    }
    azure.patch_resource(path, spared)
    assert azure.vault.usable_in_public(azure.key_id())
