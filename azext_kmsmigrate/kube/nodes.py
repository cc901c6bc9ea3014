"""Talks to the API server about nodes: what their kubelets really run, whatever ARM says (Azure/AKS#3558)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from azext_kmsmigrate.kube.api import Api
from azext_kmsmigrate.kube.paging import pages
from azext_kmsmigrate.migration.node import Node
from azext_kmsmigrate.migration.version import KubernetesVersion

_QUARANTINE = "kubernetes.azure.com/upgrade-status"


class KubeNodes:
    """The port ``Nodes``."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def all(self) -> tuple[Node, ...]:
        return tuple(map(node_of, pages(self._api, "list nodes", "/api/v1/nodes", limit=200)))


def node_of(document: dict[str, Any]) -> Node:
    """A Node as the API server shows it."""
    labels = document["metadata"].get("labels") or {}
    status = document.get("status") or {}
    conditions = {c.get("type"): c.get("status") for c in status.get("conditions") or ()}
    return Node(
        name=document["metadata"]["name"],
        pool=labels.get("kubernetes.azure.com/agentpool") or labels.get("agentpool") or "",
        kubelet=_kubelet((status.get("nodeInfo") or {}).get("kubeletVersion") or ""),
        cordoned=bool((document.get("spec") or {}).get("unschedulable")),
        ready=conditions.get("Ready") == "True",
        quarantined=labels.get(_QUARANTINE) == "Quarantined",
    )


def _kubelet(reported: str) -> KubernetesVersion | None:
    # A virtual node reports a version of its own ("v1.25.0-vk-azure-aci-1.6.1") and is never upgraded.
    if "-vk-" not in reported:
        with suppress(ValueError):
            return KubernetesVersion.parse(reported.split("-")[0].split("+")[0])
    return None
