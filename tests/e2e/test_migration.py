"""The whole migration with the unmodified az; etcd is the judge."""

from __future__ import annotations

import itertools

import pytest

from tests.e2e.judgement import assert_all_under_kms_v2, assert_completed, assert_unchanged, forms
from tests.lab.administrator import administrator
from tests.lab.seeding import MARKER_SIGHTINGS
from tests.labs import BOTH, UpLab

pytestmark = pytest.mark.az


@pytest.mark.parametrize(
    ("apiserver", "version", "secrets"),
    [
        ("embedded", "1.27.1", 200),
        ("embedded", "1.34.4", 200),
        pytest.param("real", "1.27.1", 1000, marks=pytest.mark.real),
        pytest.param("real", "1.34.4", 1000, marks=pytest.mark.real),
    ],
)
def test_every_secret_ends_under_kms_v2_and_a_second_start_does_nothing(
    up: UpLab, apiserver: str, version: str, secrets: int
) -> None:
    az = up(apiserver, secrets=secrets)
    before = az.lab.fingerprints()
    assert az.lab.etcd()["kms-v1"] == secrets

    result = assert_completed(az.start("--kubernetes-version", version))

    assert_all_under_kms_v2(az.lab, secrets)
    assert_unchanged(before, az.lab.fingerprints())
    assert result["cluster"]["kubernetesVersion"] == version
    assert [s["id"] for s in result["steps"]] == [
        "disable-kms",
        "decrypt-secrets",
        "upgrade",
        "enable-kms",
        "encrypt-secrets",
    ]
    assert result["evidence"]["grade"] == "direct"
    assert result["evidence"]["apiServers"] == 2

    puts, raw = len(az.lab.puts()), az.lab.etcd_raw()
    again = az.start()
    assert again.code == 0
    assert again.document["state"] == "NothingToDo"
    assert len(az.lab.puts()) == puts
    assert az.lab.etcd_raw() == raw

    proven = az.migrate("verify", "--settle-seconds", "1")
    assert proven.code == 0, proven.stderr
    assert proven.document["verified"] is True
    assert len(az.lab.puts()) == puts
    assert az.lab.etcd_raw() == raw


@pytest.mark.parametrize("apiserver", BOTH)
def test_a_cluster_with_entra_id_and_no_local_accounts(up: UpLab, apiserver: str) -> None:
    az = up(apiserver, secrets=60, access="entra")
    before = az.lab.fingerprints()
    assert_completed(az.start())
    assert_all_under_kms_v2(az.lab, 60)
    assert_unchanged(before, az.lab.fingerprints())


@pytest.mark.parametrize("apiserver", BOTH)
def test_no_value_of_a_secret_leaves_the_api_server(up: UpLab, apiserver: str) -> None:
    az = up(apiserver, secrets=60)
    said = []
    for words in (("start", "--yes", "--settle-seconds", "1", "--debug"), ("verify", "--debug"), ("show", "--debug")):
        done = az.migrate(*words)
        assert done.code == 0, done.stderr[-2000:]
        said += [done.stdout, done.stderr]
    with administrator(az.lab.endpoint()) as api:
        said.append(str(api.get("/api/v1/namespaces/kube-system/configmaps/aks-kms-migrate")))
    for text, sighting in itertools.product(said, MARKER_SIGHTINGS):
        assert sighting not in text
    assert not az.lab.mentions(*MARKER_SIGHTINGS)
    assert not any("BEGIN" in text and "PRIVATE KEY" in text for text in said)


@pytest.mark.parametrize("apiserver", BOTH)
def test_each_documented_step_by_itself(up: UpLab, apiserver: str) -> None:
    secrets = 60
    az = up(apiserver, secrets=secrets)
    settle = ("--yes", "--settle-seconds", "2")

    early = az.migrate("upgrade", *settle)
    assert early.code == 1
    assert "KMSM112" in early.stderr
    assert "disable-kms" in early.stderr
    assert az.lab.puts() == []

    done = az.migrate("disable-kms", "--yes")
    assert done.code == 0, done.stderr
    assert forms(az.lab) == {"kms-v1": secrets}  # turning KMS off rewrites nothing
    done = az.migrate("rewrite-secrets", *settle)
    assert done.code == 0, done.stderr
    assert forms(az.lab) == {"plain": secrets}
    done = az.migrate("upgrade", *settle)
    assert done.code == 0, done.stderr
    done = az.migrate("enable-kms", *settle)
    assert done.code == 0, done.stderr
    shown = az.migrate("show").document
    assert shown["remaining"] == ["encrypt-secrets"]
    assert_completed(az.start())
    assert_all_under_kms_v2(az.lab, secrets)


@pytest.mark.parametrize("apiserver", BOTH)
def test_kms_that_was_never_on_needs_a_key_and_then_ends_the_same(up: UpLab, apiserver: str) -> None:
    az = up(apiserver, secrets=60, kms=False)
    refused = az.start()
    assert refused.code == 1
    assert "KMSM102" in refused.stderr
    assert "--key-id" in refused.stderr
    assert az.lab.puts() == []
    key = az.lab.key_id()
    assert_completed(az.start("--key-id", key, "--key-vault-access", "Public"))
    assert_all_under_kms_v2(az.lab, 60)


@pytest.mark.parametrize("apiserver", BOTH)
def test_a_private_vault(up: UpLab, apiserver: str) -> None:
    az = up(apiserver, secrets=60, key_vault="private")
    assert_completed(az.start())
    assert_all_under_kms_v2(az.lab, 60)
    last = az.lab.cluster()["properties"]["securityProfile"]["azureKeyVaultKms"]
    assert last["keyVaultNetworkAccess"] == "Private"
    assert last["keyVaultResourceId"]


def test_a_supported_cluster_upgrades_its_node_pools_after_the_secrets_are_safe(up: UpLab) -> None:
    az = up("embedded", secrets=40, supported=True, offers=("1.27.1",))
    result = assert_completed(az.start())
    assert [s["id"] for s in result["steps"]] == [
        "disable-kms",
        "decrypt-secrets",
        "upgrade",
        "enable-kms",
        "encrypt-secrets",
        "upgrade-node-pools",
    ]
    assert_all_under_kms_v2(az.lab, 40)


def test_several_hops_where_the_profile_offers_no_single_one(up: UpLab) -> None:
    az = up("embedded", secrets=40, kubernetes="1.25.11", offers=("1.25.11>1.26.15", "1.26.15>1.27.1"))
    result = assert_completed(az.start())
    assert result["cluster"]["kubernetesVersion"] == "1.27.1"
    assert_all_under_kms_v2(az.lab, 40)


@pytest.mark.parametrize("step", ["disable-kms", "decrypt-secrets", "upgrade", "enable-kms", "encrypt-secrets"])
def test_stopping_after_any_step_and_typing_start_again(up: UpLab, step: str) -> None:
    az = up("embedded", secrets=40)
    stopped = az.start("--stop-after", step)
    assert stopped.code == 0, stopped.stderr
    assert stopped.document["state"] == ("Stopped" if step != "encrypt-secrets" else "Completed")
    again = az.start()
    assert again.code == 0, again.stderr
    assert_all_under_kms_v2(az.lab, 40)
