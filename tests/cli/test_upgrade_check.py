"""The checks of the upgrade as ``check`` tells them, on a local Azure and API servers that make each of them fail."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.az import Az
from tests.lab.administrator import Administrator, administrator
from tests.lab.client import LabClient
from tests.lab.model import LabOptions

pytestmark = pytest.mark.az

OLD_ZONE = "failure-domain.beta.kubernetes.io/zone"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
VOLUMES = "/api/v1/persistentvolumes"
NODE = "/api/v1/nodes/aks-user-0"
Change = Callable[[LabClient, Administrator], None]


@pytest.fixture(scope="module")
def az(extensions: Path) -> Iterator[Az]:
    """A cluster on 1.25 that is offered 1.27: what 1.26 takes away is on its way."""
    options = LabOptions(f"upgrading-{os.getpid()}", secrets=3, kubernetes="1.25.11", offers=("1.27.1", "1.34.4"))
    with LabClient.up(options, tethered=True) as lab:
        yield Az(lab, extensions)


@pytest.fixture
def cluster(az: Az) -> Iterator[Az]:
    """The cluster, put back afterwards to what Azure showed before."""
    before = az.lab.cluster()
    yield az
    az.lab.fault("cluster", json.dumps(before))
    with administrator(az.lab.endpoint()) as api:
        for path in (BUDGETS, WEBHOOKS, VOLUMES):
            for item in list(api.items(path)):
                api.request("DELETE", f"{path}/{item['metadata']['name']}")
        for item in list(api.items(VOLUMES)):
            api.merge(f"{VOLUMES}/{item['metadata']['name']}", {"metadata": {"finalizers": None}})
        api.merge(NODE, {"spec": {"unschedulable": None}})


def of_cluster(**properties: Any) -> Change:
    return lambda lab, api: lab.fault("cluster", json.dumps({"properties": properties}))


def of_pool(**properties: Any) -> Change:
    return lambda lab, api: lab.fault("pool", f"user {json.dumps(properties)}")


def of_quota(family: str, limit: int) -> Change:
    def change(lab: LabClient, api: Administrator) -> None:
        subscription = lab.cluster()["id"].split("/")[2]
        place = f"/subscriptions/{subscription}/providers/Microsoft.Compute/locations/westeurope/usages/{family}"
        lab.fault("resource", f"{place} {json.dumps({'properties': {'limit': limit}})}")

    return change


def of_subnet(prefix: str) -> Change:
    def change(lab: LabClient, api: Administrator) -> None:
        pools = lab.cluster()["properties"]["agentPoolProfiles"]
        vnet_id = pools[0]["vnetSubnetID"].rpartition("/subnets/")[0]
        vnet = lab.resource(vnet_id)
        assert vnet is not None
        subnets = vnet["properties"]["subnets"]
        for subnet in subnets:
            if subnet["name"] == "nodes":
                subnet["properties"]["addressPrefix"] = prefix
        lab.fault("resource", f"{vnet_id} {json.dumps({'properties': {'subnets': subnets}})}")

    return change


def budget(**spec: Any) -> Change:
    def change(lab: LabClient, api: Administrator) -> None:
        api.create(BUDGETS, {"metadata": {"name": "cart"}, "spec": {"selector": {"matchLabels": {"app": "x"}}, **spec}})
        status = {"expectedPods": 2, "desiredHealthy": 2, "currentHealthy": 2}
        if spec.get("minAvailable") == 1:
            status["desiredHealthy"] = 1
        api.merge(f"{BUDGETS}/cart/status", {"status": status})

    return change


def webhook(lab: LabClient, api: Administrator) -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    hook = {
        "name": "guard.example.com",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"namespace": "guards", "name": "guard"}},
        "rules": [rule],
    }
    api.create(WEBHOOKS, {"metadata": {"name": "guard"}, "webhooks": [hook]})


def volume(lab: LabClient, api: Administrator) -> None:
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/disk"}}
    api.create(VOLUMES, {"metadata": {"name": "disk", "labels": {OLD_ZONE: "1"}}, "spec": spec})


def cordon(lab: LabClient, api: Administrator) -> None:
    api.merge(NODE, {"spec": {"unschedulable": True}})


def deprecated(lab: LabClient, api: Administrator) -> None:
    for replica in (0, 1):
        with administrator(lab.endpoint(replica)) as server:
            server.get("/apis/storage.k8s.io/v1beta1/csistoragecapacities")


# A finding that is only good to know leaves its check passed.
CASES: list[tuple[str, Change, str, str, str]] = [
    ("U-03", of_pool(currentOrchestratorVersion="1.26.3"), "failed", "node pool 'user'", "az aks upgrade -g lab"),
    ("U-04", of_pool(type="AvailabilitySet"), "warned", "node pool 'user'", "--migrate-vmas-to-vms"),
    ("U-05", of_pool(osSKU="CBLMariner"), "warned", "node pool 'user'", "--os-sku AzureLinux"),
    (
        "U-06",
        budget(maxUnavailable=0),
        "failed",
        "PodDisruptionBudget default/cart",
        "kubectl -n default patch pdb cart",
    ),
    ("U-06", budget(minAvailable="100%"), "failed", "PodDisruptionBudget default/cart", "--force-upgrade-until"),
    ("U-06", budget(minAvailable=1), "warned", "PodDisruptionBudget default/cart", "kubectl -n default describe pdb"),
    ("U-08", of_quota("standardDSv5Family", 13), "failed", "quota 'Standard DSv5 Family vCPUs'", "--max-surge 0"),
    ("U-08", of_quota("cores", 17), "warned", "quota 'Total Regional vCPUs'", "az aks nodepool update -g lab"),
    ("U-08", of_subnet("10.224.0.0/25"), "failed", "subnet 'nodes'", "--max-surge 0 --max-unavailable 1"),
    ("U-09", cordon, "warned", "node aks-user-0", "kubectl uncordon aks-user-0"),
    ("U-10", of_pool(enableAutoScaling=True, maxCount=1, minCount=1), "passed", "node pool 'user'", "--max-count 2"),
    ("U-11", webhook, "warned", "ValidatingWebhookConfiguration guard", "kubectl edit validatingwebhook"),
    (
        "U-12",
        of_cluster(autoUpgradeProfile={"upgradeChannel": "stable"}),
        "warned",
        "'stable'",
        "--auto-upgrade-channel",
    ),
    ("U-13", of_cluster(servicePrincipalProfile={"clientId": "app"}), "warned", "principal app", "update-credentials"),
    ("U-14", volume, "failed", "PersistentVolume disk", "kubectl get pv disk"),
    ("U-16", of_cluster(networkProfile={"outboundType": "userDefinedRouting"}), "passed", "outbound type", "https://"),
    ("U-17", of_pool(scaleSetPriority="Spot"), "passed", "node pool 'user'", "stopped at any time"),
]


def told(az: Az, check: str, *words: str) -> dict[str, Any]:
    document = az.migrate("check", *words).document
    return next(c for c in document["checks"] if c["id"] == check)


def test_a_cluster_at_which_nothing_is_wrong(cluster: Az) -> None:
    done = cluster.migrate("check")
    assert done.code == 0, done.stderr
    found = {c["id"]: c["outcome"] for c in done.document["checks"] if c["category"] == "U" or c["id"].startswith("U-")}
    assert sorted(found) == [f"U-{n:02}" for n in range(1, 19)]
    assert set(found.values()) == {"passed", "not-applicable"}


@pytest.mark.parametrize(
    ("check", "change", "outcome", "object_", "fix"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)]
)
def test_what_is_wrong_is_told_with_its_object_and_what_to_type(
    cluster: Az, check: str, change: Change, outcome: str, object_: str, fix: str
) -> None:
    limits = dict.fromkeys(("standardDSv5Family", "cores"), 350)
    with administrator(cluster.lab.endpoint()) as api:
        change(cluster.lab, api)
        found = told(cluster, check)
        for family, limit in limits.items():
            of_quota(family, limit)(cluster.lab, api)
        of_subnet("10.224.0.0/16")(cluster.lab, api)
    assert found["outcome"] == outcome, found
    (finding,) = found["findings"]
    assert object_ in finding["object"]
    assert fix in finding["fix"]
    assert cluster.lab.puts() == []


def test_a_deprecated_api_in_use_is_told(cluster: Az) -> None:
    with administrator(cluster.lab.endpoint()) as api:
        deprecated(cluster.lab, api)
    found = told(cluster, "U-07")
    assert found["outcome"] == "failed"
    assert found["findings"][0]["object"] == "API csistoragecapacities.v1beta1.storage.k8s.io"
    assert "--force-upgrade-until" in found["findings"][0]["fix"]


def test_a_version_that_is_not_offered_and_windows_2019(cluster: Az) -> None:
    found = told(cluster, "U-02", "-k", "1.28.9")
    assert found["outcome"] == "failed"
    assert f"-g lab -n {cluster.lab.name} -k 1.27.1" in found["findings"][0]["fix"]
    of_pool(osSKU="Windows2019")(cluster.lab, None)  # type: ignore[arg-type]
    assert told(cluster, "U-05", "-k", "1.34.4")["outcome"] == "failed"
    assert told(cluster, "U-05", "-k", "1.27.1")["outcome"] == "passed"


@pytest.fixture(scope="module")
def stuck(extensions: Path) -> Iterator[Az]:
    """A cluster on 1.24 that is offered nothing that leads to KMS v2."""
    options = LabOptions(f"stuck-{os.getpid()}", secrets=1, kubernetes="1.24.9", offers=("1.26.15",))
    with LabClient.up(options, tethered=True) as lab:
        yield Az(lab, extensions)


def test_no_way_to_kms_v2_is_told(stuck: Az) -> None:
    found = told(stuck, "U-01")
    assert found["outcome"] == "failed"
    assert "1.26.15" in found["findings"][0]["what"]
    assert f"az aks get-upgrades -g lab -n {stuck.lab.name}" in found["findings"][0]["fix"]
