"""A cluster as a plain document is read as the SDK's model of it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from azure.mgmt.containerservice import models
from hypothesis import given, settings
from hypothesis import strategies as st

from azext_kmsmigrate.arm.facts import facts_of
from azext_kmsmigrate.arm.rows import facts_of_row, flat
from azext_kmsmigrate.migration.facts import ClusterFacts, ClusterName, KmsState, Surroundings
from tests.unit.situations import KEY

ID = "/subscriptions/SUB/resourceGroups/Shop/providers/Microsoft.ContainerService/managedClusters/blue"
NAME = ClusterName("blue", "Shop", "sub", ID)

versions = st.sampled_from(["1.26", "1.26.15", "1.34.4"])
power = st.none() | st.fixed_dictionaries({"code": st.sampled_from(["Running", "Stopped"])})
kms = st.none() | st.fixed_dictionaries(
    {"enabled": st.booleans()},
    optional={
        "keyId": st.sampled_from([KEY, "", None]),
        "keyVaultNetworkAccess": st.sampled_from(["Public", "Private", None]),
        "keyVaultResourceId": st.sampled_from(["/v", "", None]),
    },
)
newer = st.none() | st.fixed_dictionaries({"infrastructureEncryption": st.sampled_from(["Enabled", "Disabled"])})
pools = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b"])},
    optional={
        "orchestratorVersion": versions,
        "currentOrchestratorVersion": versions,
        "provisioningState": st.sampled_from(["Succeeded", "Failed", "odd"]),
        "type": st.sampled_from(["VirtualMachineScaleSets", "AvailabilitySet"]),
        "mode": st.sampled_from(["System", "User", "Machines"]),
        "count": st.integers(0, 9),
        "powerState": power,
        "upgradeSettings": st.none() | st.fixed_dictionaries({"maxSurge": st.sampled_from(["33%", "1"])}),
    },
)
security = st.fixed_dictionaries(
    {}, optional={"azureKeyVaultKms": kms, "kubernetesResourceObjectEncryptionProfile": newer}
)
properties = st.fixed_dictionaries(
    {"kubernetesVersion": versions},
    optional={
        "currentKubernetesVersion": versions,
        "provisioningState": st.sampled_from(["Succeeded", "Upgrading", "Failed"]),
        "powerState": power,
        "securityProfile": st.none() | security,
        "apiServerAccessProfile": st.none()
        | st.fixed_dictionaries(
            {}, optional={"enableVnetIntegration": st.booleans(), "enablePrivateCluster": st.booleans()}
        ),
        "agentPoolProfiles": st.none() | st.lists(pools, max_size=3),
    },
)
identities = st.none() | st.fixed_dictionaries({"type": st.sampled_from(["UserAssigned", "SystemAssigned", "None"])})


def document(properties: dict[str, Any], identity: Any = None) -> dict[str, Any]:
    return {"id": ID, "name": "blue", "location": "westeurope", "identity": identity, "properties": properties}


def as_a_list_shows(facts: ClusterFacts) -> ClusterFacts:
    """Without what no decision about a list reads."""
    return replace(facts, etag="", tier="", surroundings=Surroundings(), authorized_ranges=())


@settings(max_examples=150, deadline=None)
@given(properties, identities)
def test_a_row_is_read_as_the_model_is(properties: dict[str, Any], identity: Any) -> None:
    whole = document(properties, identity)
    expected = as_a_list_shows(facts_of(models.ManagedCluster(whole), NAME))
    assert as_a_list_shows(facts_of_row(flat(whole))) == expected


def test_names_come_from_the_id_as_azure_writes_it() -> None:
    facts = facts_of_row(flat(document({"kubernetesVersion": "1.26.15"})))
    assert (facts.name.group, facts.name.subscription, facts.name.name) == ("Shop", "sub", "blue")
    assert facts.kms_state is KmsState.OFF


@pytest.mark.parametrize(
    "broken",
    [
        {"id": "/subscriptions/sub"},
        {"id": None},
        {"kubernetesVersion": "newest", "currentKubernetesVersion": None},
        {"kubernetesVersion": None, "currentKubernetesVersion": None},
        {"securityProfile": {"azureKeyVaultKms": {"enabled": True, "keyVaultNetworkAccess": "Sideways"}}},
        {"agentPoolProfiles": "none"},
        {"agentPoolProfiles": [7]},
        {"powerState": 3},
    ],
)
def test_a_row_that_makes_no_sense_is_no_cluster(broken: dict[str, Any]) -> None:
    row = flat(document({"kubernetesVersion": "1.26.15"})) | broken
    with pytest.raises((ValueError, TypeError, AttributeError, LookupError)):
        facts_of_row(row)
