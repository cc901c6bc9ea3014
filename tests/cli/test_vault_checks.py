"""Keys, vaults and roles that are not well stop ``start`` before KMS is turned off: the real az on the local Azure."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.az import Az, Typed
from tests.lab.client import LabClient
from tests.lab.model import LabOptions
from tests.labs import UpLab

pytestmark = pytest.mark.az

VAULT = "Microsoft.KeyVault/vaults/lab-kv"
CRYPTO_USER = "Key Vault Crypto User"
OTHER_VAULT = "Microsoft.KeyVault/vaults/lab-kv-2"
OTHER_TENANT = "77777777-2222-4333-8444-555555555555"


def vault_id(az: Az) -> str:
    found = az.lab.resource(VAULT)
    assert found is not None
    return str(found["id"])


def other_vault(az: Az, **properties: Any) -> str:
    """A vault of its own for the new key, with nothing behind its address; returns the key's id."""
    known = az.lab.resource(VAULT)
    assert known is not None
    document = {**known, "properties": {**known["properties"], "vaultUri": "https://127.0.0.1:9/", **properties}}
    document.pop("id")
    az.lab.fault("resource", f"{OTHER_VAULT} {json.dumps(document | {'name': 'lab-kv-2'})}")
    return f"https://127.0.0.1:9/keys/etcd/{'0' * 32}"


def role_for_the_new_key(az: Az, role: str = "", *, made: str = "assign") -> None:
    """The identity may use the old key; for the new one it has this role, or none."""
    az.lab.fault("role", "remove cluster vault")
    az.lab.fault("role", f"assign cluster {vault_id(az)}/keys/kms {CRYPTO_USER}")
    if role:
        az.lab.fault("role", f"{made} cluster {vault_id(az)}/keys/kms-new {role}")


def cluster_puts(az: Az) -> list[str]:
    return [one["path"] for one in az.lab.puts() if "/managedClusters/" in one["path"]]


@pytest.fixture(scope="module")
def lab(extensions: Path) -> Iterator[Az]:
    """One cluster for all: what stops ``start`` leaves it as it was."""
    with LabClient.up(LabOptions(f"vaults-{os.getpid()}", secrets=10), tethered=True) as client:
        yield Az(client, extensions)


@pytest.fixture
def az(lab: Az) -> Iterator[Az]:
    """The cluster, whose vault and roles are put back afterwards."""
    yield lab
    for repair in ("rsa kms-new", "all-operations kms-new", "unexpired kms-new", "enabled kms-new"):
        lab.lab.fault("key", repair)
    lab.lab.fault("resource", f"{OTHER_VAULT} null")
    lab.lab.fault("role", "remove cluster vault")
    lab.lab.fault("role", f"assign cluster vault {CRYPTO_USER}")


def key_fault(how: str) -> Any:
    return lambda az: az.lab.fault("key", f"{how} kms-new")


KEY = "key 'kms-new' of key vault 'lab-kv'"
IDENTITY = "managed identity 'vaults-"

STOPPED = [
    ("an EC key", key_fault("ec"), "V-02", KEY, "az keyvault key create --vault-name lab-kv"),
    ("a key without encrypt", key_fault("no-encrypt"), "V-02", KEY, "az keyvault key set-attributes --id"),
    ("an expired key", key_fault("expired"), "V-02", KEY, "--expires"),
    ("no role", role_for_the_new_key, "V-08", IDENTITY, f'--role "{CRYPTO_USER}"'),
    (
        "the wrong role",
        lambda az: role_for_the_new_key(az, "Key Vault Crypto Service Encryption User"),
        "V-10",
        IDENTITY,
        f'--role "{CRYPTO_USER}"',
    ),
    (
        "a role that is not yet effective",
        lambda az: role_for_the_new_key(az, CRYPTO_USER, made="assign-now"),
        "V-08",
        IDENTITY,
        "type the same command again",
    ),
    (
        "a vault of another tenant",
        lambda az: other_vault(az, tenantId=OTHER_TENANT),
        "V-04",
        "key vault 'lab-kv-2'",
        "--key-id",
    ),
    (
        "a vault with selected networks",
        lambda az: other_vault(az, networkAcls={"defaultAction": "Deny"}),
        "V-05",
        "key vault 'lab-kv-2'",
        "az keyvault update --name lab-kv-2 --default-action Allow",
    ),
]


@pytest.mark.parametrize(("what", "disturb", "id_", "named", "words"), STOPPED, ids=[s[0] for s in STOPPED])
def test_it_is_stopped_before_kms_is_turned_off(
    az: Az, what: str, disturb: Any, id_: str, named: str, words: str
) -> None:
    key = disturb(az) or az.lab.key_id("kms-new")
    assert_stopped(az, az.start("--key-id", key), id_, named, words)


def assert_stopped(az: Az, done: Typed, id_: str, named: str, words: str) -> None:
    """The check failed, and nothing was changed."""
    assert_failed(done, id_, named, words)
    assert az.lab.etcd()["kms-v1"] == 10
    assert cluster_puts(az) == []


def assert_failed(done: Typed, id_: str, named: str, words: str) -> None:
    """The check failed, naming the object and what to type."""
    assert done.code == 11, done.stderr
    found = {check["id"]: check for check in done.document["checks"]}
    assert found[id_]["outcome"] == "failed"
    assert any(words in finding["fix"] and named in finding["object"] for finding in found[id_]["findings"]), found[id_]
    assert words in done.stderr


def test_a_private_vault_without_vnet_integration_is_stopped_too(az: Az) -> None:
    private = ("--key-vault-access", "Private", "--key-vault", vault_id(az), "--key-id", az.lab.key_id("kms-new"))
    done = az.migrate("check", *private)
    assert_failed(done, "V-06", f"cluster '{az.lab.name}'", "--enable-apiserver-vnet-integration")
    assert_stopped(az, az.start(*private), "V-06", f"cluster '{az.lab.name}'", "--enable-apiserver-vnet-integration")


def test_a_private_vault_has_all_that_it_needs_or_is_stopped(up: UpLab) -> None:
    az = up("embedded", secrets=10, key_vault="private")
    target = ("--key-id", az.lab.key_id("kms-new"))
    az.lab.fault("role", "remove cluster vault")
    az.lab.fault("role", f"assign cluster vault {CRYPTO_USER}")
    stopped = az.start(*target)
    assert stopped.code == 11, stopped.stderr
    assert '--role "Key Vault Contributor"' in stopped.stderr
    assert cluster_puts(az) == []
    az.lab.fault("role", "assign cluster vault Key Vault Contributor")
    done = az.start(*target)
    assert done.code == 0, done.stderr
    assert az.lab.etcd()["kms-v2"] >= 10
    kms = az.lab.cluster()["properties"]["securityProfile"]["azureKeyVaultKms"]
    assert (kms["keyVaultNetworkAccess"], kms["keyVaultResourceId"]) == ("Private", vault_id(az))


def test_what_may_not_be_read_is_unknown_and_stops_nothing(az: Az) -> None:
    az.lab.fault("role", "remove operator subscription")
    az.lab.fault("role", "assign operator group Azure Kubernetes Service Contributor Role")
    try:
        done = az.migrate("check", "--key-id", az.lab.key_id("kms-new"))
    finally:
        az.lab.fault("role", "assign operator subscription Owner")
    found = {check["id"]: check for check in done.document["checks"]}
    assert found["V-05"]["outcome"] == "unknown"
    assert found["V-05"]["permission"] == "Microsoft.KeyVault/vaults/read"


def test_a_missing_role_is_assigned_when_told_and_waited_for(az: Az) -> None:
    """The wait ends when the role is old enough: here its age is changed, instead of ten minutes passing."""
    role_for_the_new_key(az)
    key = az.lab.key_id("kms-new")
    process = az.begin("start", "--yes", "--settle-seconds", "3", "--assign-role", "--key-id", key)
    assignment = ""
    until = time.monotonic() + 300
    while not assignment and time.monotonic() < until and process.poll() is None:
        made = [one["path"] for one in az.lab.puts() if "roleAssignments" in one["path"] and one["status"] == 201]
        assignment = made[0] if made else ""
        time.sleep(0.5)
    assert assignment, process.communicate()
    assert cluster_puts(az) == []
    az.lab.fault("resource", f"{assignment} " + json.dumps({"properties": {"createdOn": "2026-01-01T00:00:00Z"}}))
    stdout, stderr = process.communicate(timeout=600)
    assert process.returncode == 0, stderr
    assert json.loads(stdout)["state"] == "Completed"
    assert "az role assignment create" in stderr
    assert "Its effect is waited for" in stderr
    assert az.lab.etcd()["kms-v2"] >= 10
    assert len([one for one in az.lab.puts() if "roleAssignments" in one["path"]]) == 1
