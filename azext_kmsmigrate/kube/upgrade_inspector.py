"""Looks in the cluster at what an upgrade meets: budgets, webhooks, deprecated APIs, nodes, volumes, policies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from azext_kmsmigrate import errors
from azext_kmsmigrate.checks.deprecated_api import DEPRECATED_APIS, DeprecatedApi
from azext_kmsmigrate.checks.disruption import BUDGETS, Budget
from azext_kmsmigrate.checks.node import NODES
from azext_kmsmigrate.checks.pod_security import POLICIES
from azext_kmsmigrate.checks.topic import Topic, Unseen
from azext_kmsmigrate.checks.volume import OLD_TOPOLOGY, VOLUMES, Volume
from azext_kmsmigrate.checks.webhook import WEBHOOKS, Rule, Webhook
from azext_kmsmigrate.errors import ClusterError
from azext_kmsmigrate.kube.api import METADATA_LIST, Answered, Api
from azext_kmsmigrate.kube.nodes import KubeNodes
from azext_kmsmigrate.kube.paging import pages
from azext_kmsmigrate.migration.node import Node
from azext_kmsmigrate.ports import Question

_SAMPLE = re.compile(r"^apiserver_requested_deprecated_apis\{([^}]*)\} (\S+)$", re.M)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_REMOVED_IN = re.compile(r"^(\d+)\.(\d+)$")


class UpgradeInspector:
    """The port ``Inspector``. Asks for metadata alone where the rest of an object says nothing here."""

    topics: tuple[Topic[Any], ...] = (BUDGETS, WEBHOOKS, DEPRECATED_APIS, NODES, VOLUMES, POLICIES)

    def __init__(self, api: Api) -> None:
        self._api = api
        self._looks: dict[Topic[Any], tuple[Callable[[], Any], str]] = {
            BUDGETS: (self._budgets, "list policy/poddisruptionbudgets"),
            WEBHOOKS: (self._webhooks, "list admissionregistration.k8s.io webhook configurations"),
            DEPRECATED_APIS: (self._deprecated_apis, "get /metrics"),
            NODES: (self._nodes, "list nodes"),
            VOLUMES: (self._volumes, "list persistentvolumes"),
            POLICIES: (self._policies, "list policy/podsecuritypolicies"),
        }

    def look(self, topic: Topic[Any], question: Question) -> Any:
        look, permission = self._looks[topic]
        try:
            return look()
        except ClusterError as error:
            if error.entry is not errors.API_FORBIDDEN:
                raise
            return Unseen(f"you may not {permission}", f"Kubernetes: {permission}")

    def _budgets(self) -> tuple[Budget, ...]:
        path = "/apis/policy/v1/poddisruptionbudgets"
        return tuple(map(budget_of, pages(self._api, "list PodDisruptionBudgets", path)))

    def _webhooks(self) -> tuple[Webhook, ...]:
        found: list[Webhook] = []
        for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
            for document in pages(self._api, "list webhooks", f"{_ADMISSION}/{kind.lower()}s"):
                found += webhooks_of(kind, document)
        return tuple(found)

    def _deprecated_apis(self) -> tuple[DeprecatedApi, ...]:
        text = self._api.text("read the API server's counters", "/metrics")
        return tuple(sorted(deprecated_apis_in(text), key=lambda api: (api.removed_in, api.title)))

    def _nodes(self) -> tuple[Node, ...]:
        return KubeNodes(self._api).all()

    def _volumes(self) -> tuple[Volume, ...]:
        return tuple(map(volume_of, pages(self._api, "list PersistentVolumes", "/api/v1/persistentvolumes")))

    def _policies(self) -> tuple[str, ...]:
        path = "/apis/policy/v1beta1/podsecuritypolicies"
        try:
            found = pages(self._api, "list PodSecurityPolicies", path, accept=METADATA_LIST)
            return tuple(item["metadata"]["name"] for item in found)
        except Answered:  # 404: an API server that has no such kind
            return ()


def budget_of(document: dict[str, Any]) -> Budget:
    """A PodDisruptionBudget of policy/v1."""
    spec, status = document.get("spec") or {}, document.get("status") or {}
    return Budget(
        namespace=document["metadata"].get("namespace", ""),
        name=document["metadata"]["name"],
        min_available=_bound(spec.get("minAvailable")),
        max_unavailable=_bound(spec.get("maxUnavailable")),
        expected=status.get("expectedPods") or 0,
        desired=status.get("desiredHealthy") or 0,
        allowed=status.get("disruptionsAllowed") or 0,
    )


def webhooks_of(kind: str, document: dict[str, Any]) -> Iterator[Webhook]:
    """The webhooks of a configuration of admissionregistration.k8s.io/v1."""
    for hook in document.get("webhooks") or ():
        needs, shuns = _selected(hook.get("namespaceSelector") or {})
        yield Webhook(
            kind=kind,
            configuration=document["metadata"]["name"],
            name=hook["name"],
            required=hook.get("failurePolicy", "Fail") == "Fail",
            rules=tuple(
                Rule(
                    tuple(rule.get("apiGroups") or ()),
                    tuple(rule.get("resources") or ()),
                    tuple(rule.get("operations") or ()),
                )
                for rule in hook.get("rules") or ()
            ),
            service_namespace=((hook.get("clientConfig") or {}).get("service") or {}).get("namespace", ""),
            needs=needs,
            shuns=shuns,
        )


def volume_of(document: dict[str, Any]) -> Volume:
    """A PersistentVolume; its claim as NAMESPACE/NAME."""
    spec = document.get("spec") or {}
    claim = spec.get("claimRef") or {}
    named = set(document["metadata"].get("labels") or {})
    for term in ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ():
        named |= {expression.get("key") for expression in term.get("matchExpressions") or ()}
    return Volume(
        name=document["metadata"]["name"],
        claim=f"{claim['namespace']}/{claim['name']}" if claim.get("name") else "",
        topology=tuple(label for label in OLD_TOPOLOGY if label in named),
    )


def deprecated_apis_in(metrics: str) -> set[DeprecatedApi]:
    """What ``apiserver_requested_deprecated_apis`` says was asked for and is going to be removed."""
    found = set()
    for labels, value in _SAMPLE.findall(metrics):
        label = dict(_LABEL.findall(labels))
        removed = _REMOVED_IN.match(label.get("removed_release", ""))
        if removed and float(value):
            line = (int(removed[1]), int(removed[2]))
            found.add(DeprecatedApi(label.get("group", ""), label["version"], label["resource"], line))
    return found


def _bound(value: Any) -> str:
    return "" if value is None else str(value)


_Labels = tuple[tuple[str, tuple[str, ...]], ...]


def _selected(selector: dict[str, Any]) -> tuple[_Labels, _Labels]:
    """A label selector as what has to be there, and what may not be."""
    needs = [(key, (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    shuns: list[tuple[str, tuple[str, ...]]] = []
    for expression in selector.get("matchExpressions") or ():
        values = tuple(expression.get("values") or ())
        side = needs if expression.get("operator") in ("In", "Exists") else shuns
        side.append((expression["key"], values))
    return tuple(needs), tuple(shuns)
