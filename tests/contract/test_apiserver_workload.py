"""What an upgrade looks at in the cluster: the kinds themselves, and the product's look at them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from azext_kmsmigrate.checks.deprecated_api import DEPRECATED_APIS, DeprecatedApi
from azext_kmsmigrate.checks.disruption import BUDGETS, Budget
from azext_kmsmigrate.checks.node import NODES
from azext_kmsmigrate.checks.pod_security import POLICIES
from azext_kmsmigrate.checks.volume import VOLUMES, Volume
from azext_kmsmigrate.checks.webhook import WEBHOOKS, Rule, Webhook
from azext_kmsmigrate.clock import SystemClock
from azext_kmsmigrate.kube import api as product
from azext_kmsmigrate.kube.access import Certificate
from azext_kmsmigrate.kube.rest import RestClient
from azext_kmsmigrate.kube.upgrade_inspector import UpgradeInspector
from azext_kmsmigrate.kube.wire import Route
from azext_kmsmigrate.migration.node import Node
from azext_kmsmigrate.migration.version import KubernetesVersion
from azext_kmsmigrate.ports import Question
from tests.contract.api_client import PARTIAL_LIST, Api
from tests.contract.conftest import V27, V34, Cluster
from tests.lab.administrator import tls_context
from tests.unit.situations import cluster as facts

PDBS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
HOOKS = "/apis/admissionregistration.k8s.io/v1"
VALIDATING = f"{HOOKS}/validatingwebhookconfigurations"
MUTATING = f"{HOOKS}/mutatingwebhookconfigurations"
VOLUMES_PATH = "/api/v1/persistentvolumes"
CAPACITIES = "/apis/storage.k8s.io/v1beta1/csistoragecapacities"
ZONE = "failure-domain.beta.kubernetes.io/zone"


@pytest.fixture
def api(cluster: Cluster) -> Api:
    cluster.kms_v1()
    return cluster.api()


@pytest.fixture
def name() -> str:
    return f"t-{uuid.uuid4().hex[:12]}"


def look(cluster: Cluster, topic: Any) -> Any:
    """What the product's inspector brings, over its own connection as the administrator."""
    endpoint = cluster.host.endpoint()
    wire = RestClient(Route(endpoint.server), tls_context(endpoint))
    found = product.Api(
        lambda: product.Channel(wire, Certificate()), lambda: product.Channel(wire, Certificate()), SystemClock()
    )
    return UpgradeInspector(found).look(topic, Question(facts()))


def budget(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": name}}, **spec}}


def hook(configuration: str, **fields: Any) -> dict[str, Any]:
    """A webhook that is asked about no object of this suite: it wants a label that no namespace has."""
    made = {
        "name": "guard.example.com",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"namespace": "guards", "name": "guard"}},
        "namespaceSelector": {"matchLabels": {"nobody": "has-this"}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["secrets"]}],
        **fields,
    }
    return {"metadata": {"name": configuration}, "webhooks": [made]}


@pytest.fixture
def configured(api: Api, name: str) -> Iterator[str]:
    """The name of a validating and a mutating configuration."""
    selector = {"matchExpressions": [{"key": "nobody", "operator": "Exists"}, NOT_KUBE_SYSTEM]}
    assert api.post(VALIDATING, hook(name)).status == 201
    assert api.post(MUTATING, hook(name, failurePolicy="Ignore", namespaceSelector=selector)).status == 201
    yield name
    for path in (VALIDATING, MUTATING):
        assert api.delete(f"{path}/{name}").status == 200


NOT_KUBE_SYSTEM = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]}


def test_budgets_keep_a_status_that_only_the_status_resource_changes(cluster: Cluster, api: Api, name: str) -> None:
    made = api.post(PDBS, budget(name, minAvailable="50%") | {"status": {"expectedPods": 7}})
    assert made.status == 201
    zero = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
    assert made.body["status"] == zero
    path, status = f"{PDBS}/{name}", {"expectedPods": 4, "desiredHealthy": 2, "currentHealthy": 4}
    assert api.patch(path, {"status": status}).body["status"] == zero
    assert api.patch(f"{path}/status", {"status": status}).body["status"] == zero | status
    found = [b for b in look(cluster, BUDGETS) if b.name == name]
    assert found == [Budget("default", name, min_available="50%", expected=4, desired=2)]
    assert api.delete(path).status == 200


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"minAvailable": 1, "maxUnavailable": 1}, "spec"),
        ({"maxUnavailable": -1}, "spec.maxUnavailable"),
        ({"minAvailable": "half"}, "spec.minAvailable"),
    ],
)
def test_budgets_that_cannot_be(api: Api, name: str, spec: dict[str, Any], field: str) -> None:
    answer = api.post(PDBS, budget(name, **spec))
    assert answer.status_of()[:2] == (422, "Invalid")
    assert answer.body["details"]["causes"][0]["field"] == field


def test_webhooks_have_their_defaults_and_are_looked_at(cluster: Cluster, api: Api, configured: str) -> None:
    made = api.get(f"{VALIDATING}/{configured}").body["webhooks"][0]
    defaults = {"failurePolicy": "Fail", "matchPolicy": "Equivalent", "objectSelector": {}, "timeoutSeconds": 10}
    assert defaults.items() <= made.items()
    assert made["rules"][0]["scope"] == "*"
    assert made["clientConfig"]["service"]["port"] == 443
    assert api.get(f"{MUTATING}/{configured}").body["webhooks"][0]["reinvocationPolicy"] == "Never"
    rules = (Rule(("",), ("secrets",), ("UPDATE",)),)
    needs = (("nobody", ("has-this",)),)
    either = Webhook("", configured, "guard.example.com", True, rules, "guards", needs)
    found = [w for w in look(cluster, WEBHOOKS) if w.configuration == configured]
    assert {w.kind for w in found} == {"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"}
    validating, mutating = sorted(found, key=lambda w: w.kind, reverse=True)
    assert validating == Webhook(validating.kind, *_rest(either))
    assert (mutating.required, mutating.needs) == (False, (("nobody", ()),))
    assert mutating.shuns == (("kubernetes.io/metadata.name", ("kube-system",)),)


def _rest(webhook: Webhook) -> tuple[Any, ...]:
    return (
        webhook.configuration, webhook.name, webhook.required, webhook.rules, webhook.service_namespace, webhook.needs,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"sideEffects": None}, "webhooks[0].sideEffects"),
        ({"admissionReviewVersions": []}, "webhooks[0].admissionReviewVersions"),
        ({"name": "short"}, "webhooks[0].name"),
        ({"clientConfig": {}}, "webhooks[0].clientConfig"),
    ],
)
def test_webhooks_that_cannot_be(api: Api, name: str, fields: dict[str, Any], field: str) -> None:
    answer = api.post(VALIDATING, hook(name, **fields))
    assert answer.status_of()[:2] == (422, "Invalid")
    assert field in [cause["field"] for cause in answer.body["details"]["causes"]]


@pytest.mark.parametrize("by_affinity", [True, False])
def test_volumes_tell_their_zone_by_label_or_by_affinity(
    cluster: Cluster, api: Api, name: str, by_affinity: bool
) -> None:
    spec: dict[str, Any] = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "csi": {"driver": "disk.csi.azure.com", "volumeHandle": "/subscriptions/s/disks/d"},
        "claimRef": {"namespace": "shop", "name": "data"},
    }
    if by_affinity:
        expression = {"key": ZONE, "operator": "In", "values": ["westeurope-1"]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
    labels = {} if by_affinity else {ZONE: "westeurope-1"}
    made = api.post(VOLUMES_PATH, {"metadata": {"name": name, "labels": labels}, "spec": spec})
    assert made.status == 201, made.text
    assert made.body["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert made.body["spec"]["volumeMode"] == "Filesystem"
    assert made.body["status"]["phase"] == "Pending"
    assert made.body["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]
    assert name in [i["metadata"]["name"] for i in api.get(VOLUMES_PATH, accept=PARTIAL_LIST).body["items"]]
    assert Volume(name, "shop/data", (ZONE,)) in look(cluster, VOLUMES)
    assert api.delete(f"{VOLUMES_PATH}/{name}").status == 200
    assert api.patch(f"{VOLUMES_PATH}/{name}", {"metadata": {"finalizers": None}}).status == 200


@pytest.mark.parametrize("lacking", ["capacity", "accessModes", "hostPath"])
def test_volumes_that_cannot_be(api: Api, name: str, lacking: str) -> None:
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/tmp"}}
    spec.pop(lacking)
    answer = api.post(VOLUMES_PATH, {"metadata": {"name": name}, "spec": spec})
    assert answer.status_of()[:2] == (422, "Invalid")
    assert answer.body["details"]["causes"][0]["reason"] == "FieldValueRequired"


def test_pod_security_policies_are_gone(cluster: Cluster, api: Api) -> None:
    assert api.get("/apis/policy/v1beta1/podsecuritypolicies").status == 404
    assert look(cluster, POLICIES) == ()


def test_nodes_are_looked_at(cluster: Cluster, api: Api, name: str) -> None:
    labels = {"kubernetes.azure.com/agentpool": "user", "kubernetes.azure.com/upgrade-status": "Quarantined"}
    node = {"metadata": {"name": name, "labels": labels}, "spec": {"unschedulable": True}}
    assert api.post("/api/v1/nodes", node).status == 201
    status = {"nodeInfo": {"kubeletVersion": "v1.26.15"}, "conditions": [{"type": "Ready", "status": "False"}]}
    assert api.patch(f"/api/v1/nodes/{name}/status", {"status": status}).status == 200
    found = [n for n in look(cluster, NODES) if n.name == name]
    assert found == [Node(name, "user", KubernetesVersion(1, 26, 15), cordoned=True, ready=False, quarantined=True)]
    assert api.delete(f"/api/v1/nodes/{name}").status == 200


def test_a_server_that_nobody_asked_for_a_deprecated_api_says_of_none_that_an_upgrade_takes_away(
    fresh: Cluster,
) -> None:
    fresh.kms_v1()
    wait_until_at_rest(fresh)
    assert look(fresh, DEPRECATED_APIS) == ()


def test_a_deprecated_api_that_was_asked_for_is_told(fresh: Cluster) -> None:
    fresh.kms_v1()
    for replica in (0, 1):
        assert fresh.api(replica).get(CAPACITIES).body["items"] == []
    assert DeprecatedApi("storage.k8s.io", "v1beta1", "csistoragecapacities", (1, 27)) in look(fresh, DEPRECATED_APIS)
    fresh.kms_v2(V27)
    assert fresh.api().get(CAPACITIES).status == 404
    assert look(fresh, DEPRECATED_APIS) == ()


def test_the_newest_server_shows_them_alike(newest: Cluster, name: str) -> None:
    newest.kms_v2(V34)
    api = newest.api()
    assert api.post(PDBS, budget(name, maxUnavailable=0)).status == 201
    assert Budget("default", name, max_unavailable="0") in look(newest, BUDGETS)
    assert look(newest, POLICIES) == ()
    assert api.delete(f"{PDBS}/{name}").status == 200


def wait_until_at_rest(cluster: Cluster) -> None:
    """A server that has just started does its own first requests."""
    deadline = time.monotonic() + 30
    while cluster.api().get("/readyz").status != 200 and time.monotonic() < deadline:
        time.sleep(0.2)
