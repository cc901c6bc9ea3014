"""``verify`` and ``rewrite-secrets`` as a process: scope, report files, and verdicts that do not hold."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.az import Az
from tests.e2e.judgement import forms
from tests.lab.client import LabClient
from tests.lab.model import LabOptions

pytestmark = pytest.mark.az
SECRETS = 40


@pytest.fixture
def az(extensions: Path) -> Iterator[Az]:
    with LabClient.up(LabOptions(f"verifying-{os.getpid()}", secrets=SECRETS), tethered=True) as lab:
        yield Az(lab, extensions)


def test_a_cluster_that_was_never_migrated_is_proven_as_it_is(az: Az) -> None:
    raw = az.lab.etcd_raw()
    proven = az.migrate("verify", "--settle-seconds", "0")
    assert proven.code == 0, proven.stderr
    assert proven.document["storedAs"] == "kms-v1"
    assert proven.document["verified"] is True
    (only,) = proven.document["evidence"]["passes"]
    assert only["secrets"]["total"] == only["secrets"]["current"] == SECRETS
    assert only["reads"].keys() == {"kms-v1"}
    assert az.lab.etcd_raw() == raw
    assert az.lab.puts() == []


def test_a_scope_is_looked_at_alone_and_said_to_be(az: Az) -> None:
    inside = [name for name in az.lab.fingerprints() if name.split("/")[0] in ("payments", "orders")]
    proven = az.migrate("verify", "--settle-seconds", "0", "--namespace", "payments", "orders")
    assert proven.code == 0, proven.stderr
    assert proven.document["evidence"]["namespaces"] == ["payments", "orders"]
    assert proven.document["evidence"]["passes"][0]["secrets"]["total"] == len(inside)

    az.lab.fault("replica-config", "0 identity-first")
    az.lab.fault("replica-config", "1 identity-first")
    done = az.migrate("rewrite-secrets", "--yes", "--settle-seconds", "0", "--namespace", "payments")
    # Azure says that KMS is on, and the API servers write without it: nothing may be called proven, nothing rewritten.
    assert done.code == 1
    assert "KMSM305" in done.stderr
    assert forms(az.lab) == {"kms-v1": SECRETS}


def test_a_verdict_that_does_not_hold_names_the_secret_and_keeps_the_whole_report(az: Az, tmp_path: Path) -> None:
    az.lab.fault("replica-config", "0 identity-first")
    az.lab.fault("replica-config", "1 identity-first")
    report = tmp_path / "proof.json"
    found = az.migrate("verify", "--settle-seconds", "0", "--report-file", str(report))
    assert found.code == 11
    document = found.document
    assert document["verified"] is False
    assert "an API server still writes plain" in document["evidence"]["missing"][0]
    assert document["nextCommand"].startswith("az aks kms-migrate ")
    assert json.loads(report.read_text()) == document
    assert forms(az.lab) == {"kms-v1": SECRETS}  # looking has made no Secret worse


def test_a_report_that_cannot_be_written_is_a_clear_error(az: Az, tmp_path: Path) -> None:
    found = az.migrate("verify", "--settle-seconds", "0", "--report-file", str(tmp_path / "no" / "such.json"))
    assert (found.code, found.stdout) == (1, "")
    assert "KMSM508" in found.stderr
