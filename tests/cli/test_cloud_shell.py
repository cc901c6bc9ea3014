"""``start`` in Azure Cloud Shell: signed in by its token broker, and told what closing the session does."""

from __future__ import annotations

from pathlib import Path

import pytest

from azext_kmsmigrate.report.cloud_shell import NOTICE, in_cloud_shell
from tests.az import Az, Typed
from tests.e2e.judgement import assert_all_under_kms_v2
from tests.lab.azure.identity import AKS_SERVER_APP, ARM_AUDIENCES, VAULT_AUDIENCE
from tests.labs import UpLab

SAID = " ".join(NOTICE.split()[:6])


@pytest.mark.az
def test_a_whole_migration_with_the_sign_in_of_cloud_shell(up: UpLab, tmp_path: Path) -> None:
    az = up("embedded", secrets=10, access="entra")
    az.environment = {
        **{name: value for name, value in az.environment.items() if not name.startswith("AZURE_CONFIG")},
        **az.lab.open_cloud_shell(tmp_path / "azure"),
        "AZURE_EXTENSION_DIR": az.environment["AZURE_EXTENSION_DIR"],
    }
    signed_in = az.type("login", "--identity")
    assert signed_in.code == 0, signed_in.stderr
    assert '"cloudShellID": true' in signed_in.stdout

    begun = _start(az, "--stop-after", "decrypt-secrets")
    assert begun.code == 0, begun.stderr
    assert_told_once_and_first(begun.stderr)
    assert az.lab.etcd()["kms-v1"] == 0
    # The session was closed, and its machine is gone with all that was on it; a new one signs in by itself.
    az.environment |= az.lab.open_cloud_shell(tmp_path / "a new one")
    assert az.type("login", "--identity").code == 0
    done = _start(az)
    assert done.code == 0, done.stderr
    assert_told_once_and_first(done.stderr)
    assert done.document["state"] == "Completed"
    assert_all_under_kms_v2(az.lab, 10)

    asked = az.lab.cloud_shell_asked()
    assert set(asked["audiences"]) <= {*ARM_AUDIENCES, AKS_SERVER_APP, VAULT_AUDIENCE}
    assert AKS_SERVER_APP in asked["audiences"]
    assert asked["refusedHosts"] == []

    assert _start(az, "--only-show-errors").stderr == ""
    assert SAID not in az.migrate("show").stderr


@pytest.mark.parametrize(
    ("environment", "there"),
    [
        ({"ACC_CLOUD": "PROD"}, True),
        ({"AZUREPS_HOST_ENVIRONMENT": "cloud-shell/1.0"}, True),
        ({"POWERSHELL_DISTRIBUTION_CHANNEL": "CloudShell"}, True),
        ({"POWERSHELL_DISTRIBUTION_CHANNEL": "PSDocker", "AZUREPS_HOST_ENVIRONMENT": "vscode"}, False),
        ({"ACC_CLOUD": ""}, False),
        ({}, False),
    ],
)
def test_how_cloud_shell_is_told_from_other_places(environment: dict[str, str], there: bool) -> None:
    assert in_cloud_shell(environment) is there


def _start(az: Az, *words: str) -> Typed:
    return az.migrate("start", "--yes", "--settle-seconds", "1", *words)


def assert_told_once_and_first(stderr: str) -> None:
    shown = " ".join(stderr.split())
    assert shown.count(SAID) == 1
    assert "Type the same command in a new session" in shown
    before = [line for line in stderr[: stderr.index(SAID)].splitlines() if not line.startswith("WARNING")]
    assert all(line.startswith("[") for line in before), before
    assert len(before) == 1
