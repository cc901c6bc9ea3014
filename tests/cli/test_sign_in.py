"""A sign-in that ends in mid-run, with the unmodified az: renewed where it can be, a safe stop where it cannot.

az asks for a token anew when the one at hand has less than five minutes left (MSAL and azure-core both do). So tokens
that hold little longer than that are asked for all the time, and what cannot be renewed shows within seconds.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.az import Az
from tests.cli.test_stopping import LEASE
from tests.e2e.judgement import assert_all_under_kms_v2
from tests.lab.administrator import administrator
from tests.lab.client import LabClient
from tests.labs import UpLab

pytestmark = pytest.mark.az

SECRETS = 16
SHORT = "303"  # seconds: three until az asks for the next one
QUICK = ("start", "--yes", "--settle-seconds", "0")
JOURNAL = "/api/v1/namespaces/kube-system/configmaps/aks-kms-migrate"


@pytest.mark.parametrize("access", ["entra"])
def test_a_secret_renews_it_as_often_as_need_be(up: UpLab, access: str) -> None:
    az = up("embedded", secrets=SECRETS, access=access, extra={"proxy": "on"})
    az.lab.fault("token-seconds", SHORT)
    az.lab.fault("connections", "slow:60")
    _forget_tokens(az)
    before = _tokens(az.lab)
    done = az.migrate("start", "--yes", "--settle-seconds", "2")
    assert done.code == 0, done.stderr
    assert _tokens(az.lab) >= before + 4, "one token was enough"
    assert_all_under_kms_v2(az.lab, SECRETS)


@pytest.mark.parametrize(("operation", "access"), [("disable-kms", "entra"), ("enable-kms", "local")])
def test_a_federated_token_that_is_over_while_azure_works_stops_safely(up: UpLab, access: str, operation: str) -> None:
    az = up("embedded", secrets=SECRETS, access=access)
    az.lab.fault("operation", f"{operation} hang")
    az.lab.fault("token-seconds", SHORT)
    _sign_in_with_a_federated_token(az)
    process = az.begin(*QUICK)
    _wait_until_operating(az.lab, operation, process)
    _let_the_federated_token_end(az)
    result = _stopped(process)
    assert "stored without KMS, since" in result["problem"]["why"]
    _assert_left_well(az.lab, operation)
    again = az.migrate(*QUICK)
    assert again.code == 1, "nobody has signed in yet"
    assert "KMSM206" in again.stderr
    az.lab.fault("release")
    az.lab.fault("token-seconds", "3600")
    _sign_in_with_a_federated_token(az)
    done = az.migrate(*QUICK)
    assert done.code == 0, done.stderr
    assert [one["change"] for one in az.lab.operations()] == ["disable-kms", "upgrade", "enable-kms"]
    assert_all_under_kms_v2(az.lab, SECRETS)


@pytest.mark.parametrize("access", ["local", "entra"])
def test_a_federated_token_that_is_over_while_secrets_are_rewritten_stops_safely(up: UpLab, access: str) -> None:
    """With Entra ID the API server's token is refused its renewal in mid-pass; without, Azure's is after it."""
    az = up("embedded", secrets=SECRETS, access=access, extra={"proxy": "on"})
    az.lab.fault("connections", "slow:300")
    az.lab.fault("token-seconds", SHORT)
    _sign_in_with_a_federated_token(az)
    process = az.begin(*QUICK, "--max-parallel", "2")
    _wait_until(lambda: az.lab.etcd()["plain"] > 3, process)
    _let_the_federated_token_end(az)
    result = _stopped(process)
    assert result["problem"]["code"] == "KMSM206"
    az.lab.fault("connections", "ok")
    _assert_left_well(az.lab, "decrypt-secrets")
    assert az.lab.etcd()["kms-v2"] == 0


def test_a_new_sign_in_beside_the_run_is_taken_up(up: UpLab) -> None:
    """A pipeline that signs in again every few minutes, as long as the command lasts."""
    az = up("embedded", secrets=SECRETS)
    az.lab.fault("operation", "upgrade hang")
    az.lab.fault("token-seconds", SHORT)
    _sign_in_with_a_federated_token(az)
    process = az.begin(*QUICK)
    _wait_until_operating(az.lab, "upgrade", process)
    az.lab.fault("federated-tokens", "end")
    _sign_in_with_a_federated_token(az)
    before = _tokens(az.lab)
    _wait_until(lambda: _tokens(az.lab) > before, process)  # it has asked for one
    az.lab.fault("release")
    stdout, stderr = process.communicate(timeout=200)
    assert process.returncode == 0, stderr
    assert json.loads(stdout)["state"] == "Completed"
    assert_all_under_kms_v2(az.lab, SECRETS)


def _sign_in_with_a_federated_token(az: Az, seconds: int = 3600) -> None:
    words = az.lab.login_words()
    secret = words.index("-p")
    words[secret : secret + 2] = ["--federated-token", az.lab.federated_token(seconds)]
    _forget_tokens(az)
    done = az.type(*words)
    assert done.code == 0, done.stderr


def _let_the_federated_token_end(az: Az) -> None:
    """What the pipeline gave so far holds no longer; az has no other token in store, and soon asks for one."""
    az.lab.fault("federated-tokens", "end")
    _forget_tokens(az)


def _forget_tokens(az: Az) -> None:
    for file in Path(az.environment["AZURE_CONFIG_DIR"]).glob("msal_token_cache.*"):
        file.unlink()


def _tokens(lab: LabClient) -> int:
    return sum(one["path"].endswith("/oauth2/v2.0/token") for one in lab.requests())


def _stopped(process: subprocess.Popen[str]) -> dict[str, Any]:
    stdout, stderr = process.communicate(timeout=200)
    assert process.returncode == 20, stderr
    assert "Traceback" not in stderr, stderr
    assert "KMSM206" in stderr
    assert "AADSTS700024" in stderr
    assert "az login" in stderr
    document: dict[str, Any] = json.loads(stdout)
    assert document["state"] == "Stopped"
    assert document["nextCommand"].startswith("az aks kms-migrate start ")
    return document


def _assert_left_well(lab: LabClient, step: str) -> None:
    with administrator(lab.endpoint()) as api:
        assert not api.get(LEASE)["spec"].get("holderIdentity")
        journal = json.loads(api.get(JOURNAL)["data"]["journal.json"])
    assert journal["lastProblem"].startswith("stopped: KMSM206"), journal
    # Azure is asked again after the proof: it may be there that the sign-in is over, and the step is done.
    assert {one["id"]: one["status"].lower() for one in journal["steps"]}[step] in ("running", "done"), journal


def _wait_until_operating(lab: LabClient, change: str, process: subprocess.Popen[str]) -> None:
    _wait_until(
        lambda: any(one["status"] == "InProgress" and one["change"] == change for one in lab.operations()), process
    )


def _wait_until(true: Any, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 180
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.2)
