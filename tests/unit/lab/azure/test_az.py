"""The unmodified az, as a process, against the local Azure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.azure import rules
from tests.lab.azure.identity import AKS_SERVER_APP
from tests.unit.lab.azure.conftest import AzResult, Lab, LabFactory

pytestmark = pytest.mark.az

Az = Callable[..., AzResult]
CLUSTER = ("-g", "lab", "-n", "demo")
ENABLE = ("aks", "update", *CLUSTER, "--enable-azure-keyvault-kms", "--azure-keyvault-kms-key-id")
ACCESS = "--azure-keyvault-kms-key-vault-network-access"
VAULT = "--azure-keyvault-kms-key-vault-resource-id"
DISABLE = ("aks", "update", *CLUSTER, "--disable-azure-keyvault-kms")


def test_the_profile_is_signed_in(lab: Lab, az: Az) -> None:
    account = az(lab, "account", "show").json()
    assert (account["environmentName"], account["state"]) == ("LocalAzure", "Enabled")
    assert az(lab, "group", "show", "-n", "lab").json()["location"] == "westeurope"


def test_a_log_in_by_hand(lab: Lab, az: Az, tmp_path: Path) -> None:
    fresh = str(tmp_path / "fresh")
    assert (
        az(
            lab,
            *("cloud", "register", "-n", "Mine", "--endpoint-resource-manager", lab.azure.url),
            AZURE_CONFIG_DIR=fresh,
        ).code
        == 0
    )
    assert az(lab, "cloud", "set", "-n", "Mine", AZURE_CONFIG_DIR=fresh).code == 0
    wrong = [*lab.azure.login_command()]
    wrong[wrong.index(lab.azure.operator.secret)] = "wrong"
    refused = az(lab, *wrong, AZURE_CONFIG_DIR=fresh)
    assert refused.code == 1
    assert "AADSTS7000215" in refused.stderr
    assert az(lab, *lab.azure.login_command(), AZURE_CONFIG_DIR=fresh).code == 0
    assert az(lab, "aks", "show", *CLUSTER, AZURE_CONFIG_DIR=fresh).json()["name"] == "demo"


def test_reading(lab: Lab, az: Az) -> None:
    shown = az(lab, "aks", "show", *CLUSTER).json()
    assert shown["securityProfile"]["azureKeyVaultKms"]["keyId"] == lab.azure.key_id()
    (listed,) = az(lab, "aks", "list").json()
    assert listed["name"] == "demo"
    upgrades = az(lab, "aks", "get-upgrades", *CLUSTER).json()["controlPlaneProfile"]["upgrades"]
    assert [upgrade["kubernetesVersion"] for upgrade in upgrades] == ["1.27.1", "1.34.4"]
    pools = az(lab, "aks", "nodepool", "list", "-g", "lab", "--cluster-name", "demo").json()
    assert [(pool["name"], pool["count"]) for pool in pools] == [("system", 2), ("user", 1)]
    versions = az(lab, "aks", "get-versions", "-l", "westeurope").json()["values"]
    assert [version["version"] for version in versions] == ["1.27", "1.34"]
    assert lab.azure.puts() == []


def test_the_documented_migration(lab: Lab, az: Az) -> None:
    key = lab.azure.key_id()
    blocked = az(lab, "aks", "upgrade", *CLUSTER, "-k", "1.27.1", "--yes")
    assert blocked.code == 1
    assert rules.KMS_BLOCKS_UPGRADE_MARKER in blocked.stderr
    disabled = az(lab, *DISABLE).json()["securityProfile"]["azureKeyVaultKms"]
    assert (disabled["enabled"], disabled["keyId"]) == (False, key)
    upgraded = az(lab, "aks", "upgrade", *CLUSTER, "-k", "1.27.1", "--yes").json()
    assert upgraded["currentKubernetesVersion"] == "1.27.1"
    assert {pool["currentOrchestratorVersion"] for pool in upgraded["agentPoolProfiles"]} == {"1.27.1"}
    enabled = az(lab, *ENABLE, key, ACCESS, "Public").json()["securityProfile"]["azureKeyVaultKms"]
    assert enabled["enabled"] is True
    assert lab.plane.calls == [
        ("set_kms", "off"),
        ("upgrade", "1.27.1"),
        ("upgrade_pool", "system", "1.27.1"),
        ("upgrade_pool", "user", "1.27.1"),
        ("set_kms", key),
    ]
    assert [put["status"] for put in lab.azure.puts()] == [400, 200, 200, 200]


def test_a_private_vault(new_lab: LabFactory, az: Az) -> None:
    lab = new_lab(key_vault="private")
    assert az(lab, *DISABLE).code == 0
    key = lab.azure.key_id()
    public = az(lab, *ENABLE, key, ACCESS, "Public")
    assert "AzureKeyVaultKmsValidateIdentityPermissionCustomerError" in public.stderr
    vault = lab.azure.vault.resource_id
    enabled = az(lab, *ENABLE, key, ACCESS, "Private", VAULT, vault).json()
    assert enabled["securityProfile"]["azureKeyVaultKms"]["keyVaultResourceId"] == vault
    assert lab.plane.calls == [("set_kms", "off"), ("set_kms", key)]


def test_control_plane_first_and_pools_after(new_lab: LabFactory, az: Az) -> None:
    lab = new_lab(kms=False, supported=True)
    upgrade = ("aks", "upgrade", *CLUSTER, "-k", "1.27.1", "--control-plane-only", "--yes")
    assert az(lab, *upgrade).json()["currentKubernetesVersion"] == "1.27.1"
    pool = ("aks", "nodepool", "upgrade", "-g", "lab", "--cluster-name", "demo", "-n", "user")
    assert az(lab, *pool, "-k", "1.27.1", "--yes").json()["currentOrchestratorVersion"] == "1.27.1"
    newer = az(lab, *pool, "-k", "1.34.4", "--yes")
    assert newer.code == 1
    assert "NodePoolMcVersionIncompatible" in newer.stderr
    assert lab.plane.calls == [("upgrade", "1.27.1"), ("upgrade_pool", "user", "1.27.1")]


@pytest.mark.parametrize(
    ("patch", "arguments", "code", "message"),
    [
        ({}, ("aks", "show", "-g", "lab", "-n", "other"), 3, "(ResourceNotFound) The Resource"),
        ({}, ("aks", "show", "-g", "other", "-n", "demo"), 3, "(ResourceGroupNotFound)"),
        (
            {},
            ("aks", "upgrade", *CLUSTER, "-k", "1.28.0", "--yes"),
            1,
            "(OperationNotAllowed) Upgrading Kubernetes version 1.26.15 to 1.28.0 is not allowed.",
        ),
        ({"properties": {"provisioningState": "Updating"}}, DISABLE, 1, "(OperationNotAllowed)"),
        ({"properties": {"powerState": {"code": "Stopped"}}}, DISABLE, 1, "Power State(Stopped)"),
        ({}, (*DISABLE, "--if-match", "old"), 1, "(EtagMismatch)"),
    ],
)
def test_refusals(lab: Lab, az: Az, patch: dict[str, Any], arguments: tuple[str, ...], code: int, message: str) -> None:
    lab.azure.patch_cluster(patch)
    result = az(lab, *arguments)
    assert result.code == code
    assert message in result.stderr
    assert lab.plane.calls == []


def test_refusals_of_enabling(lab: Lab, az: Az) -> None:
    key = lab.azure.key_id()
    az(lab, *DISABLE).json()
    private = az(lab, *ENABLE, key, ACCESS, "Private", VAULT, lab.azure.vault.resource_id)
    assert "Vnet integration should be enabled when KeyVault network access is Private." in private.stderr
    lab.azure.vault.set_key(granted=False)
    ungranted = az(lab, *ENABLE, key, ACCESS, "Public")
    assert ungranted.code == 1
    assert "(AzureKeyVaultKmsValidateIdentityPermissionCustomerError)" in ungranted.stderr
    lab.azure.patch_cluster({"identity": {"type": "SystemAssigned", "userAssignedIdentities": None}})
    system = az(lab, *ENABLE, key, ACCESS, "Public")
    assert "does not support cluster identity type SystemAssigned" in system.stderr


def test_a_failed_operation_and_a_reconcile(lab: Lab, az: Az) -> None:
    lab.azure.fail_next("disable-kms", "failed-after-effect")
    failed = az(lab, *DISABLE)
    assert failed.code == 1
    assert "(InternalOperationError)" in failed.stderr
    assert az(lab, "aks", "show", *CLUSTER).json()["provisioningState"] == "Failed"
    assert az(lab, "aks", "update", *CLUSTER, "--yes").json()["provisioningState"] == "Succeeded"


def test_credentials_with_local_accounts(lab: Lab, az: Az) -> None:
    for extra, user in (((), "clusterUser_lab_demo"), (("--admin",), "clusterAdmin_lab_demo")):
        done = az(lab, "aks", "get-credentials", *CLUSTER, "-f", "-", *extra)
        document = yaml.safe_load(done.stdout)
        assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"
        assert document["users"][0]["name"] == user
        assert "client-key-data" in document["users"][0]["user"]


def test_credentials_with_entra_id(new_lab: LabFactory, az: Az) -> None:
    lab = new_lab(access="entra")
    document = yaml.safe_load(az(lab, "aks", "get-credentials", *CLUSTER, "-f", "-").stdout)
    assert AKS_SERVER_APP in document["users"][0]["user"]["exec"]["args"]
    older = az(lab, "aks", "get-credentials", *CLUSTER, "-f", "-", "--format", "azure")
    assert "auth-provider" in yaml.safe_load(older.stdout)["users"][0]["user"]
    admin = az(lab, "aks", "get-credentials", *CLUSTER, "-f", "-", "--admin")
    assert admin.code == 1
    assert "Getting static credential is not allowed" in admin.stderr
    token = az(lab, "account", "get-access-token", "--resource", AKS_SERVER_APP).json()
    assert token["tokenType"] == "Bearer"
