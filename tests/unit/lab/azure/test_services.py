"""Locks, policies, network, quota, identities, maintenance windows, the activity log: over HTTP."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from tests.lab.azure.compute import usage_id
from tests.lab.azure.grants import iso
from tests.lab.azure.identity import VAULT_AUDIENCE
from tests.lab.azure.policies import applies
from tests.lab.azure.subnets import free_addresses, outbound_allowed
from tests.unit.lab.azure.conftest import Lab, token

CLUSTER = "providers/Microsoft.ContainerService/managedClusters/demo"
VAULT = "providers/Microsoft.KeyVault/vaults/lab-kv"
LOCK = "providers/Microsoft.Authorization/locks"
VNET = "providers/Microsoft.Network/virtualNetworks/lab-vnet"


def _code(response: requests.Response) -> tuple[int, str]:
    body = response.json()
    return response.status_code, (body.get("error") or body)["code"]


def _subscription(lab: Lab) -> str:
    return lab.azure.vault.resource_id.partition("/resourceGroups/")[0]


@pytest.mark.parametrize("where", ["", "/resourceGroups/lab", f"/resourceGroups/lab/{CLUSTER}"])
def test_a_read_only_lock_stops_changes_below_it(lab: Lab, where: str) -> None:
    path = f"{_subscription(lab)}{where}/{LOCK}/frozen"
    assert lab.arm("PUT", path, {"properties": {"level": "ReadOnly"}}).status_code == 201
    cluster = lab.arm("GET", CLUSTER, version="2026-06-01").json()
    refused = lab.arm("PUT", CLUSTER, cluster, version="2026-06-01")
    assert _code(refused) == (409, "ScopeLocked")
    assert "cannot perform write operation because following scope(s) are locked" in refused.json()["error"]["message"]
    assert _code(lab.arm("POST", f"{CLUSTER}/listClusterUserCredential"))[1] == "ScopeLocked"
    listed = lab.arm("GET", f"{CLUSTER}/{LOCK}").json()["value"]
    assert [one["name"] for one in listed] == ["frozen"]
    assert lab.arm("DELETE", path).status_code == 200
    assert lab.arm("PUT", CLUSTER, cluster, version="2026-06-01").status_code == 200


def test_locks_elsewhere_are_not_in_the_way(lab: Lab) -> None:
    lab.arm("PUT", f"{VAULT}/{LOCK}/frozen", {"properties": {"level": "ReadOnly"}})
    lab.arm("PUT", f"{CLUSTER}/{LOCK}/kept", {"properties": {"level": "CanNotDelete"}})
    cluster = lab.arm("GET", CLUSTER, version="2026-06-01").json()
    assert lab.arm("PUT", CLUSTER, cluster, version="2026-06-01").status_code == 200
    assert _code(lab.arm("PATCH", VAULT, {"tags": {}})) == (409, "ScopeLocked")
    assert _code(lab.arm("PUT", f"{CLUSTER}/{LOCK}/odd", {"properties": {"level": "Soft"}}))[1] == "InvalidLockLevel"
    assert _code(lab.arm("GET", f"{CLUSTER}/{LOCK}/none")) == (404, "LockNotFound")
    names = [one["name"] for one in lab.arm("GET", LOCK).json()["value"]]
    assert sorted(names) == ["frozen", "kept"]
    assert lab.arm("GET", LOCK, **{"$filter": "atScope()"}).json()["value"] == []


RULE = {
    "allOf": [
        {"field": "type", "equals": "Microsoft.ContainerService/managedClusters"},
        {
            "not": {
                "field": "Microsoft.ContainerService/managedClusters/securityProfile.azureKeyVaultKms.enabled",
                "equals": "true",
            }
        },
    ]
}


def _deny(lab: Lab, rule: dict[str, Any] = RULE) -> None:
    definition = f"{_subscription(lab)}/providers/Microsoft.Authorization/policyDefinitions/kms-on"
    lab.azure.patch_resource(definition, {"properties": {"policyRule": {"if": rule, "then": {"effect": "deny"}}}})
    assignment = f"{_subscription(lab)}/providers/Microsoft.Authorization/policyAssignments/must-encrypt"
    properties = {"displayName": "KMS must be on", "policyDefinitionId": definition}
    lab.azure.patch_resource(assignment, {"properties": properties})


def test_a_policy_denies_and_says_so_before(lab: Lab) -> None:
    _deny(lab)
    cluster = lab.arm("GET", CLUSTER, version="2026-06-01").json()
    assert lab.arm("PUT", CLUSTER, cluster, version="2026-06-01").status_code == 200
    lab.settled()
    cluster["properties"]["securityProfile"]["azureKeyVaultKms"]["enabled"] = False
    details = {"resourceContent": cluster, "apiVersion": "2026-06-01"}
    check = "providers/Microsoft.PolicyInsights/checkPolicyRestrictions"
    answer = lab.arm("POST", check, {"resourceDetails": details}, version="2022-03-01").json()
    (evaluation,) = answer["contentEvaluationResult"]["policyEvaluations"]
    assert evaluation["evaluationResult"] == "NonCompliant"
    assert evaluation["policyInfo"]["policyAssignmentId"].endswith("/must-encrypt")
    refused = lab.arm("PUT", CLUSTER, cluster, version="2026-06-01")
    assert _code(refused) == (403, "RequestDisallowedByPolicy")
    error = refused.json()["error"]
    assert "was disallowed by policy" in error["message"]
    assert error["additionalInfo"][0]["info"]["policyAssignmentName"] == "must-encrypt"
    lab.azure.patch_resource(
        f"{_subscription(lab)}/providers/Microsoft.Authorization/policyAssignments/must-encrypt",
        {"properties": {"enforcementMode": "DoNotEnforce"}},
    )
    assert lab.arm("PUT", CLUSTER, cluster, version="2026-06-01").status_code == 200


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"field": "location", "equals": "WestEurope"}, True),
        ({"field": "location", "notIn": ["westeurope"]}, False),
        ({"field": "tags.owner", "exists": "false"}, True),
        ({"field": "tags['env']", "like": "pr*"}, True),
        ({"anyOf": [{"field": "name", "equals": "x"}, {"field": "Microsoft.A/b/deep.down", "equals": 3}]}, True),
        ({"not": {"field": "Microsoft.A/b/deep.down", "notEquals": 3}}, True),
    ],
)
def test_the_rule_language(condition: dict[str, Any], holds: bool) -> None:
    content = {"location": "westeurope", "tags": {"env": "prod"}, "properties": {"deep": {"down": 3}}}
    assert applies(condition, content) is holds


def test_addresses_in_use(lab: Lab) -> None:
    subnet = lab.arm("GET", f"{VNET}/subnets/nodes").json()
    # Three nodes with thirty pods each, and every pod has an address of its own.
    assert len(subnet["properties"]["ipConfigurations"]) == 3 * 31
    assert free_addresses(subnet) == 65_536 - 5 - 93
    lab.azure.patch_cluster({"properties": {"networkProfile": {"networkPluginMode": "overlay"}}})
    subnets = lab.arm("GET", VNET).json()["properties"]["subnets"]
    assert [len(one["properties"]["ipConfigurations"]) for one in subnets] == [3, 0]
    assert _code(lab.arm("GET", f"{VNET}/subnets/none")) == (404, "ResourceNotFound")
    smaller = {"properties": {"addressPrefix": "10.226.0.0/29"}}
    assert free_addresses(lab.arm("PUT", f"{VNET}/subnets/more", smaller).json()) == 3


def _rule(priority: int, access: str, port: str = "443", address: str = "*", **more: Any) -> dict[str, Any]:
    rule = {"priority": priority, "access": access, "direction": "Outbound", "protocol": "Tcp"}
    return {"properties": {**rule, "destinationPortRange": port, "destinationAddressPrefix": address, **more}}


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        ([], True),
        ([_rule(100, "Deny")], False),
        ([_rule(200, "Deny"), _rule(100, "Allow")], True),
        ([_rule(100, "Deny", port="80")], True),
        ([_rule(100, "Deny", port="400-500", address="10.224.0.0/16")], False),
        ([_rule(100, "Deny", address="Internet")], True),
        ([_rule(100, "Deny", address="VirtualNetwork")], False),
        ([_rule(100, "Deny", direction="Inbound")], True),
        ([_rule(100, "Deny", port="", destinationPortRanges=["80", "443"])], False),
        ([_rule(100, "Deny", protocol="Udp")], True),
    ],
)
def test_which_rule_decides(rules: list[dict[str, Any]], allowed: bool) -> None:
    assert outbound_allowed({"properties": {"securityRules": rules}}, "10.224.200.4", 443) is allowed


def test_quota_follows_the_nodes(lab: Lab) -> None:
    path = f"{_subscription(lab)}/providers/Microsoft.Compute/locations/westeurope/usages"
    before = {one["name"]["value"]: (one["currentValue"], one["limit"]) for one in lab.arm("GET", path).json()["value"]}
    assert (before["cores"], before["standardDSv5Family"], before["standardESv5Family"]) == (
        (12, 350),
        (12, 350),
        (0, 350),
    )
    lab.azure.patch_pool("user", {"count": 3})
    lab.azure.patch_resource(usage_id("cores"), {"properties": {"limit": 20, "used": 2}})
    after = {one["name"]["value"]: (one["currentValue"], one["limit"]) for one in lab.arm("GET", path).json()["value"]}
    assert (after["cores"], after["standardDSv5Family"]) == ((22, 20), (20, 350))
    skus = lab.arm("GET", f"{_subscription(lab)}/providers/Microsoft.Compute/skus").json()["value"]
    assert {one["name"]: one["family"] for one in skus}["Standard_D4s_v5"] == "standardDSv5Family"


def test_a_deleted_identity_is_nobody(lab: Lab) -> None:
    path = "providers/Microsoft.ManagedIdentity/userAssignedIdentities/demo-identity"
    shown = lab.arm("GET", path).json()["properties"]
    assert shown["principalId"] == lab.azure.cluster_identity.object_id
    assert lab.arm("DELETE", path).status_code == 200
    access = lab.azure.vault_access()
    refused = token(lab, access.client_id, access.client_secret, VAULT_AUDIENCE)
    assert refused.json()["error"] == "unauthorized_client"
    cluster = lab.arm("GET", CLUSTER, version="2026-06-01").json()
    assert _code(lab.arm("PUT", CLUSTER, cluster, version="2026-06-01")) == (400, "ResourceNotFound")
    again = lab.arm("PUT", path, {"location": "westeurope"}).json()["properties"]
    assert again["principalId"] != shown["principalId"]


def test_maintenance_windows(lab: Lab) -> None:
    path = f"{CLUSTER}/maintenanceConfigurations"
    assert lab.arm("GET", path).json()["value"] == []
    window = {"properties": {"maintenanceWindow": {"schedule": {"daily": {"intervalDays": 1}}, "durationHours": 4}}}
    name = "aksManagedAutoUpgradeSchedule"
    assert lab.arm("PUT", f"{path}/{name}", window).status_code == 200
    assert lab.arm("GET", f"{path}/{name}").json()["properties"] == window["properties"]
    assert [one["name"] for one in lab.arm("GET", path).json()["value"]] == [name]
    assert _code(lab.arm("PUT", f"{path}/mine", window)) == (400, "BadRequest")
    assert _code(lab.arm("GET", f"{path}/default")) == (404, "ResourceNotFound")


def test_who_changed_it(lab: Lab) -> None:
    path = f"{_subscription(lab)}/providers/Microsoft.Insights/eventtypes/management/values"
    cluster = lab.arm("GET", CLUSTER, version="2026-06-01").json()
    lab.arm("PUT", CLUSTER, cluster, version="2026-06-01")
    lab.azure.activity.add(
        "colleague", "oid", "Microsoft.KeyVault/vaults/write", lab.azure.vault.resource_id, "Succeeded"
    )
    since = f"eventTimestamp ge '{iso(time.time() - 60)}'"
    everything = lab.arm("GET", path, **{"$filter": since}).json()["value"]
    assert [one["operationName"]["value"] for one in everything] == [
        "Microsoft.KeyVault/vaults/write",
        "Microsoft.ContainerService/managedClusters/write",
    ]
    mine = lab.arm("GET", path, **{"$filter": f"{since} and resourceUri eq '{cluster['id']}'"}).json()["value"]
    assert [one["caller"] for one in mine] == [lab.azure.operator.client_id]
    few = lab.arm("GET", path, **{"$filter": since, "$select": "caller"}).json()["value"]
    assert few[0] == {"caller": "colleague"}
    assert _code(lab.arm("GET", path)) == (400, "BadRequest")
    later = f"eventTimestamp ge '{iso(time.time() + 60)}'"
    assert lab.arm("GET", path, **{"$filter": later}).json()["value"] == []


def test_health_and_the_latest_operation(lab: Lab) -> None:
    health = f"{CLUSTER}/providers/Microsoft.ResourceHealth/availabilityStatuses/current"
    assert lab.arm("GET", health).json()["properties"]["availabilityState"] == "Available"
    lab.azure.patch_cluster({"properties": {"powerState": {"code": "Stopped"}}})
    assert lab.arm("GET", health).json()["properties"]["availabilityState"] == "Unavailable"
    lab.azure.patch_cluster({"properties": {"powerState": {"code": "Running"}}})
    latest = f"{CLUSTER}/operations/latest"
    assert _code(lab.arm("GET", latest, version="2026-06-01")) == (404, "InvalidResourceType")
    cluster = lab.arm("GET", CLUSTER, version="2026-06-01").json()
    lab.arm("PUT", CLUSTER, cluster, version="2026-06-01")
    lab.settled()
    assert lab.arm("GET", latest, version="2026-05-02-preview").json()["status"] == "Succeeded"


@pytest.mark.parametrize(
    ("path", "version", "expected"),
    [
        (VAULT, "", (400, "MissingApiVersionParameter")),
        (VAULT, "latest", (400, "InvalidApiVersionParameter")),
        ("/subscriptions/0/resourceGroups/lab/" + VAULT, "2024-01-01", (404, "SubscriptionNotFound")),
        ("providers/Microsoft.Nothing/things/x", "2024-01-01", (404, "InvalidResourceType")),
    ],
)
def test_what_the_gate_refuses(lab: Lab, path: str, version: str, expected: tuple[int, str]) -> None:
    assert _code(lab.arm("GET", path, version=version)) == expected


def test_groups(lab: Lab) -> None:
    found = lab.arm("GET", f"{_subscription(lab)}/resourcegroups").json()["value"]
    assert [one["name"] for one in found] == ["lab", "MC_lab_demo_westeurope"]
    assert found[1]["managedBy"] == lab.cluster()["id"]
    other = f"{_subscription(lab)}/resourceGroups/none/{VAULT}"
    assert _code(lab.arm("GET", other)) == (404, "ResourceGroupNotFound")
