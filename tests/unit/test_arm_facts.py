"""The SDK's models, built from JSON as ARM sends it, read into facts."""

from __future__ import annotations

from typing import Any

import pytest
from azure.mgmt.containerservice import models

from azext_kmsmigrate.arm.facts import facts_of, listed_of, offers_of
from azext_kmsmigrate.migration.facts import (
    ClusterFacts,
    KmsProfile,
    KmsState,
    ManagedIdentity,
    NetworkAccess,
    Offers,
    SupportPlan,
)
from tests.unit.situations import KEY, NAME, v

RESOURCE_ID = "/subscriptions/sub/resourcegroups/shop/providers/Microsoft.ContainerService/managedClusters/blue"


def arm(**properties: Any) -> ClusterFacts:
    """Facts of a cluster with these properties over a plain one."""
    document = {
        "id": RESOURCE_ID,
        "name": "blue",
        "location": "westeurope",
        "eTag": "etag-1",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"/i": {}}},
        "sku": {"name": "Base", "tier": "Premium"},
        "properties": {
            "provisioningState": "Succeeded",
            "powerState": {"code": "Running"},
            "kubernetesVersion": "1.26",
            "currentKubernetesVersion": "1.26.15",
            "agentPoolProfiles": [
                {
                    "name": "system",
                    "count": 3,
                    "type": "VirtualMachineScaleSets",
                    "orchestratorVersion": "1.26",
                    "currentOrchestratorVersion": "1.26.12",
                    "provisioningState": "Succeeded",
                    "upgradeSettings": {"maxSurge": "33%"},
                }
            ],
            **properties,
        },
    }
    return facts_of(models.ManagedCluster(document), NAME)


def test_what_a_cluster_stands_in() -> None:
    subnet = "/subscriptions/sub/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/hub/subnets/nodes"
    pools = [{"name": f"p{n}", "orchestratorVersion": "1.26.15", "vnetSubnetID": subnet} for n in range(2)]
    access = {"enableVnetIntegration": True, "subnetId": f"{subnet}-api"}
    around = arm(nodeResourceGroup="MC_shop_blue", agentPoolProfiles=pools, apiServerAccessProfile=access).surroundings
    assert (around.node_group, around.subnets, around.api_server_subnet) == ("MC_shop_blue", (subnet,), f"{subnet}-api")
    assert around.identities == (ManagedIdentity("/i"),)
    assert arm().surroundings.subnets == ()


def kms(**profile: Any) -> dict[str, Any]:
    return {"azureKeyVaultKms": profile}


def test_a_cluster_is_read() -> None:
    facts = arm()
    assert facts.name.resource_id == RESOURCE_ID
    assert (facts.version, facts.wanted) == (v("1.26.15"), v("1.26"))
    assert (facts.state, facts.power, facts.busy, facts.failed) == ("Succeeded", "Running", False, False)
    assert (facts.identity, facts.location, facts.etag) == ("UserAssigned", "westeurope", "etag-1")
    assert (facts.entra, facts.local_accounts, facts.vnet_integration) == (False, True, False)
    assert facts.kms == KmsProfile()
    assert facts.supported is None
    pool = facts.pools[0]
    assert (pool.name, pool.version, pool.wanted, pool.count) == ("system", v("1.26.12"), v("1.26"), 3)
    assert (pool.state, pool.kind) == ("Succeeded", "VirtualMachineScaleSets")


@pytest.mark.parametrize(
    ("version", "security", "state"),
    [
        ("1.26.15", {}, KmsState.OFF),
        ("1.26.15", kms(enabled=True, keyId=KEY), KmsState.V1),
        ("1.26.15", kms(enabled=False, keyId=KEY), KmsState.OFF),
        ("1.27.1", kms(enabled=True, keyId=KEY), KmsState.V2),
        (
            "1.34.4",
            {"kubernetesResourceObjectEncryptionProfile": {"infrastructureEncryption": "Enabled"}},
            KmsState.PLATFORM,
        ),
        (
            "1.34.4",
            {"kubernetesResourceObjectEncryptionProfile": {"infrastructureEncryption": "Disabled"}},
            KmsState.OFF,
        ),
    ],
)
def test_the_kms_state_is_that_of_profile_and_version(version: str, security: Any, state: KmsState) -> None:
    assert arm(currentKubernetesVersion=version, securityProfile=security).kms_state is state


def test_a_key_that_is_still_named_after_kms_was_turned_off_is_read() -> None:
    facts = arm(
        securityProfile=kms(
            enabled=False, keyId=KEY, keyVaultNetworkAccess="Private", keyVaultResourceId="/subscriptions/s/vaults/v"
        )
    )
    assert facts.kms == KmsProfile(False, KEY, NetworkAccess.PRIVATE, "/subscriptions/s/vaults/v")
    assert facts.kms.key_id


def test_access_that_arm_leaves_out_is_public() -> None:
    assert arm(securityProfile=kms(enabled=True, keyId=KEY)).kms.network_access is NetworkAccess.PUBLIC


@pytest.mark.parametrize(
    ("state", "busy", "failed"),
    [("Updating", True, False), ("SomethingNew", True, False), ("Failed", False, True), ("Canceled", False, True)],
)
def test_a_state_is_an_end_or_an_operation_under_way(state: str, busy: bool, failed: bool) -> None:
    facts = arm(provisioningState=state)
    assert (facts.busy, facts.failed) == (busy, failed)


def test_sign_in_and_network_are_read() -> None:
    facts = arm(
        aadProfile={"managed": True},
        disableLocalAccounts=True,
        apiServerAccessProfile={"enableVnetIntegration": True},
    )
    assert (facts.entra, facts.local_accounts, facts.vnet_integration) == (True, False, True)


def test_what_arm_leaves_out_has_a_default() -> None:
    bare = models.ManagedCluster({"location": "x", "properties": {"kubernetesVersion": "1.26.15"}})
    facts = facts_of(bare, NAME)
    assert (facts.version, facts.state, facts.power, facts.pools, facts.identity) == (
        v("1.26.15"),
        "Succeeded",
        "Running",
        (),
        "",
    )
    assert facts.name.name == "blue"


def test_offers_leave_previews_out_and_are_sorted() -> None:
    profile = models.ManagedClusterUpgradeProfile(
        {
            "properties": {
                "controlPlaneProfile": {
                    "kubernetesVersion": "1.26.15",
                    "osType": "Linux",
                    "upgrades": [
                        {"kubernetesVersion": "1.27.9"},
                        {"kubernetesVersion": "1.28.0", "isPreview": True},
                        {"kubernetesVersion": "1.27.1", "isPreview": False},
                    ],
                },
                "agentPoolProfiles": [],
            }
        }
    )
    assert offers_of(profile, Offers()).versions == (v("1.27.1"), v("1.27.9"))


def test_a_profile_that_offers_nothing_is_read() -> None:
    profile = models.ManagedClusterUpgradeProfile(
        {"properties": {"controlPlaneProfile": {"kubernetesVersion": "1.26.15", "osType": "Linux"}}}
    )
    assert offers_of(profile, Offers()).versions == ()


def test_the_versions_of_a_location_tell_the_supported_minors_and_where_each_patch_leads() -> None:
    versions = models.KubernetesVersionListResult(
        {
            "values": [
                {
                    "version": "1.33",
                    "capabilities": {"supportPlan": ["AKSLongTermSupport"]},
                    "patchVersions": {"1.33.2": {"upgrades": ["1.34.4", "1.33.5", "1.35.0"]}, "1.33.5": {}},
                },
                {
                    "version": "1.34",
                    "capabilities": {"supportPlan": ["KubernetesOfficial", "AKSLongTermSupport", "Another"]},
                    "patchVersions": {"1.34.4": {"upgrades": []}},
                },
                {"version": "1.32"},
                {"version": "1.35", "isPreview": True, "patchVersions": {"1.35.0": {"upgrades": ["1.36.0"]}}},
            ]
        }
    ).values_property
    listed = listed_of(versions)
    assert listed.onward == {v("1.33.2"): (v("1.34.4"), v("1.33.5")), v("1.33.5"): (), v("1.34.4"): ()}
    assert listed.versions == ()
    community, long_term = frozenset({SupportPlan.COMMUNITY}), frozenset({SupportPlan.LONG_TERM})
    assert listed.plans == {(1, 33): long_term, (1, 34): community | long_term, (1, 32): community}
    answers = [listed.supports(v("1.33.2"), plan) for plan in SupportPlan]
    assert answers == [False, True]
    assert [listed.supports(v("1.30.1"), plan) for plan in SupportPlan] == [False, False]


@pytest.mark.parametrize("unknown", [(), None])
def test_versions_that_could_not_be_learnt_tell_nothing(unknown: Any) -> None:
    listed = listed_of(unknown)
    assert listed == Offers()
    assert listed.supports(v("1.33.2"), SupportPlan.COMMUNITY) is None
    assert listed.under(v("1.33.2"), SupportPlan.COMMUNITY)


def test_tier_support_plan_and_surge_are_read() -> None:
    facts = arm(supportPlan="AKSLongTermSupport")
    assert (facts.support_plan, facts.tier, facts.pools[0].surge) == (SupportPlan.LONG_TERM, "Premium", "33%")
    assert arm().support_plan is SupportPlan.COMMUNITY
    assert arm(supportPlan="SomethingNew").support_plan is SupportPlan.COMMUNITY


def test_who_may_reach_the_api_server_is_read() -> None:
    assert (arm().private, arm().authorized_ranges) == (False, ())
    closed = arm(apiServerAccessProfile={"enablePrivateCluster": True, "authorizedIPRanges": ["10.0.0.0/8"]})
    assert (closed.private, closed.authorized_ranges) == (True, ("10.0.0.0/8",))


@pytest.mark.parametrize(("power", "read"), [(None, "Running"), ({"code": "Stopped"}, "Stopped")])
def test_whether_a_pool_runs_is_read(power: dict[str, str] | None, read: str) -> None:
    pool = {"name": "system", "orchestratorVersion": "1.26.15", "powerState": power}
    assert arm(agentPoolProfiles=[pool]).pools[0].power == read
