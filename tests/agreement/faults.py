"""The table: each thing that may be wrong, alone."""

from __future__ import annotations

import time
from typing import Any

from azext_kmsmigrate.migration.facts import SupportPlan
from tests.agreement.disturbances import (
    CONTRIBUTOR,
    CRYPTO_USER,
    DAY,
    FAMILY,
    NETWORK,
    SUBSCRIPTION,
    Disturbance,
    after,
    api_asked_for,
    api_in_use,
    budget,
    cluster,
    cordon,
    denied,
    denied_secret,
    goal,
    identity,
    key,
    lock,
    lost_secret,
    new_key,
    new_vault,
    no_role,
    nodes,
    nodes_subnet,
    nsg,
    old_vault,
    operator,
    policies,
    policy,
    pool,
    properties,
    quota,
    role,
    role_at,
    vault,
    volume,
    webhook,
)
from tests.agreement.disturbances import of_clusters as clusters
from tests.lab.azure.compute import REGIONAL
from tests.lab.azure.metadata import group_id

TWO: dict[str, Any] = {"vaults": 2}
PRIVATE: dict[str, Any] = {"vaults": 2, "key_vault": "private"}
OTHER_TENANT = "77777777-2222-4333-8444-555555555555"
_KMS_ENABLED = "securityProfile.azureKeyVaultKms.enabled"
_READ_ONLY = "ReadOnly"

_KEYS = {
    "another key": Disturbance(new_key),
    "an EC key": Disturbance(after(new_key, key("kms-new", kty="EC")), ("V-02",)),
    "a key without encrypt": Disturbance(after(new_key, key("kms-new", key_ops=("decrypt",))), ("V-02",)),
    "a disabled key": Disturbance(after(new_key, key("kms-new", enabled=False)), ("V-02",)),
    "an expired key": Disturbance(after(new_key, key("kms-new", expires=time.time() - DAY)), ("V-02",)),
    "a key of tomorrow": Disturbance(after(new_key, key("kms-new", not_before=time.time() + DAY)), ("V-02",)),
    "a key that expires in a year": Disturbance(after(new_key, key("kms-new", expires=time.time() + 365 * DAY))),
    "a deleted key": Disturbance(after(new_key, key("kms-new", deleted=True)), ("V-02",)),
    "a key that rotates": Disturbance(after(new_key, key("kms-new", rotates=True))),
    "the old key disabled": Disturbance(key("kms", enabled=False), ("K-06",)),
    "the old key expired": Disturbance(key("kms", expires=time.time() - 60), ("K-06",)),
    "the old key deleted": Disturbance(key("kms", deleted=True), ("K-06",)),
    "the old key without grant": Disturbance(key("kms", granted=False), ("K-08",)),
    "the old vault with selected networks": Disturbance(old_vault(networkAcls={"defaultAction": "Deny"}), ("K-07",)),
}

_VAULTS = {
    "another vault": Disturbance(new_key, options=TWO),
    "selected networks": Disturbance(after(new_key, vault(networkAcls={"defaultAction": "Deny"})), ("V-05",), TWO),
    "no public access": Disturbance(after(new_key, vault(publicNetworkAccess="Disabled")), ("V-05",), TWO),
    "a perimeter": Disturbance(after(new_key, vault(publicNetworkAccess="SecuredByPerimeter")), ("V-05",), TWO),
    "another tenant": Disturbance(after(new_key, vault(tenantId=OTHER_TENANT)), ("V-04",), TWO),
    "no role": Disturbance(after(new_key, no_role), ("V-08",), TWO),
    "the wrong role": Disturbance(
        after(new_key, no_role, role("Key Vault Crypto Service Encryption User")), ("V-10",), TWO
    ),
    "a reader": Disturbance(after(new_key, no_role, role("Key Vault Reader")), ("V-08",), TWO),
    "a role on the key alone": Disturbance(
        after(new_key, no_role, role(CRYPTO_USER, where="/keys/kms-new")), options=TWO
    ),
    "a role on the group": Disturbance(after(new_key, no_role, role_at(group_id(), CRYPTO_USER)), options=TWO),
    "a deny assignment": Disturbance(after(new_key, denied), ("V-08",), TWO),
    "a role on another key": Disturbance(after(new_key, no_role, role(CRYPTO_USER, where="/keys/kms")), ("V-08",), TWO),
    "a role not yet effective": Disturbance(after(new_key, no_role, role(CRYPTO_USER, late=True)), ("V-08",), TWO),
    "access policies": Disturbance(after(new_key, policies("encrypt", "decrypt")), options=TWO),
    "an access policy too small": Disturbance(after(new_key, policies("get", "encrypt")), ("V-08",), TWO),
    "roles that have no effect": Disturbance(after(new_key, policies()), ("V-10",), TWO),
    "no purge protection": Disturbance(after(new_key, vault(enablePurgeProtection=None)), options=TWO),
}

_PRIVATE = {
    "a private vault": Disturbance(new_key, options=PRIVATE),
    "no VNet integration": Disturbance(
        after(new_key, properties(apiServerAccessProfile={"enableVnetIntegration": False})), ("V-06",), PRIVATE
    ),
    "no vault id": Disturbance(after(new_key, goal(vault_id="")), ("V-07",), PRIVATE),
    "no vault by this id": Disturbance(
        after(new_key, goal(vault_id=f"{group_id()}/providers/Microsoft.KeyVault/vaults/none")), ("V-07",), PRIVATE
    ),
    "a private vault that may not be joined": Disturbance(
        after(new_key, no_role, role(CRYPTO_USER)), ("V-09",), PRIVATE
    ),
    "a private vault with the wrong role": Disturbance(
        after(new_key, no_role, role(CONTRIBUTOR), role("Key Vault Reader")), ("V-08",), PRIVATE
    ),
    "a private vault of an EC key": Disturbance(after(new_key, key("kms-new", kty="EC")), ("V-02",), PRIVATE),
    "a private vault of another tenant": Disturbance(after(new_key, vault(tenantId=OTHER_TENANT)), ("V-04",), PRIVATE),
    "a network rule in the way": Disturbance(after(new_key, nsg()), ("V-11",), PRIVATE),
    "a network rule about something else": Disturbance(after(new_key, nsg(destinationPortRange="25")), (), PRIVATE),
    "no private endpoints by policy": Disturbance(
        after(new_key, policy(nodes, {"field": "type", "equals": "Microsoft.Network/privateEndpoints"})),
        ("V-12",),
        PRIVATE,
    ),
    "a lock on the private vault": Disturbance(
        after(new_key, lock(lambda t: new_vault(t).resource_id, _READ_ONLY)), ("AZ-07",), PRIVATE
    ),
    "a lock on the network": Disturbance(
        after(new_key, lock(lambda t: f"{NETWORK}/virtualNetworks/lab-vnet", _READ_ONLY)), ("AZ-07",), PRIVATE
    ),
}

_AZURE = {
    "a stopped cluster": Disturbance(properties(powerState={"code": "Stopped"}), ("AZ-02",)),
    "a failed cluster": Disturbance(properties(provisioningState="Failed"), ("AZ-03",)),
    "an operation under way": Disturbance(properties(provisioningState="Upgrading"), ("AZ-05",)),
    "a failed pool": Disturbance(pool(provisioningState="Failed"), ("AZ-04",)),
    "a stopped pool": Disturbance(
        pool(powerState={"code": "Stopped"}), ("AZ-04",), cautious="a stopped pool stays on its old version"
    ),
    "a reader at the cluster": Disturbance(operator("Reader"), ("AZ-06",)),
    "a contributor": Disturbance(operator("Contributor")),
    "a lock on the cluster": Disturbance(lock(lambda t: group_id(), _READ_ONLY), ("AZ-07",)),
    "a lock on the nodes": Disturbance(lock(nodes, "CanNotDelete"), ("AZ-07",)),
    "a lock that keeps the cluster": Disturbance(lock(lambda t: group_id(), "CanNotDelete")),
    "no KMS off by policy": Disturbance(policy(lambda t: group_id(), clusters(_KMS_ENABLED, "false")), ("AZ-08",)),
    "no KMS on by policy": Disturbance(policy(lambda t: SUBSCRIPTION, clusters(_KMS_ENABLED, "true")), ("AZ-08",)),
    "no version by policy": Disturbance(
        policy(lambda t: SUBSCRIPTION, clusters("kubernetesVersion", "1.27.1")), ("AZ-08",)
    ),
    "no version of node pools by policy": Disturbance(
        policy(
            lambda t: SUBSCRIPTION,
            {"field": "Microsoft.ContainerService/managedClusters/agentPools/orchestratorVersion", "equals": "1.27.1"},
        ),
        ("AZ-08",),
        {"supported": True},
    ),
    "a policy about something else": Disturbance(
        policy(lambda t: SUBSCRIPTION, {"field": "tags.owner", "equals": "nobody"})
    ),
    "Terraform": Disturbance(cluster({"tags": {"managedBy": "terraform"}})),
    "a system-assigned identity": Disturbance(cluster({"identity": {"type": "SystemAssigned"}}), ("K-04",)),
    "no identity any more": Disturbance(identity(None), ("K-05",)),
    "an identity made again": Disturbance(
        identity({"properties": {"principalId": "another"}}),
        ("K-05",),
        cautious="the lab's vault goes on knowing the old principal",
    ),
}

_UPGRADE = {
    "no way to 1.27": Disturbance(lambda t: None, ("U-01",), {"kubernetes": "1.25.11", "offers": ("1.26.15",)}),
    "only a preview": Disturbance(lambda t: None, ("U-01",), {"offers": ("1.27.1?preview",)}),
    "a version not offered": Disturbance(goal(kubernetes_version="1.28.9"), ("U-02",)),
    "long-term support alone": Disturbance(lambda t: None, ("U-18",), {"offers": ("1.27.1?lts",)}),
    "long-term support asked for": Disturbance(
        goal(support_plan=SupportPlan.LONG_TERM, tier="Premium"), options={"offers": ("1.27.1?lts",)}
    ),
    "long-term support without its tier": Disturbance(properties(supportPlan="AKSLongTermSupport"), ("U-18",)),
    "the jump": Disturbance(lambda t: None, options={"offers": ("1.34.4",)}),
    "two hops": Disturbance(
        lambda t: None, options={"kubernetes": "1.25.11", "offers": ("1.25.11>1.26.15", "1.26.15>1.27.1")}
    ),
    "a supported version": Disturbance(lambda t: None, options={"supported": True}),
    "KMS v2 already": Disturbance(lambda t: None, options={"kubernetes": "1.27.1"}),
    "a pool that is newer": Disturbance(
        pool(orchestratorVersion="1.27.1", currentOrchestratorVersion="1.27.1"),
        ("U-03",),
    ),
    "a pool two versions behind": Disturbance(
        pool(orchestratorVersion="1.25.11", currentOrchestratorVersion="1.25.11")
    ),
    "a budget of none": Disturbance(budget("shop", maxUnavailable=0), ("U-06",)),
    "a budget of no share": Disturbance(budget("shop", maxUnavailable="0%"), ("U-06",)),
    "a budget that keeps all": Disturbance(budget("shop", minAvailable=2), ("U-06",)),
    "a budget that keeps more than half of two": Disturbance(budget("shop", minAvailable="51%"), ("U-06",)),
    "a budget that keeps one": Disturbance(budget("shop", minAvailable=1)),
    "a budget of none in kube-system": Disturbance(budget("kube-system", maxUnavailable=0), ("U-06",)),
    "a budget that waits for a pod": Disturbance(
        budget("shop", minAvailable=1, healthy=1),
        limit="a pod that is not ready now may be ready when its node is drained: U-06 warns",
    ),
    "an API asked for": Disturbance(after(api_asked_for, api_in_use), ("U-07",)),
    "an API that Azure alone saw": Disturbance(
        api_in_use,
        limit="AKS does not tell what it has seen, API servers forget with a restart: U-07 sees theirs alone",
    ),
    "a small quota": Disturbance(quota(FAMILY, 13), ("U-08",)),
    "a small quota for spot nodes of another kind": Disturbance(
        after(pool(scaleSetPriority="Spot", count=9), quota(FAMILY, 48)), options={"supported": True}
    ),
    "a small region": Disturbance(quota(REGIONAL, 13), ("U-08",)),
    "a quota for one pool at a time": Disturbance(quota(REGIONAL, 17)),
    "a quota and a larger surge": Disturbance(
        after(pool(count=10, upgradeSettings={"maxSurge": "33%"}), quota(REGIONAL, 60)), ("U-08",)
    ),
    "a surge larger than the pool": Disturbance(after(pool(upgradeSettings={"maxSurge": "5"}), quota(REGIONAL, 17))),
    "twenty nodes and the surge of old": Disturbance(
        after(pool(count=20, upgradeSettings={"maxSurge": None}), quota(REGIONAL, 92))
    ),
    "twenty nodes and the surge of 1.34": Disturbance(
        after(pool(count=20, upgradeSettings={"maxSurge": None}), quota(REGIONAL, 92)),
        ("U-08",),
        {"offers": ("1.34.4",)},
    ),
    "a small subnet": Disturbance(nodes_subnet("10.224.0.0/25"), ("U-08",)),
    "a cordoned node": Disturbance(cordon),
    "a webhook in every namespace": Disturbance(webhook),
    "a channel": Disturbance(properties(autoUpgradeProfile={"upgradeChannel": "stable"})),
    "an old disk": Disturbance(
        volume, ("U-14",), {"kubernetes": "1.25.11"}, cautious="this Azure does not look at its volumes"
    ),
}

_CLUSTER = {
    "all is well": Disturbance(lambda t: None),
    "a Secret that a webhook denies": Disturbance(denied_secret, ("C-04",)),
    "a Secret that is lost": Disturbance(lost_secret, ("K-10",)),
    "no API server": Disturbance(lambda t: t.lab.host.stop_replica(0), ("C-01",)),
    "KMS off and no key": Disturbance(lambda t: None, ("K-01",), {"kms": False}),
    "KMS off and a key": Disturbance(new_key, options={"kms": False}),
}

OF_VAULTS: dict[str, Disturbance] = _KEYS | _VAULTS | _PRIVATE
OF_CLUSTERS: dict[str, Disturbance] = _CLUSTER | _AZURE | _UPGRADE
FAULTS: dict[str, Disturbance] = OF_CLUSTERS | OF_VAULTS
