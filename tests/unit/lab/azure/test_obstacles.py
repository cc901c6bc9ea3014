"""What Azure refuses, or cannot do, because of the cluster's surroundings: over HTTP, with a recording plane."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.lab.azure.compute import usage_id
from tests.lab.azure.metadata import NODES_SUBNET, group_id
from tests.lab.azure.network import NODES_NSG
from tests.lab.azure.obstacles import surge_nodes
from tests.lab.azure.roles import KEY_VAULT_CONTRIBUTOR
from tests.lab.azure.upgrade_rules import ApiUse
from tests.unit.lab.azure.conftest import Lab, LabFactory

CLUSTER = "providers/Microsoft.ContainerService/managedClusters/demo"
LOCK = "providers/Microsoft.Authorization/locks"
FLOW = "flowcontrol.apiserver.k8s.io.flowschemas.v1beta1"


def _put(lab: Lab, change: dict[str, Any], version: str = "2026-06-01") -> tuple[int, dict[str, Any]]:
    cluster = lab.cluster()
    properties = cluster["properties"]
    target = change.pop("to", "")
    if target:
        properties["kubernetesVersion"] = target
        for pool in properties["agentPoolProfiles"]:
            pool["orchestratorVersion"] = target
    properties.update(change)
    answer = lab.arm("PUT", CLUSTER, cluster, version=version)
    return answer.status_code, answer.json()


def _upgrade(lab: Lab, **change: Any) -> tuple[int, dict[str, Any]]:
    return _put(lab, {"to": "1.27.1", **change})


def _enable(lab: Lab, **profile: Any) -> tuple[int, dict[str, Any]]:
    kms = {"enabled": True, "keyId": lab.azure.key_id(), "keyVaultNetworkAccess": "Public", "keyVaultResourceId": ""}
    return _put(lab, {"securityProfile": {"azureKeyVaultKms": {**kms, **profile}}})


def _forced(days: float) -> dict[str, Any]:
    until = (datetime.now(timezone.utc) + timedelta(days=days)).isoformat()
    return {"overrideSettings": {"forceUpgrade": True, "until": until}}


def _budget(expected: int = 2, allowed: int = 1, **spec: Any) -> dict[str, Any]:
    status = {"expectedPods": expected, "disruptionsAllowed": allowed}
    return {"metadata": {"namespace": "shop", "name": "cart"}, "spec": spec, "status": status}


@pytest.fixture
def off(new_lab: LabFactory) -> Lab:
    """A cluster whose KMS is off: what comes next is an upgrade, or KMS on."""
    return new_lab(kms=False)


def test_nothing_is_in_the_way(off: Lab) -> None:
    off.plane.budgets = [_budget(minAvailable=1), _budget(maxUnavailable="50%")]
    assert _upgrade(off)[0] == 200
    assert off.settled()["status"] == "Succeeded"
    assert _enable(off)[0] == 200
    assert off.settled()["status"] == "Succeeded"


@pytest.mark.parametrize(
    ("budget", "text"),
    [
        (_budget(maxUnavailable=0), "PDB shop/cart has maxUnavailable == 0 can't proceed with put operation"),
        (_budget(minAvailable=2), "PDB shop/cart has minAvailable(2) >= expectedPods(2)  can't proceed"),
        (_budget(minAvailable="100%"), "has minAvailable(100%) >= expectedPods(2)"),
    ],
)
def test_a_budget_that_allows_nothing_ever(off: Lab, budget: dict[str, Any], text: str) -> None:
    off.plane.budgets = [budget]
    status, body = _upgrade(off)
    assert (status, body["code"]) == (400, "UnsatisfiablePDB")
    assert text in body["message"]
    assert off.plane.calls == []
    assert _enable(off)[0] == 200


def test_the_override_lets_a_budget_pass_in_newer_versions_only(off: Lab) -> None:
    off.plane.budgets = [_budget(minAvailable=2, allowed=1)]
    older = _put(off, {"to": "1.27.1", "upgradeSettings": _forced(1)}, version="2025-05-01")
    assert older[1]["code"] == "UnsatisfiablePDB"
    assert _upgrade(off, upgradeSettings=_forced(-1))[1]["code"] == "UnsatisfiablePDB"
    assert _upgrade(off, upgradeSettings=_forced(1))[0] == 200


def test_a_drain_that_times_out_fails_the_operation_and_can_be_resumed(off: Lab) -> None:
    off.plane.budgets = [_budget(minAvailable=1, allowed=0)]
    assert _upgrade(off)[0] == 200
    ended = off.settled()
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "UpgradeFailed")
    assert "PDB debug info: shop blocked by pdb cart" in ended["error"]["message"]
    properties = off.cluster()["properties"]
    assert properties["currentKubernetesVersion"] == "1.27.1"
    assert {pool["currentOrchestratorVersion"] for pool in properties["agentPoolProfiles"]} == {"1.26.15"}
    off.plane.budgets = []
    assert _upgrade(off)[0] == 200
    assert off.settled()["status"] == "Succeeded"


def test_a_pool_without_nodes_needs_no_drain(off: Lab) -> None:
    off.plane.budgets = [_budget(minAvailable=1, allowed=0)]
    for pool in ("system", "user"):
        off.azure.patch_pool(pool, {"count": 0})
    assert _upgrade(off)[0] == 200
    assert off.settled()["status"] == "Succeeded"


def test_a_deprecated_api_in_use(off: Lab) -> None:
    off.azure.obstacles.api_use = [ApiUse(FLOW, "1.26", time.time()), ApiUse("batch.cronjobs.v1beta1", "1.27", 0)]
    assert _upgrade(off)[0] == 200
    off.settled()


def test_a_deprecated_api_that_the_target_no_longer_has(off: Lab) -> None:
    off.azure.obstacles.api_use = [ApiUse(FLOW, "1.27", time.time())]
    status, body = _upgrade(off)
    assert (status, body["code"], body["subcode"]) == (400, "ValidationError", "UpgradeBlockedOnDeprecatedAPIUsage")
    assert f"usage has been detected on API {FLOW}, and was recently seen at" in body["message"]
    assert "which will be removed in 1.27" in body["message"]
    assert _upgrade(off, upgradeSettings=_forced(1))[0] == 200


def test_a_failed_pool(off: Lab) -> None:
    off.azure.patch_pool("user", {"provisioningState": "Failed"})
    for refused in (_upgrade(off), _enable(off)):
        assert (refused[0], refused[1]["code"]) == (400, "OperationNotAllowed")
        assert "agent pool(s) user" in refused[1]["message"]
    pool = off.arm("GET", f"{CLUSTER}/agentPools/user", version="2026-06-01").json()
    assert off.arm("PUT", f"{CLUSTER}/agentPools/user", pool, version="2026-06-01").status_code == 200
    off.settled()
    assert _upgrade(off)[0] == 200


@pytest.mark.parametrize("below", ["", "/providers/Microsoft.Network/loadBalancers/kubernetes"])
@pytest.mark.parametrize(("level", "reconciles"), [("CanNotDelete", True), ("ReadOnly", False)])
def test_a_lock_on_the_node_resource_group(off: Lab, below: str, level: str, reconciles: bool) -> None:
    group = group_id(off.cluster()["properties"]["nodeResourceGroup"])
    off.arm("PUT", f"{group}{below}/{LOCK}/x", {"properties": {"level": level}})
    status, body = _upgrade(off)
    assert (status, body["code"]) == (409, "ScopeLocked")
    assert "is locked, please remove lock and retry" in body["message"]
    assert (_put(off, {})[0] == 200) is reconciles


@pytest.mark.parametrize(
    ("family", "what"), [("cores", "total regional"), ("standardDSv5Family", "standardDSv5Family")]
)
def test_no_quota_for_the_surge(off: Lab, family: str, what: str) -> None:
    off.azure.patch_resource(usage_id(family), {"properties": {"limit": 15}})
    assert _upgrade(off)[0] == 200
    error = off.settled()["error"]
    assert error["code"] == "QuotaExceeded"
    assert f"approved {what} Cores quota" in error["message"]
    assert "Current Limit: 15, Current Usage: 12, Additional Required: 4" in error["message"]


def test_no_addresses_for_the_surge(off: Lab) -> None:
    subnet = off.arm("GET", "providers/Microsoft.Network/virtualNetworks/lab-vnet/subnets/nodes").json()
    subnet["properties"] = {"addressPrefix": "10.224.0.0/25", "networkSecurityGroup": {"id": NODES_NSG}}
    off.arm("PUT", "providers/Microsoft.Network/virtualNetworks/lab-vnet/subnets/nodes", subnet)
    assert _upgrade(off)[0] == 200
    error = off.settled()["error"]
    assert error["code"] == "SubnetIsFull"
    assert "does not have enough capacity for 31 IP addresses" in error["message"]


@pytest.mark.parametrize(
    ("surge", "count", "version", "nodes"),
    [
        ("10%", 2, "1.27.1", 1),
        ("33%", 10, "1.27.1", 4),
        ("3", 2, "1.27.1", 2),
        (None, 11, "1.31.9", 1),
        (None, 11, "1.32.0", 2),
    ],
)
def test_how_many_nodes_surge(surge: str | None, count: int, version: str, nodes: int) -> None:
    assert surge_nodes({"count": count, "upgradeSettings": {"maxSurge": surge}}, version) == nodes


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "EC"},
        {"key_ops": ["decrypt"]},
        {"expires": 1},
        {"enabled": False},
        {"deleted": True},
        {"granted": False},
    ],
)
def test_a_key_that_aks_cannot_use(off: Lab, change: dict[str, Any]) -> None:
    off.azure.vault.set_key(**change)
    status, body = _enable(off)
    assert (status, body["code"]) == (400, "AzureKeyVaultKmsValidateIdentityPermissionCustomerError")
    assert "does not have keys encrypt/decrypt permission" in body["message"]
    assert off.plane.calls == []


@pytest.mark.parametrize(
    "change",
    [
        {"networkAcls": {"defaultAction": "Deny"}},
        {"publicNetworkAccess": "Disabled"},
        {"publicNetworkAccess": "SecuredByPerimeter"},
        {"tenantId": "22222222-2222-4333-8444-555555555555"},
        {"enableRbacAuthorization": False},
    ],
)
def test_a_vault_that_aks_cannot_use(off: Lab, change: dict[str, Any]) -> None:
    off.azure.vault.change(**change)
    assert _enable(off)[1]["code"] == "AzureKeyVaultKmsValidateIdentityPermissionCustomerError"


@pytest.fixture
def private(new_lab: LabFactory) -> Lab:
    """API Server VNet Integration, a private vault, and KMS off; nothing connects the two yet."""
    return new_lab(kms=False, key_vault="private")


def _enable_private(lab: Lab) -> tuple[int, dict[str, Any]]:
    return _enable(lab, keyVaultNetworkAccess="Private", keyVaultResourceId=lab.azure.vault.resource_id)


def test_a_private_vault_is_connected(private: Lab) -> None:
    assert _enable_private(private)[0] == 200
    assert private.settled()["status"] == "Succeeded"
    vault = private.azure.vault.resource()
    assert vault is not None
    (link,) = vault["properties"]["privateEndpointConnections"]
    assert link["properties"]["privateLinkServiceConnectionState"]["status"] == "Approved"
    assert "/MC_lab_demo_westeurope/" in link["properties"]["privateEndpoint"]["id"]


def _nothing_approves(lab: Lab) -> None:
    lab.azure.grants.revoke_within(lab.azure.cluster_identity.object_id, lab.azure.vault.resource_id)
    lab.azure.vault.set_key(granted=True)


def _nsg_denies(lab: Lab) -> None:
    rule = {
        "priority": 100,
        "direction": "Outbound",
        "access": "Deny",
        "protocol": "Tcp",
        "destinationPortRange": "443",
        "destinationAddressPrefix": "*",
    }
    lab.azure.patch_resource(NODES_NSG, {"properties": {"securityRules": [{"name": "no", "properties": rule}]}})


def _vault_locked(lab: Lab) -> None:
    lab.azure.patch_resource(f"{lab.azure.vault.resource_id}/{LOCK}/x", {"properties": {"level": "ReadOnly"}})


def _another_vault(lab: Lab) -> None:
    lab.azure.vault.change(vaultUri="https://other.vault.azure.net/")


def _network_locked(lab: Lab) -> None:
    network = NODES_SUBNET.partition("/subnets/")[0]
    lab.azure.patch_resource(f"{network}/{LOCK}/x", {"properties": {"level": "ReadOnly"}})


def _endpoints_denied(lab: Lab) -> None:
    subscription = lab.azure.vault.resource_id.partition("/resourceGroups/")[0]
    definition = f"{subscription}/providers/Microsoft.Authorization/policyDefinitions/no-endpoints"
    rule = {"if": {"field": "type", "equals": "Microsoft.Network/privateEndpoints"}, "then": {"effect": "deny"}}
    lab.azure.patch_resource(definition, {"properties": {"policyRule": rule}})
    assignment = f"{subscription}/providers/Microsoft.Authorization/policyAssignments/no-endpoints"
    lab.azure.patch_resource(assignment, {"properties": {"policyDefinitionId": definition}})


@pytest.mark.parametrize(
    "break_it",
    [_nothing_approves, _nsg_denies, _vault_locked, _another_vault, _network_locked, _endpoints_denied],
)
def test_a_private_vault_that_cannot_be_connected(private: Lab, break_it: Any) -> None:
    break_it(private)
    assert _enable_private(private)[0] == 200
    ended = private.settled()
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "InternalOperationError")
    assert private.state() == "Failed"
    assert private.plane.calls == []


def test_a_missing_grant_is_not_seen_in_private(private: Lab) -> None:
    private.azure.vault.set_key(granted=False)
    assert _enable_private(private)[0] == 200
    assert private.settled()["status"] == "Succeeded"
    assert private.plane.calls == [("set_kms", private.azure.key_id())]


def test_from_a_public_vault_to_a_private_one(new_lab: LabFactory) -> None:
    lab = new_lab(vaults=2)
    azure = lab.azure
    second = azure.vaults["lab-kv2"]
    azure.patch_cluster({"properties": {"apiServerAccessProfile": {"enableVnetIntegration": True}}})
    azure.grants.assign(azure.cluster_identity.object_id, KEY_VAULT_CONTRIBUTOR.id, second.resource_id)
    second.change(publicNetworkAccess="Disabled")
    key = azure.key_id("lab-kv2/kms")
    assert _enable(lab, keyId=key)[1]["code"] == "AzureKeyVaultKmsValidateIdentityPermissionCustomerError"
    private = {"keyVaultNetworkAccess": "Private", "keyVaultResourceId": second.resource_id}
    assert _enable(lab, keyId=key, **private)[0] == 200
    assert lab.settled()["status"] == "Succeeded"
    assert lab.plane.calls == [("set_kms", key)]
    assert azure.vault.resource() != second.resource()


def test_long_term_support(new_lab: LabFactory) -> None:
    lab = new_lab(kms=False, kubernetes="1.26.15", offers=("1.28.102?lts", "1.34.4"))
    profile = f"{CLUSTER}/upgradeProfiles/default"

    def offered() -> list[str]:
        control_plane = lab.arm("GET", profile, version="2026-06-01").json()["properties"]["controlPlaneProfile"]
        return [one["kubernetesVersion"] for one in control_plane["upgrades"]]

    assert offered() == ["1.34.4"]
    assert _put(lab, {"to": "1.28.102"})[1]["code"] == "OperationNotAllowed"
    assert "Premium tier" in _put(lab, {"to": "1.28.102", "supportPlan": "AKSLongTermSupport"})[1]["message"]
    lab.azure.patch_cluster({"sku": {"tier": "Premium"}})
    assert _put(lab, {"to": "1.28.102", "supportPlan": "AKSLongTermSupport"})[0] == 200
    assert lab.settled()["status"] == "Succeeded"
    assert "only supported by AKSLongTermSupport" in _put(lab, {"supportPlan": "KubernetesOfficial"})[1]["message"]
    assert offered() == ["1.34.4"]
    subscription = lab.cluster()["id"].partition("/resourceGroups/")[0]
    path = f"{subscription}/providers/Microsoft.ContainerService/locations/westeurope/kubernetesVersions"
    plans = {one["version"]: one["capabilities"]["supportPlan"] for one in lab.arm("GET", path).json()["values"]}
    assert plans == {"1.28": ["AKSLongTermSupport"], "1.34": ["KubernetesOfficial", "AKSLongTermSupport"]}


def test_many_pools(new_lab: LabFactory) -> None:
    lab = new_lab(kms=False, pools=20)
    pools = lab.arm("GET", f"{CLUSTER}/agentPools", version="2026-06-01").json()["value"]
    assert [one["name"] for one in pools[:3]] == ["system", "user", "pool03"]
    assert len(pools) == 20
    assert _upgrade(lab)[0] == 200
    assert lab.settled()["status"] == "Succeeded"
    assert len(lab.plane.calls) == 21
