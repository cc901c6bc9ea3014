"""Takes rights away from the user that az is signed in as, on a lab whose cluster asks Entra ID who that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.e2e.rewriting import forms, wait_until
from tests.lab.administrator import administrator
from tests.lab.client import LabClient

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_ADMINISTRATORS = f"{_RBAC}/clusterrolebindings/aks-cluster-admin-binding-aad"
_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_NAME = "kmslab-migrator"
_WRITES = ["create", "update", "patch", "delete"]

Attributes = dict[str, dict[str, str]]
_METRICS: Attributes = {"nonResourceAttributes": {"path": "/metrics", "verb": "get"}}
_ANYTHING: Attributes = {"nonResourceAttributes": {"path": "/everything", "verb": "get"}}


def user_of(lab: LabClient) -> str:
    """Who az is signed in as, as Kubernetes names them."""
    with administrator(lab.endpoint()) as api:
        return str(api.get(_ADMINISTRATORS)["subjects"][0]["name"])


@contextmanager
def limited(lab: LabClient, *, metrics: bool, no_patch_in: Sequence[str] = ()) -> Iterator[None]:
    """All that the tool needs and no more: with or without ``/metrics``; without ``patch`` in some namespaces."""
    with administrator(lab.endpoint()) as api:
        whole = api.get(_ADMINISTRATORS)
    user = whole["subjects"][0]["name"]
    rules: list[dict[str, Any]] = [
        _rule("", ["secrets"], ["get", "list", *([] if no_patch_in else _WRITES)]),
        _rule("", ["configmaps"], ["get", "list", *_WRITES]),
        _rule("", ["nodes"], ["get", "list"]),
        _rule("coordination.k8s.io", ["leases"], ["get", "list", *_WRITES]),
    ]
    if metrics:
        rules.append({"nonResourceURLs": ["/metrics"], "verbs": ["get"]})
    namespaces = sorted({name.partition("/")[0] for name in forms(lab)} | {"kube-system"}) if no_patch_in else []
    made = [
        ("clusterroles", "", _role("ClusterRole", _NAME, rules)),
        ("clusterroles", "", _role("ClusterRole", f"{_NAME}-writer", [_rule("", ["secrets"], _WRITES)])),
        ("clusterrolebindings", "", _binding("ClusterRoleBinding", _NAME, _NAME, user)),
    ]
    made += [
        ("rolebindings", namespace, _binding("RoleBinding", _NAME, f"{_NAME}-writer", user))
        for namespace in namespaces
        if namespace not in no_patch_in
    ]
    with administrator(lab.endpoint()) as api:
        for plural, namespace, document in made:
            api.create(_collection(plural, namespace), document)
        api.delete_if_present(_ADMINISTRATORS)
    expected = [(_METRICS, metrics), (_ANYTHING, False), (_patch("kube-system"), True)]
    expected += [(_patch(namespace), False) for namespace in no_patch_in]
    _wait_until_decided(lab, user, expected)
    try:
        yield
    finally:
        with administrator(lab.endpoint()) as api:
            bare = {"name": whole["metadata"]["name"]}
            api.create_if_absent(f"{_RBAC}/clusterrolebindings", {**whole, "metadata": bare})
            for plural, namespace, document in made:
                api.delete_if_present(f"{_collection(plural, namespace)}/{document['metadata']['name']}")
        _wait_until_decided(lab, user, [(_ANYTHING, True)])


def _wait_until_decided(lab: LabClient, user: str, expected: Sequence[tuple[Attributes, bool]]) -> None:
    """An API server takes new roles on a moment later, each for itself."""
    for replica in (0, 1):
        for attributes, allowed in expected:
            wait_until(
                lambda r=replica, a=attributes, is_so=allowed: _allowed(lab, r, user, a) is is_so,  # type: ignore[misc]
                "the rights are the new ones",
            )


def _allowed(lab: LabClient, replica: int, user: str, attributes: Attributes) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, **attributes},
    }
    with administrator(lab.endpoint(replica)) as api:
        return bool(api.create(_REVIEWS, review)["status"].get("allowed"))


def _patch(namespace: str) -> Attributes:
    return {"resourceAttributes": {"namespace": namespace, "verb": "patch", "version": "v1", "resource": "secrets"}}


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _role(kind: str, name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "rules": rules}


def _binding(kind: str, name: str, role: str, user: str) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": kind,
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }


def _collection(plural: str, namespace: str) -> str:
    return f"{_RBAC}/namespaces/{namespace}/{plural}" if namespace else f"{_RBAC}/{plural}"
