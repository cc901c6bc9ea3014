"""Models of the SDK, built from JSON as ARM sends it, and plain documents, read for the checks of the upgrade."""

from __future__ import annotations

from typing import Any

import pytest
from azure.mgmt.containerservice import models

from azext_kmsmigrate.arm.pools import compute_of, pool_of, profile_of, subnet_of
from azext_kmsmigrate.checks.pool import Pool
from azext_kmsmigrate.checks.profile import Profile
from azext_kmsmigrate.checks.quota import Usage, VmSize
from azext_kmsmigrate.checks.subnet import Subnet
from tests.unit.situations import v

SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/nodes"


def pool(**properties: Any) -> Pool:
    document = {"name": "user", "orchestratorVersion": "1.26", **properties}
    found = models.ManagedCluster({"location": "x", "properties": {"agentPoolProfiles": [document]}})
    return pool_of(found.agent_pool_profiles[0], "1.26.15")


def test_a_pool_is_read() -> None:
    found = pool(
        count=3,
        vmSize="Standard_D4s_v5",
        type="VirtualMachineScaleSets",
        mode="User",
        osSKU="Windows2019",
        currentOrchestratorVersion="1.26.3",
        maxPods=30,
        enableAutoScaling=True,
        maxCount=5,
        scaleSetPriority="Spot",
        creationData={"sourceResourceId": "/snapshot"},
        upgradeSettings={"maxSurge": "33%"},
        vnetSubnetID=SUBNET,
        podSubnetID="/pods",
    )
    assert found == Pool(
        "user", v("1.26.3"), 3, "VirtualMachineScaleSets", "User", "Windows2019", "Standard_D4s_v5", True, True, "33%",
        30, 5, SUBNET, "/pods",
    )  # fmt: skip


def test_what_arm_leaves_out_of_a_pool_is_empty() -> None:
    found = pool(maxCount=5)
    assert (found.count, found.surge, found.nodes_at_most, found.subnet_id, found.spot) == (0, "", 0, "", False)
    assert found.version == v("1.26")


def test_a_cluster_is_read() -> None:
    properties = {
        "networkProfile": {
            "networkPlugin": "azure",
            "networkPluginMode": "overlay",
            "outboundType": "userDefinedRouting",
        },
        "autoUpgradeProfile": {"upgradeChannel": "stable"},
        "servicePrincipalProfile": {"clientId": "app"},
        "nodeProvisioningProfile": {"mode": "Auto"},
        "enablePodSecurityPolicy": True,
    }
    found = profile_of(models.ManagedCluster({"location": "x", "properties": properties}))
    assert found == Profile("azure", "overlay", "userDefinedRouting", "app", "stable", "Auto", True)


def test_what_arm_leaves_out_of_a_cluster_has_a_default() -> None:
    found = profile_of(models.ManagedCluster({"location": "x", "properties": {}}))
    assert (found.service_principal, found.upgrade_channel, found.node_provisioning) == ("msi", "none", "Manual")
    assert not found.pod_security_policy


@pytest.mark.parametrize(
    ("properties", "size", "used"),
    [
        ({"addressPrefix": "10.0.0.0/24"}, 256, 0),
        ({"addressPrefixes": ["10.0.0.0/24", "fd00::/64"], "ipConfigurations": [{"id": "a"}, {"id": "b"}]}, 256, 2),
    ],
)
def test_a_subnet_is_read(properties: dict[str, Any], size: int, used: int) -> None:
    assert subnet_of({"id": SUBNET, "properties": properties}) == Subnet(SUBNET, size, used)


def test_quotas_and_the_sizes_that_are_wanted_are_read() -> None:
    name = {"value": "standardDSv5Family", "localizedValue": "Standard DSv5 Family vCPUs"}
    usages = [{"name": name, "currentValue": 12, "limit": 350, "unit": "Count"}]
    vcpus = [{"name": "vCPUs", "value": "4"}, {"name": "MemoryGB", "value": "16"}]
    skus: list[dict[str, Any]] = [
        {
            "resourceType": "virtualMachines",
            "name": "Standard_D4s_v5",
            "family": "standardDSv5Family",
            "capabilities": vcpus,
        },
        {"resourceType": "virtualMachines", "name": "Standard_E4s_v5", "family": "other", "capabilities": vcpus},
        {"resourceType": "disks", "name": "Standard_D4s_v5"},
    ]
    found = compute_of(usages, skus, {"standard_d4s_v5"})
    assert found.usages == {"standarddsv5family": Usage("standardDSv5Family", "Standard DSv5 Family vCPUs", 12, 350)}
    assert found.sizes == {"standard_d4s_v5": VmSize("standardDSv5Family", 4)}
