"""``check`` as a process: exit code, one JSON document, what is said on stderr; and ``start`` under the same checks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.az import Az, Typed
from tests.lab.client import LabClient
from tests.lab.model import LabOptions
from tests.labs import UpLab

pytestmark = pytest.mark.az
SECRETS = 20


@pytest.fixture(scope="module")
def az(extensions: Path) -> Iterator[Az]:
    """One cluster for all: nothing here may change it."""
    with LabClient.up(LabOptions(f"checking-{os.getpid()}", secrets=SECRETS), tethered=True) as lab:
        yield Az(lab, extensions)


@pytest.fixture
def cluster(az: Az) -> Iterator[Az]:
    """The cluster, put back afterwards to what Azure showed before; nothing was sent to it meanwhile."""
    before, puts, raw = az.lab.cluster(), len(az.lab.puts()), az.lab.etcd_raw()
    yield az
    assert (len(az.lab.puts()), az.lab.etcd_raw()) == (puts, raw)
    az.lab.fault("cluster", json.dumps(before))


def outcomes(done: Typed) -> dict[str, str]:
    return {check["id"]: check["outcome"] for check in done.document["checks"]}


def findings(done: Typed, check: str) -> list[dict[str, Any]]:
    return next(c["findings"] for c in done.document["checks"] if c["id"] == check)


def fail_a_pool(az: Az) -> str:
    pools = az.lab.cluster()["properties"]["agentPoolProfiles"]
    pools[1]["provisioningState"] = "Failed"
    az.lab.fault("cluster", json.dumps({"properties": {"agentPoolProfiles": pools}}))
    return str(pools[1]["name"])


def test_a_cluster_that_is_ready(cluster: Az) -> None:
    done = cluster.migrate("check")
    assert done.code == 0, done.stdout + done.stderr
    report = done.document
    assert report["ready"] is True
    assert report["failed"] == 0
    assert report["schemaVersion"] == 1
    assert report["nextCommand"] == f"az aks kms-migrate start -g lab -n {cluster.lab.name}"
    found = outcomes(done)
    own = {f"AZ-0{n}" for n in range(1, 6)} | {"K-01", "K-02", "K-03", "K-04", "K-09", "K-10"}
    own |= {"C-01", "C-02", "C-03", "C-05", "C-06"}
    assert {check: found[check] for check in own} == dict.fromkeys(own, "passed")
    assert found["K-12"] == "warned"
    assert [c["id"] for c in report["checks"] if "nothing here looks at it" in c["note"]] == []
    counted = [list(found.values()).count(word) for word in ("passed", "warned", "failed", "unknown", "skipped")]
    assert counted == [report[word] for word in ("passed", "warned", "failed", "unknown", "skipped")]


def test_a_warning_counts_where_that_is_asked_for(cluster: Az) -> None:
    assert cluster.migrate("check", "--warnings-as-errors").code == 11
    others = [i for i, word in outcomes(cluster.migrate("check")).items() if word in ("warned", "unknown")]
    done = cluster.migrate("check", "--warnings-as-errors", "--skip-check", *(i.lower() for i in others))
    assert done.code == 0, done.stdout
    assert done.document["skipped"] == len(others)


def test_a_node_pool_that_failed_stops_everything_that_would_strand_the_cluster(cluster: Az) -> None:
    pool = fail_a_pool(cluster)
    done = cluster.migrate("check")
    assert done.code == 11
    assert outcomes(done)["AZ-04"] == "failed"
    assert next(iter(outcomes(done))) == "AZ-04"  # findings first
    (finding,) = findings(done, "AZ-04")
    assert finding["object"] == f"node pool '{pool}'"
    assert f"az aks nodepool upgrade -g lab --cluster-name {cluster.lab.name} -n {pool}" in finding["fix"]
    assert finding["what"] in done.stderr

    for command in ("start", "disable-kms"):
        refused = cluster.migrate(command, "--yes")
        assert refused.code == 11
        assert refused.document["state"] == "Failed"
        assert refused.document["problem"]["code"] == "KMSM115"
        assert refused.document["steps"] == []
        assert "AZ-04" in [check["id"] for check in refused.document["checks"] if check["outcome"] == "failed"]
        assert "KMSM115" in refused.stderr
        assert finding["fix"] in refused.stderr

    planned = cluster.migrate("plan")
    assert planned.code == 0
    assert planned.document["blocked"]["code"] == "KMSM115"
    assert planned.document["checks"]["failed"] == 1
    allowed = cluster.migrate("plan", "--skip-check", "AZ-04").document
    assert allowed["blocked"] is None
    assert allowed["checks"]["skipped"] == ["AZ-04"]


STATES: list[tuple[str, dict[str, Any], str, str]] = [
    ("being deleted", {"properties": {"provisioningState": "Deleting"}}, "AZ-01", "az aks list"),
    ("stopped", {"properties": {"powerState": {"code": "Stopped"}}}, "AZ-02", "az aks start -g lab"),
    ("failed", {"properties": {"provisioningState": "Failed"}}, "AZ-03", "az aks update -g lab"),
    ("busy", {"properties": {"provisioningState": "Upgrading"}}, "AZ-05", "az aks wait -g lab"),
    ("system-assigned", {"identity": {"type": "SystemAssigned"}}, "K-04", "--assign-identity"),
    (
        "off, and no key is named",
        {"properties": {"securityProfile": {"azureKeyVaultKms": {"enabled": False, "keyId": None}}}},
        "K-01",
        "--key-id",
    ),
]


@pytest.mark.parametrize(("state", "patch", "check", "fix"), STATES, ids=[s[0] for s in STATES])
def test_a_state_of_the_cluster_that_stops_a_migration(
    cluster: Az, state: str, patch: dict[str, Any], check: str, fix: str
) -> None:
    cluster.lab.fault("cluster", json.dumps(patch))
    done = cluster.migrate("check")
    assert done.code == 11, done.stderr
    assert outcomes(done)[check] == "failed"
    assert any(fix in finding["fix"] for finding in findings(done, check))
    assert done.document["nextCommand"].startswith("az aks kms-migrate check ")


def test_nothing_to_migrate_is_well_and_said(cluster: Az) -> None:
    new = {
        "securityProfile": {
            "kubernetesResourceObjectEncryptionProfile": {"infrastructureEncryption": "Enabled"},
            "azureKeyVaultKms": {"enabled": False},
        },
        "kubernetesVersion": "1.34.4",
        "currentKubernetesVersion": "1.34.4",
    }
    cluster.lab.fault("cluster", json.dumps({"properties": new}))
    done = cluster.migrate("check")
    assert done.code == 0, done.stdout
    assert "cannot be turned off" in findings(done, "K-03")[0]["what"]
    cluster.lab.fault(
        "cluster",
        json.dumps({"properties": {"securityProfile": {"kubernetesResourceObjectEncryptionProfile": None}}}),
    )


def test_an_id_that_is_none(cluster: Az) -> None:
    done = cluster.migrate("check", "--skip-check", "K-13")
    assert (done.code, done.stdout) == (1, "")
    assert "KMSM509" in done.stderr
    assert "K-12" in done.stderr


def test_a_table_fits_a_hundred_columns_with_the_findings_first(cluster: Az) -> None:
    fail_a_pool(cluster)
    done = cluster.migrate("check", "-o", "table")
    assert done.code == 11
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].split() == ["Id", "Severity", "Outcome", "What"]
    assert lines[2].split()[:3] == ["AZ-04", "block", "failed"]


def test_only_show_errors_leaves_stderr_empty(cluster: Az) -> None:
    done = cluster.migrate("check", "--only-show-errors")
    assert (done.code, done.stderr) == (0, "")


def test_an_api_server_that_does_not_answer_is_a_finding_and_not_a_long_wait(up: UpLab) -> None:
    away = up("embedded", secrets=5)
    for replica in ("0", "1"):
        away.lab.fault("replica", f"stop {replica}")
    done = away.migrate("check")
    assert done.code == 11, done.stderr
    found = outcomes(done)
    assert found["C-01"] == "failed"
    assert {found[check] for check in ("C-02", "C-03", "C-05", "K-09", "K-10")} == {"unknown"}
    assert "K-10 unknown" in done.stderr
