"""What AKS refuses an upgrade for: known before the first change, told with its name, and passed over where asked."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.az import Az
from tests.e2e.judgement import assert_all_under_kms_v2, assert_completed
from tests.lab.administrator import administrator
from tests.labs import BOTH, UpLab

pytestmark = pytest.mark.az

BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
CAPACITIES = "/apis/storage.k8s.io/v1beta1/csistoragecapacities"
SECRETS = 20


def hold_pods(az: Az, name: str = "cart", **spec: Any) -> None:
    """A PodDisruptionBudget over two pods, as its controller would leave it."""
    with administrator(az.lab.endpoint()) as api:
        bounds = spec or {"maxUnavailable": 0}
        made = {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": name}}, **bounds}}
        api.create(BUDGETS, made)
        api.merge(f"{BUDGETS}/{name}/status", {"status": {"expectedPods": 2, "desiredHealthy": 1}})


def in_hours(hours: int) -> str:
    return (datetime.now(timezone.utc) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def override(az: Az) -> dict[str, Any]:
    settings = az.lab.cluster()["properties"].get("upgradeSettings") or {}
    found: dict[str, Any] = settings.get("overrideSettings") or {}
    return found


@pytest.mark.parametrize("apiserver", BOTH)
def test_a_budget_stops_the_run_before_its_first_change_and_force_passes_over_it(up: UpLab, apiserver: str) -> None:
    az = up(apiserver, secrets=SECRETS)
    hold_pods(az)
    refused = az.start()
    assert refused.code == 11, refused.stderr
    assert az.lab.puts() == []
    assert "PodDisruptionBudget default/cart" in refused.stderr
    assert "kubectl -n default patch pdb cart" in refused.stderr

    result = assert_completed(az.start("--force-upgrade-until", in_hours(2)))
    assert_all_under_kms_v2(az.lab, SECRETS)
    assert result["cluster"]["kubernetesVersion"] == "1.27.1"
    assert override(az)["forceUpgrade"] is False


def test_an_api_that_only_azure_saw_in_use_stops_the_upgrade_with_its_name(up: UpLab) -> None:
    az = up("embedded", secrets=SECRETS)
    az.lab.fault("api-use", "batch.cronjobs.v1beta1 1.27")
    stopped = az.start()
    assert stopped.code == 1, stopped.stderr
    problem = stopped.document["problem"]
    assert problem["code"] == "KMSM230"
    assert "batch.cronjobs.v1beta1" in problem["what"]
    assert "--force-upgrade-until" in problem["fix"]
    assert az.lab.etcd()["plain"] >= SECRETS
    assert_completed(az.start("--force-upgrade-until", in_hours(2)))
    assert override(az)["forceUpgrade"] is False


def test_a_quota_that_turns_out_too_small_ends_the_upgrade_and_the_same_command_goes_on(up: UpLab) -> None:
    az = up("embedded", secrets=SECRETS)
    subscription = az.lab.cluster()["id"].split("/")[2]
    quota = f"/subscriptions/{subscription}/providers/Microsoft.Compute/locations/westeurope/usages/cores"
    az.lab.fault("resource", f"{quota} {json.dumps({'properties': {'limit': 13}})}")
    known = az.start()
    assert known.code == 11
    assert "U-08" in known.stderr
    assert az.lab.puts() == []
    stopped = az.start("--skip-check", "U-08")
    assert stopped.code == 1, stopped.stderr
    assert stopped.document["problem"]["code"] == "KMSM233"
    assert "az aks nodepool update" in stopped.document["problem"]["fix"]
    az.lab.fault("resource", f"{quota} {json.dumps({'properties': {'limit': 350}})}")
    assert_completed(az.start())
    assert_all_under_kms_v2(az.lab, SECRETS)


def test_a_node_that_cannot_be_drained_is_named_and_the_same_command_goes_on(up: UpLab) -> None:
    az = up("embedded", secrets=SECRETS)
    hold_pods(az, minAvailable=1)  # it lets none go just now: Azure tries, and gives up
    stopped = az.start()
    assert stopped.code == 1, stopped.stderr
    assert stopped.document["problem"]["code"] == "KMSM232"
    assert "aks-system-0" in stopped.document["problem"]["what"]
    with administrator(az.lab.endpoint()) as api:
        api.merge(f"{BUDGETS}/cart/status", {"status": {"disruptionsAllowed": 1}})
    assert_completed(az.start())
    assert_all_under_kms_v2(az.lab, SECRETS)


def test_a_cordoned_node_is_told_after_the_upgrade_and_left_so(up: UpLab) -> None:
    az = up("embedded", secrets=SECRETS)
    node = "/api/v1/nodes/aks-user-0"
    with administrator(az.lab.endpoint()) as api:
        api.merge(node, {"spec": {"unschedulable": True}})
    done = az.start()
    result = assert_completed(done)
    upgrade = next(step for step in result["steps"] if step["id"] == "upgrade")
    assert "left cordoned: aks-user-0" in upgrade["detail"]
    assert "kubectl uncordon" in done.stderr
    with administrator(az.lab.endpoint()) as api:
        assert api.get(node)["spec"]["unschedulable"] is True


@pytest.mark.real
def test_real_api_servers_tell_a_deprecated_api_in_use(up: UpLab) -> None:
    az = up("real", secrets=SECRETS)
    for replica in (0, 1):
        with administrator(az.lab.endpoint(replica)) as server:
            server.get(CAPACITIES)
    found = {check["id"]: check for check in az.migrate("check").document["checks"]}
    assert found["U-07"]["outcome"] == "failed"
    assert found["U-07"]["findings"][0]["object"] == "API csistoragecapacities.v1beta1.storage.k8s.io"
    assert {found[f"U-{n:02}"]["outcome"] for n in (6, 9, 11, 14)} == {"passed"}
    assert az.lab.puts() == []


# The names stay the same from worker to worker, whenever each of them collects.
@pytest.mark.parametrize(
    ("time", "reason"),
    [("soon", "RFC 3339"), ("2020-01-01T00:00:00Z", "passed"), (in_hours(24 * 8), "7 days")],
    ids=["no time", "passed", "too far"],
)
def test_a_time_that_cannot_be_taken_is_refused_before_anything_is_asked(up: UpLab, time: str, reason: str) -> None:
    az = up("embedded")
    refused = az.start("--force-upgrade-until", time)
    assert refused.code == 1
    assert "KMSM530" in refused.stderr
    assert reason in refused.stderr
