"""Somebody else changes the cluster in mid-run: it stops, and says what changed, who it was, and what can be done."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest

from tests.az import Az
from tests.labs import UpLab

pytestmark = pytest.mark.az

SOMEBODY = "pipeline@example.org"
WRITE = "Microsoft.ContainerService/managedClusters/write"


def _update(az: Az, *words: str) -> None:
    """What the other types, and the activity log's line of it."""
    done = az.type("aks", "update", "-g", "lab", "-n", az.lab.name, "-o", "none", *words)
    assert done.code == 0, done.stderr
    az.lab.fault("event", f"{SOMEBODY} {WRITE}")


def _with_key(az: Az, key: str) -> tuple[str, ...]:
    return (
        "--enable-azure-keyvault-kms",
        "--azure-keyvault-kms-key-id",
        az.lab.key_id(key),
        "--azure-keyvault-kms-key-vault-network-access",
        "Public",
    )


def test_kms_that_somebody_turns_on_again_while_secrets_are_rewritten(up: UpLab) -> None:
    az = up("embedded", secrets=20, extra={"proxy": "on"})
    az.lab.fault("connections", "slow:200")
    process = az.begin("start", "--yes", "--settle-seconds", "0", "--max-parallel", "2")
    _wait_until(lambda: az.lab.etcd()["plain"] > 2, process)
    _update(az, *_with_key(az, "kms"))
    az.lab.fault("connections", "ok")
    result = _stopped(process)
    problem = result["problem"]
    assert f"KMS is KmsV1 with the key {az.lab.key_id()}" in problem["what"]
    _assert_tells_who_and_the_choices(problem)
    assert "revert" in problem["fix"]


def test_kms_that_somebody_turns_on_with_another_key_before_we_do(up: UpLab) -> None:
    az = up("embedded", secrets=5)
    az.lab.fault("operation", "upgrade hang")
    process = az.begin("start", "--yes", "--settle-seconds", "0")
    _wait_until(lambda: _under_way(az, "upgrade"), process)
    az.lab.fault("operation", "enable-kms hang")
    az.lab.fault("release")
    _wait_until(lambda: _under_way(az, "enable-kms"), process)
    az.lab.fault("cluster", json.dumps(_other_key(az)))
    az.lab.fault("event", f"{SOMEBODY} {WRITE}")
    az.lab.fault("release")
    stdout, stderr = process.communicate(timeout=200)
    assert process.returncode == 1, stderr
    assert json.loads(stdout)["state"] == "Failed"
    assert "az aks kms-migrate start" in json.loads(stdout)["problem"]["fix"]


def _other_key(az: Az) -> dict[str, Any]:
    return {"properties": {"securityProfile": {"azureKeyVaultKms": {"keyId": az.lab.key_id("kms-new")}}}}


def _assert_tells_who_and_the_choices(problem: dict[str, Any]) -> None:
    assert problem["code"] == "KMSM109"
    assert f"{SOMEBODY} ({WRITE}, " in problem["what"]
    assert "az aks kms-migrate start" in problem["fix"]
    assert "az monitor activity-log list" in problem["fix"]


def _under_way(az: Az, change: str) -> bool:
    return any(one["status"] == "InProgress" and one["change"] == change for one in az.lab.operations())


def _stopped(process: subprocess.Popen[str]) -> dict[str, Any]:
    stdout, stderr = process.communicate(timeout=200)
    assert process.returncode == 1, stderr
    assert "Traceback" not in stderr, stderr
    document: dict[str, Any] = json.loads(stdout)
    assert document["state"] == "Failed"
    return document


def _wait_until(true: Any, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 180
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.2)
