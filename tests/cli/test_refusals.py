"""What the command says when it may not begin: what, why, what to type; and that nothing was changed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.az import Az
from tests.lab.client import LabClient
from tests.lab.model import LabOptions

pytestmark = pytest.mark.az


@pytest.fixture(scope="module")
def az(extensions: Path) -> Iterator[Az]:
    """One cluster for all refusals: a refusal changes nothing, so they cannot disturb each other."""
    with LabClient.up(LabOptions(f"refusals-{os.getpid()}", secrets=20), tethered=True) as lab:
        yield Az(lab, extensions)


@pytest.fixture
def cluster(az: Az) -> Iterator[Az]:
    """The cluster, put back afterwards to what Azure showed before."""
    before = az.lab.cluster()
    yield az
    # A merge patch removes only what it names as null.
    before["properties"]["securityProfile"].setdefault("kubernetesResourceObjectEncryptionProfile", None)
    az.lab.fault("cluster", json.dumps(before))
    assert az.lab.etcd() == {"kms-v1": 20, "kms-v2": 0, "plain": 0}


STATES: list[tuple[str, dict[str, Any], str, tuple[str, ...]]] = [
    ("stopped", {"properties": {"powerState": {"code": "Stopped"}}}, "KMSM103", ("az aks start -g lab",)),
    ("busy", {"properties": {"provisioningState": "Upgrading"}}, "KMSM104", ("'Upgrading'", "az aks wait")),
    ("failed", {"properties": {"provisioningState": "Failed"}}, "KMSM105", ("az aks update -g lab",)),
    ("being deleted", {"properties": {"provisioningState": "Deleting"}}, "KMSM114", ("az aks list",)),
]


@pytest.mark.parametrize(("state", "patch", "code", "said"), STATES, ids=[s[0] for s in STATES])
def test_a_state_that_does_not_allow_it(
    cluster: Az, state: str, patch: dict[str, Any], code: str, said: tuple[str, ...]
) -> None:
    puts = len(cluster.lab.puts())
    cluster.lab.fault("cluster", json.dumps(patch))
    refused = cluster.start()
    assert (refused.code, refused.stdout) == (1, "")
    assert code in refused.stderr
    assert all(words in refused.stderr for words in said), refused.stderr
    assert len(cluster.lab.puts()) == puts

    planned = cluster.migrate("plan")
    assert planned.code == 0
    assert planned.document["blocked"]["code"] == code


def test_the_newer_kms_has_nothing_to_migrate(cluster: Az) -> None:
    profile = {"kubernetesResourceObjectEncryptionProfile": {"infrastructureEncryption": "Enabled"}}
    cluster.lab.fault(
        "cluster",
        json.dumps(
            {
                "properties": {
                    "securityProfile": {**profile, "azureKeyVaultKms": {"enabled": False}},
                    "kubernetesVersion": "1.34.4",
                    "currentKubernetesVersion": "1.34.4",
                }
            }
        ),
    )
    done = cluster.start()
    assert done.code == 0, done.stderr
    assert done.document["state"] == "NothingToDo"
    assert "cannot be turned off" in done.document["summary"]


def test_a_cluster_that_is_not_there(az: Az) -> None:
    for words in ("start --yes", "plan", "show", "verify"):
        done = az.type("aks", "kms-migrate", *words.split(), "-g", "lab", "-n", "no-such-cluster")
        assert (done.code, done.stdout) == (3, "")
        assert "KMSM101" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["start", "disable-kms", "rewrite-secrets"])
def test_no_terminal_and_no_yes(cluster: Az, command: str) -> None:
    done = cluster.migrate(command)
    assert (done.code, done.stdout) == (1, "")
    assert "KMSM501" in done.stderr
    assert "--yes" in done.stderr
    assert cluster.lab.puts() == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--key-id", "https://vault.vault.azure.net/keys/kms"), "KMSM503"),
        (("--key-id", "http://vault.vault.azure.net/keys/kms/1"), "KMSM503"),
        (("--key-vault", "my-vault"), "KMSM504"),
        (("--key-vault-access", "Private", "--key-id", "https://v.vault.azure.net/keys/kms/1"), "KMSM505"),
        (
            (
                "--key-vault-access",
                "Public",
                "--key-vault",
                "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v",
            ),
            "KMSM506",
        ),
        (("--kubernetes-version", "latest"), "KMSM507"),
        (("--kubernetes-version", "1.26"), "KMSM108"),
        (("--kubernetes-version", "1.99.0"), "KMSM107"),
    ],
)
def test_an_option_that_cannot_be(az: Az, words: tuple[str, ...], code: str) -> None:
    done = az.migrate("start", "--yes", *words)
    assert (done.code, done.stdout) == (1, "")
    assert code in done.stderr
    assert az.lab.puts() == []


def test_an_unknown_step_is_a_bad_command_line(az: Az) -> None:
    assert az.migrate("start", "--stop-after", "lunch").code == 2


def test_only_show_errors_leaves_stderr_empty(az: Az) -> None:
    done = az.migrate("plan", "--only-show-errors")
    assert done.code == 0
    assert done.stderr == ""
    assert done.document["pending"] is True
