"""The subscription around a whole lab: what faults set, and what the real control plane makes of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.administrator import administrator
from tests.lab.client import LabClient
from tests.lab.model import LabOptions
from tests.lab.premises import LabError

AZ = str(Path(sys.executable).with_name("az"))
VAULT = "Microsoft.KeyVault/vaults/lab-kv"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


@pytest.fixture(scope="module", autouse=True)
def labs_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KMS_LAB_HOME", str(tmp_path_factory.mktemp("labs")))
        yield


@pytest.fixture(scope="module")
def lab(labs_home: None) -> Iterator[LabClient]:
    with LabClient.up(LabOptions("surrounded", kms=False, pools=5), tethered=True) as client:
        yield client


def az(lab: LabClient, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **lab.environment()}
    return subprocess.run([AZ, *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False)


def _cluster(lab: LabClient) -> tuple[str, ...]:
    return ("-g", "lab", "-n", lab.name)


def _enable(lab: LabClient) -> subprocess.CompletedProcess[str]:
    access = ("--azure-keyvault-kms-key-vault-network-access", "Public")
    key = ("--azure-keyvault-kms-key-id", lab.key_id())
    return az(lab, "aks", "update", *_cluster(lab), "--enable-azure-keyvault-kms", *key, *access)


def _properties(lab: LabClient, resource_id: str) -> dict[str, Any]:
    found = lab.resource(resource_id)
    assert found is not None
    return dict(found["properties"])


def test_pools_and_their_nodes(lab: LabClient) -> None:
    with administrator(lab.endpoint()) as api:
        nodes = [node["metadata"]["labels"]["agentpool"] for node in api.items("/api/v1/nodes")]
    assert sorted(nodes) == ["pool03", "pool04", "pool05", "system", "system", "user"]
    assert len(lab.cluster()["properties"]["agentPoolProfiles"]) == 5
    lab.fault("pool", 'pool04 {"provisioningState": "Failed", "upgradeSettings": {"maxSurge": "50 %"}}')
    pool = lab.cluster()["properties"]["agentPoolProfiles"][3]
    assert (pool["provisioningState"], pool["upgradeSettings"]) == ("Failed", {"maxSurge": "50 %"})
    lab.fault("pool", 'pool04 {"provisioningState": "Succeeded", "upgradeSettings": {"maxSurge": "10%"}}')


def test_a_resource_is_changed_made_and_removed(lab: LabClient) -> None:
    lab.fault("resource", VAULT + ' {"properties": {"networkAcls": {"defaultAction": "Deny"}}, "tags": {"a": "b c"}}')
    assert _properties(lab, VAULT)["networkAcls"]["defaultAction"] == "Deny"
    assert "AzureKeyVaultKmsValidateIdentityPermissionCustomerError" in _enable(lab).stderr
    lab.fault("resource", VAULT + ' {"properties": {"networkAcls": {"defaultAction": "Allow"}}}')
    lock = f"{VAULT}/providers/Microsoft.Authorization/locks/x"
    lab.fault("resource", lock + ' {"properties": {"level": "ReadOnly"}}')
    assert _properties(lab, lock) == {"level": "ReadOnly"}
    lab.fault("resource", lock + " null")
    assert lab.resource(lock) is None


def test_roles_and_their_delay(lab: LabClient) -> None:
    lab.fault("role", "remove cluster vault")
    lab.fault("role-delay", "3600")
    lab.fault("role", "assign-now cluster vault Key Vault Crypto User")
    assert "AzureKeyVaultKmsValidateIdentityPermissionCustomerError" in _enable(lab).stderr
    lab.fault("role", "remove cluster vault")
    lab.fault("role", "assign cluster vault Key Vault Crypto Service Encryption User")
    assert "AzureKeyVaultKmsValidateIdentityPermissionCustomerError" in _enable(lab).stderr
    lab.fault("role", "assign cluster vault Key Vault Crypto User")
    lab.fault("role-delay", "0")
    assert _enable(lab).returncode == 0
    disabled = az(lab, "aks", "update", *_cluster(lab), "--disable-azure-keyvault-kms")
    assert disabled.returncode == 0, disabled.stderr


@pytest.mark.parametrize(
    ("broken", "mended"), [("no-encrypt", "all-operations"), ("ec", "rsa"), ("not-yet-valid", "valid")]
)
def test_keys_that_cannot_serve(lab: LabClient, broken: str, mended: str) -> None:
    lab.fault("key", broken)
    assert "AzureKeyVaultKmsValidateIdentityPermissionCustomerError" in _enable(lab).stderr
    lab.fault("key", mended)
    before = lab.key_id("kms-new")
    lab.fault("key", "rotated kms-new")
    assert lab.key_id("kms-new") != before


def test_a_deprecated_api_that_was_seen(lab: LabClient) -> None:
    lab.fault("api-use", "flowcontrol.apiserver.k8s.io.flowschemas.v1beta1 1.27")
    upgrade = az(lab, "aks", "upgrade", *_cluster(lab), "-k", "1.27.1", "--yes")
    assert "(ValidationError) Control Plane upgrade is blocked" in upgrade.stderr
    lab.fault("api-use", "none")


@pytest.mark.parametrize(
    ("kind", "arg", "said"),
    [
        ("pool", "none {}", "no pool none"),
        ("pool", "user [1]", "not a JSON object"),
        ("resource", "x", "takes 2 words"),
        ("role", "assign cluster vault Emperor", "which of Azure's roles"),
        ("role", "assign nobody vault Reader", "whose role"),
        ("api-use", "x y", "not a Kubernetes minor version"),
    ],
)
def test_what_makes_no_sense_is_said_so(lab: LabClient, kind: str, arg: str, said: str) -> None:
    with pytest.raises(LabError, match=said):
        lab.fault(kind, arg)


def test_a_private_vault_without_a_grant_breaks_the_control_plane(labs_home: None) -> None:
    options = LabOptions(
        "ungranted", kms=False, key_vault="private", kubernetes="1.27.1", offers=("1.34.4",), replicas=1
    )
    with LabClient.up(options, tethered=True) as lab:
        lab.fault("key", "ungranted")
        vault = lab.resource(VAULT)
        assert vault is not None
        access = ("--azure-keyvault-kms-key-vault-network-access", "Private")
        where = (*access, "--azure-keyvault-kms-key-vault-resource-id", vault["id"])
        key = ("--azure-keyvault-kms-key-id", lab.key_id())
        enabled = az(lab, "aks", "update", *_cluster(lab), "--enable-azure-keyvault-kms", *key, *where)
        assert "(InternalOperationError)" in enabled.stderr
        refused = [one for one in lab.requests() if one["service"] == "vault" and one["status"] == 403]
        assert refused
        assert lab.cluster()["properties"]["securityProfile"]["azureKeyVaultKms"]["enabled"] is True


@pytest.mark.real
def test_a_real_budget_stops_an_upgrade(labs_home: None) -> None:
    options = LabOptions("budgeted", apiserver="real", kms=False, replicas=1)
    with LabClient.up(options, tethered=True) as lab, administrator(lab.endpoint()) as api:
        spec = {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "x"}}}
        api.create(BUDGETS, {"metadata": {"name": "never"}, "spec": spec})
        upgrade = ("aks", "upgrade", *_cluster(lab), "-k", "1.27.1", "--yes")
        refused = az(lab, *upgrade)
        assert "(UnsatisfiablePDB)" in refused.stderr
        assert "PDB default/never has maxUnavailable == 0 can't proceed with put operation" in refused.stderr
        api.delete_if_present(f"{BUDGETS}/never")
        spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}}
        api.create(BUDGETS, {"metadata": {"name": "now"}, "spec": spec})
        status = {"expectedPods": 2, "currentHealthy": 1, "desiredHealthy": 1, "disruptionsAllowed": 0}
        api.merge(f"{BUDGETS}/now/status", {"status": status})
        failed = az(lab, *upgrade)
        assert "(UpgradeFailed)" in failed.stderr
        assert "blocked by pdb now" in failed.stderr
        assert lab.cluster()["properties"]["currentKubernetesVersion"] == "1.27.1"
