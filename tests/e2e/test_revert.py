"""``revert`` with the unmodified az; etcd is the judge."""

from __future__ import annotations

import pytest

from tests.e2e.judgement import assert_all_under_kms_v2, assert_completed, assert_unchanged, forms
from tests.labs import BOTH, UpLab

pytestmark = pytest.mark.az


@pytest.mark.parametrize("apiserver", BOTH)
@pytest.mark.parametrize("step", ["disable-kms", "decrypt-secrets"])
def test_every_secret_is_under_kms_v1_and_the_original_key_again(up: UpLab, apiserver: str, step: str) -> None:
    secrets = 60
    az = up(apiserver, secrets=secrets)
    before, key = az.lab.fingerprints(), az.lab.key_id()
    stopped = az.start("--stop-after", step)
    assert stopped.code == 0, stopped.stderr

    back = ("revert", "--yes", "--settle-seconds", "3")
    result = assert_completed(az.migrate(*back))

    assert az.lab.etcd() == {"kms-v1": secrets, "kms-v2": 0, "plain": 0}
    kms = az.lab.cluster()["properties"]["securityProfile"]["azureKeyVaultKms"]
    assert (kms["enabled"], kms["keyId"]) == (True, key)
    assert result["evidence"]["storedAs"] == "kms-v1"
    assert result["cluster"]["kms"] == "KmsV1"
    assert_unchanged(before, az.lab.fingerprints())

    puts, raw = len(az.lab.puts()), az.lab.etcd_raw()
    again = az.migrate(*back)
    assert (again.code, again.document["state"]) == (0, "NothingToDo")
    assert (len(az.lab.puts()), az.lab.etcd_raw()) == (puts, raw)

    assert_completed(az.start())
    assert_all_under_kms_v2(az.lab, secrets)


def test_after_the_upgrade_it_says_that_there_is_no_way_back(up: UpLab) -> None:
    az = up("embedded", secrets=20)
    assert az.start("--stop-after", "upgrade").code == 0
    puts = len(az.lab.puts())
    refused = az.migrate("revert", "--yes")
    assert refused.code == 1
    assert "KMSM131" in refused.stderr
    assert "az aks kms-migrate start" in refused.stderr
    assert (len(az.lab.puts()), forms(az.lab)) == (puts, {"plain": 20})
