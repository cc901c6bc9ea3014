"""``plan`` as a process: what it shows, its exit code, its file; and ``start`` from that file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.az import Az
from tests.e2e.judgement import forms
from tests.lab.client import LabClient
from tests.lab.model import LabOptions
from tests.labs import UpLab

pytestmark = pytest.mark.az
SECRETS = 30


@pytest.fixture(scope="module")
def az(extensions: Path) -> Iterator[Az]:
    """One cluster for all that change nothing."""
    options = LabOptions(f"planning-{os.getpid()}", secrets=SECRETS, offers=("1.27.1", "1.34.4"))
    with LabClient.up(options, tethered=True) as lab:
        yield Az(lab, extensions)
        assert lab.puts() == []
        assert lab.etcd() == {"kms-v1": SECRETS, "kms-v2": 0, "plain": 0}


@pytest.fixture
def cluster(az: Az) -> Iterator[Az]:
    """The same, put back afterwards to what Azure showed and offered before."""
    before = az.lab.cluster()
    yield az
    az.lab.fault("cluster", json.dumps(before))
    az.lab.fault("offers", "1.27.1,1.34.4")


def test_a_plan_tells_how_long_what_cannot_be_undone_and_what_to_type(az: Az) -> None:
    done = az.migrate("plan")
    assert done.code == 0, done.stderr
    plan = done.document
    assert [step["id"] for step in plan["steps"]] == [
        "disable-kms",
        "decrypt-secrets",
        "upgrade",
        "enable-kms",
        "encrypt-secrets",
    ]
    for span in (plan["estimate"], plan["exposure"], *(step["estimate"] for step in plan["steps"])):
        assert 0 < span["lowSeconds"] < span["highSeconds"]
    assert plan["estimate"]["basis"][0].startswith(f"{SECRETS} Secrets and a round trip of ")
    assert "3 nodes (system: 2 nodes, max surge 10%, user: 1 nodes, max surge 10%)" in plan["estimate"]["basis"]
    (hop,) = plan["hops"]
    assert (hop["kubernetesVersion"], hop["scope"], hop["firm"], hop["offered"]) == ("1.27.1", "Cluster", True, True)
    assert "AKS no longer supports 1.26" in hop["reason"]
    assert [step["id"] for step in plan["steps"] if not step["reversible"]] == ["upgrade"]
    assert any("Cannot be undone: upgrade." in text for text in plan["warnings"])
    assert any(f"Keep the key {az.lab.key_id()}" in one["what"] for one in plan["manual"])
    assert plan["nextCommand"] == f"az aks kms-migrate start -g lab -n {az.lab.name}"
    assert f"Next: {plan['nextCommand']}" in done.stderr


def test_the_table_fits_a_hundred_columns_and_has_time_and_exposure(az: Az) -> None:
    done = az.migrate("plan", "-o", "table")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].split() == ["Step", "Status", "Time", "Undo", "Detail"]
    assert any("Exposure" in line and (" h " in line or " min " in line) for line in lines)
    assert any(line.startswith("upgrade") and " no " in line for line in lines)


def test_steps_that_are_left_can_be_told_by_the_exit_code(cluster: Az) -> None:
    assert cluster.migrate("plan", "--detailed-exit-code").code == 10
    cluster.lab.fault("cluster", json.dumps({"properties": {"currentKubernetesVersion": "1.27.1"}}))
    done = cluster.migrate("plan", "--detailed-exit-code")
    assert (done.code, done.document["pending"]) == (0, False)
    missing = cluster.type("aks", "kms-migrate", "plan", "--detailed-exit-code", "-g", "lab", "-n", "none")
    assert missing.code == 3


def test_a_target_below_1_27_is_refused(az: Az) -> None:
    done = az.migrate("plan", "-k", "1.26.20")
    assert done.document["blocked"]["code"] == "KMSM108"
    assert done.document["nextCommand"] is None
    refused = az.migrate("start", "--yes", "-k", "1.26")
    assert refused.code == 1
    assert "KMSM108" in refused.stderr


def test_all_upgrades_are_listed_and_the_first_is_firm(cluster: Az) -> None:
    cluster.lab.fault("offers", "1.26.15>1.27.1,1.27.1>1.28.5,1.28.5>1.29.2")
    hops = cluster.migrate("plan", "-k", "1.29").document["hops"]
    assert [(h["kubernetesVersion"], h["scope"], h["firm"]) for h in hops] == [
        ("1.27.1", "Cluster", True),
        ("1.28.5", "ControlPlane", False),
        ("1.29.2", "ControlPlane", False),
    ]


def test_long_term_support_as_the_only_way_is_told_and_never_chosen_unasked(cluster: Az) -> None:
    cluster.lab.fault("offers", "1.27.1?lts")
    plan = cluster.migrate("plan").document
    assert plan["blocked"]["code"] == "KMSM121"
    assert plan["blocked"]["fix"].endswith("--tier premium --k8s-support-plan AKSLongTermSupport")
    assert plan["hops"] == []

    words = ("--tier", "premium", "--k8s-support-plan", "AKSLongTermSupport")
    asked = cluster.migrate("plan", *words).document
    assert asked["blocked"] is None
    (hop,) = asked["hops"]
    assert (hop["kubernetesVersion"], hop["supportPlan"], hop["offered"]) == ("1.27.1", "AKSLongTermSupport", False)
    assert any("cost money" in text for text in asked["warnings"])
    assert asked["nextCommand"].endswith(" ".join(words))
    assert "KMSM122" in cluster.migrate("start", "--yes", *words[2:]).stderr
    assert "KMSM524" in cluster.migrate("start", "--yes", *words[:2]).stderr


def test_a_version_of_long_term_support_is_passed_over_by_a_cluster_under_community_support(cluster: Az) -> None:
    cluster.lab.fault("offers", "1.27.1?lts,1.34.4")
    assert [h["kubernetesVersion"] for h in cluster.migrate("plan").document["hops"]] == ["1.34.4"]


# the file


def test_a_plan_whose_facts_have_changed_is_not_run(cluster: Az, tmp_path: Path) -> None:
    path = str(tmp_path / "plan.json")
    planned = cluster.migrate("plan", "--out", path)
    assert planned.code == 0, planned.stderr
    assert planned.document["nextCommand"].endswith(f"--plan {path}")
    written = json.loads(Path(path).read_text())
    assert written["kind"] == "aks-kms-migrate/plan"
    assert written["plan"] == planned.document

    cluster.lab.fault("offers", "1.34.4")
    refused = cluster.migrate("start", "--yes", "--plan", path)
    assert (refused.code, refused.stdout) == (1, "")
    assert "KMSM123" in refused.stderr
    assert "offered (was 1.27.1, 1.34.4, is 1.34.4)" in refused.stderr
    assert "kubernetesVersion" not in refused.stderr


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (None, "KMSM521", "No such file"),
        ("{", "KMSM522", "not JSON"),
        ('{"cluster": "x"}', "KMSM522", "not written by 'az aks kms-migrate plan --out'"),
        ('{"kind": "aks-kms-migrate/plan", "schemaVersion": 2}', "KMSM522", "its schemaVersion is 2"),
    ],
)
def test_a_file_that_is_no_plan(az: Az, tmp_path: Path, content: str | None, code: str, said: str) -> None:
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_text(content)
    refused = az.migrate("start", "--yes", "--plan", str(path))
    assert (refused.code, refused.stdout) == (1, "")
    assert code in refused.stderr
    assert said in refused.stderr


def test_a_plan_and_a_goal_cannot_be_given_together(az: Az) -> None:
    refused = az.migrate("start", "--yes", "--plan", "plan.json", "--kubernetes-version", "1.34.4")
    assert refused.code == 1
    assert "KMSM523" in refused.stderr


def test_a_file_that_cannot_be_written(az: Az, tmp_path: Path) -> None:
    refused = az.migrate("plan", "--out", str(tmp_path / "no" / "plan.json"))
    assert (refused.code, refused.stdout) == (1, "")
    assert "KMSM521" in refused.stderr


def _upgrades(az: Az) -> list[tuple[str, str, str]]:
    """Version, support plan and tier of each PUT of the cluster that was accepted, once for each version."""
    found: list[tuple[str, str, str]] = []
    for put in az.lab.puts():
        body: dict[str, Any] = put["body"] if isinstance(put["body"], dict) else json.loads(put["body"])
        if put["status"] < 300 and "kubernetesVersion" in body["properties"]:
            properties = body["properties"]
            one = (properties["kubernetesVersion"], properties["supportPlan"], body["sku"]["tier"])
            if one not in found:
                found.append(one)
    return found


def test_a_plan_from_a_file_is_run_and_continued_by_the_same_command(up: UpLab, tmp_path: Path) -> None:
    az = up("embedded", secrets=SECRETS, offers=("1.27.1", "1.34.4"))
    path = str(tmp_path / "plan.json")
    assert az.migrate("plan", "-k", "1.34.4", "--out", path).code == 0
    stopped = az.start("--plan", path, "--stop-after", "decrypt-secrets")
    assert (stopped.code, stopped.document["state"]) == (0, "Stopped"), stopped.stderr
    done = az.start("--plan", path)
    assert (done.code, done.document["state"]) == (0, "Completed"), done.stderr
    assert done.document["cluster"]["kubernetesVersion"] == "1.34.4"
    assert forms(az.lab) == {"kms-v2": SECRETS}
    again = az.start("--plan", path)
    assert (again.code, again.document["state"]) == (0, "NothingToDo"), again.stderr
    assert "Next: az aks kms-migrate verify" in again.stderr


def test_long_term_support_goes_with_the_version_in_one_request(up: UpLab) -> None:
    az = up("embedded", secrets=SECRETS, offers=("1.27.1?lts",))
    done = az.start("--tier", "premium", "--k8s-support-plan", "AKSLongTermSupport")
    assert (done.code, done.document["state"]) == (0, "Completed"), done.stderr
    assert forms(az.lab) == {"kms-v2": SECRETS}
    assert _upgrades(az)[:2] == [
        ("1.26.15", "KubernetesOfficial", "Standard"),
        ("1.27.1", "AKSLongTermSupport", "Premium"),
    ]


def test_a_cluster_on_1_25_with_1_27_no_longer_offered_jumps(up: UpLab) -> None:
    az = up("embedded", secrets=SECRETS, kubernetes="1.25.11", offers=("1.34.4",))
    plan = az.migrate("plan").document
    assert [(h["kubernetesVersion"], h["scope"]) for h in plan["hops"]] == [("1.34.4", "Cluster")]
    assert any("cannot guarantee to be safe" in text for text in plan["warnings"])
    done = az.start()
    assert (done.code, done.document["state"]) == (0, "Completed"), done.stderr
    assert [version for version, *_ in _upgrades(az)] == ["1.25.11", "1.34.4"]
    assert forms(az.lab) == {"kms-v2": SECRETS}


def test_a_version_that_disappears_between_two_upgrades_is_planned_around(up: UpLab) -> None:
    az = up("embedded", secrets=SECRETS, offers=("1.26.15>1.27.1", "1.27.1>1.28.5"))
    az.lab.fault("operation", "upgrade hang")
    run = az.begin("start", "--yes", "--settle-seconds", "3", "--kubernetes-version", "1.28")
    while run.poll() is None and not any(o["change"] == "upgrade" for o in az.lab.operations()):
        pass
    az.lab.fault("offers", "1.26.15>1.27.1,1.27.1>1.28.7")
    az.lab.fault("release")
    stdout, stderr = run.communicate(timeout=600)
    assert run.returncode == 0, stderr
    document = json.loads(stdout)
    assert (document["state"], document["cluster"]["kubernetesVersion"]) == ("Completed", "1.28.7")
    assert [version for version, *_ in _upgrades(az)] == ["1.26.15", "1.27.1", "1.28.7"]
    assert forms(az.lab) == {"kms-v2": SECRETS}
