"""The unmodified az on the management of vaults, roles, locks and networks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab.azure.roles import CRYPTO_USER
from tests.unit.lab.azure.conftest import AzResult, Lab

pytestmark = pytest.mark.az

Az = Callable[..., AzResult]
VAULT = ("-g", "lab", "-n", "lab-kv")


def test_a_vault_is_shown_and_changed(lab: Lab, az: Az) -> None:
    shown = az(lab, "keyvault", "show", *VAULT).json()["properties"]
    assert shown["vaultUri"] == f"{lab.azure.vault.url}/"
    assert (shown["enableRbacAuthorization"], shown["publicNetworkAccess"]) == (True, "Enabled")
    assert [one["name"] for one in az(lab, "keyvault", "list").json()] == ["lab-kv"]
    az(lab, "keyvault", "update", *VAULT, "--default-action", "Deny").json()
    assert not lab.azure.vault.usable_in_public(lab.azure.key_id())
    added = az(lab, "keyvault", "network-rule", "add", *VAULT, "--ip-address", "198.51.100.0/24").json()
    assert added["properties"]["networkAcls"]["ipRules"] == [{"value": "198.51.100.0/24"}]
    assert lab.azure.vault.usable_in_public(lab.azure.key_id())
    refused = az(lab, "keyvault", "update", *VAULT, "--enable-purge-protection", "false")
    assert refused.code != 0


def test_a_vault_is_deleted_and_recovered_without_its_roles(lab: Lab, az: Az) -> None:
    assert az(lab, "keyvault", "delete", *VAULT).code == 0
    assert "(ResourceNotFound)" in az(lab, "keyvault", "show", *VAULT).stderr
    assert [one["name"] for one in az(lab, "keyvault", "list-deleted", "--resource-type", "vault").json()] == ["lab-kv"]
    assert az(lab, "keyvault", "recover", *VAULT, "-l", "westeurope").code == 0
    assert az(lab, "keyvault", "show", *VAULT).code == 0
    assert not lab.azure.vault.usable_in_public(lab.azure.key_id())


def test_a_role_is_assigned_and_takes_effect_later(lab: Lab, az: Az) -> None:
    azure = lab.azure
    azure.vault.set_key(granted=False)
    azure.grants.delay_seconds = 3600
    arguments = ("--assignee-object-id", azure.cluster_identity.object_id, "--scope", azure.vault.resource_id)
    kind = ("--assignee-principal-type", "ServicePrincipal")
    made = az(lab, "role", "assignment", "create", *arguments, *kind, "--role", "Key Vault Crypto User").json()
    assert made["roleDefinitionId"].endswith(CRYPTO_USER.id)
    listing = ("role", "assignment", "list", *arguments, "--fill-principal-name", "false")
    assert [one["roleDefinitionName"] for one in az(lab, *listing).json()] == ["Key Vault Crypto User"]
    assert not azure.vault.usable_in_public(azure.key_id())
    azure.grants.delay_seconds = 0
    assert azure.vault.usable_in_public(azure.key_id())
    assert az(lab, "role", "assignment", "delete", *arguments, "--role", "Key Vault Crypto User").code == 0
    assert not azure.vault.usable_in_public(azure.key_id())


def test_a_lock_stops_an_update(lab: Lab, az: Az) -> None:
    lock = ("--name", "frozen", "-g", "lab", "--lock-type", "ReadOnly")
    assert az(lab, "lock", "create", *lock).code == 0
    assert [one["level"] for one in az(lab, "lock", "list", "-g", "lab").json()] == ["ReadOnly"]
    disabled = az(lab, "aks", "update", "-g", "lab", "-n", "demo", "--disable-azure-keyvault-kms")
    assert "(ScopeLocked)" in disabled.stderr
    assert az(lab, "lock", "delete", "--name", "frozen", "-g", "lab").code == 0
    assert lab.plane.calls == []


def test_the_surroundings_of_a_cluster(lab: Lab, az: Az) -> None:
    (subnets, usage) = (
        az(lab, "network", "vnet", "subnet", "list", "-g", "lab", "--vnet-name", "lab-vnet").json(),
        az(lab, "vm", "list-usage", "-l", "westeurope").json(),
    )
    assert {subnet["name"]: len(subnet["ipConfigurations"] or []) for subnet in subnets} == {
        "nodes": 93,
        "apiserver": 0,
    }
    assert {one["name"]["value"]: one["currentValue"] for one in usage}["standardDSv5Family"] == "12"
    identity = az(lab, "identity", "show", "-g", "lab", "-n", "demo-identity").json()
    assert identity["principalId"] == lab.azure.cluster_identity.object_id


def test_a_key_is_looked_at(lab: Lab, az: Az) -> None:
    shown = az(lab, "keyvault", "key", "show", "--id", lab.azure.key_id()).json()
    assert shown["key"]["kid"] == lab.azure.key_id()
    lab.azure.vault.change(networkAcls={"defaultAction": "Deny"})
    refused = az(lab, "keyvault", "key", "show", "--id", lab.azure.key_id())
    assert "ForbiddenByFirewall" in refused.stderr


def test_windows_events_and_rules(lab: Lab, az: Az) -> None:
    cluster = ("-g", "lab", "--cluster-name", "demo")
    window = ("--name", "default", "--weekday", "Monday", "--start-hour", "1")
    assert az(lab, "aks", "maintenanceconfiguration", "add", *cluster, *window).code == 0
    assert [one["name"] for one in az(lab, "aks", "maintenanceconfiguration", "list", *cluster).json()] == ["default"]
    (event,) = az(lab, "monitor", "activity-log", "list", "-g", "lab", "--offset", "1h").json()
    assert event["caller"] == lab.azure.operator.client_id
    assert "maintenanceConfigurations/write" in event["operationName"]["value"]
    (group,) = az(lab, "network", "nsg", "list", "-g", "lab").json()
    assert group["securityRules"] == []
    definition = az(lab, "role", "definition", "list", "--name", "Key Vault Crypto User").json()
    assert definition[0]["permissions"][0]["dataActions"] == list(CRYPTO_USER.permission.data_actions)


def test_access_policies(lab: Lab, az: Az) -> None:
    az(lab, "keyvault", "update", *VAULT, "--enable-rbac-authorization", "false").json()
    assert not lab.azure.vault.usable_in_public(lab.azure.key_id())
    policy = ("--object-id", lab.azure.cluster_identity.object_id, "--key-permissions", "encrypt", "decrypt")
    az(lab, "keyvault", "set-policy", *VAULT, *policy).json()
    assert lab.azure.vault.usable_in_public(lab.azure.key_id())
