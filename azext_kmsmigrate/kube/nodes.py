"""Talks to the API server about nodes: what their kubelets really run, whatever ARM says (Azure/AKS#3558)."""

from __future__ import annotations

from contextlib import suppress

from azext_kmsmigrate.kube.api import Api
from azext_kmsmigrate.migration.version import KubernetesVersion


class KubeNodes:
    """The port ``Nodes``."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def kubelets(self) -> dict[str, KubernetesVersion]:
        found: dict[str, KubernetesVersion] = {}
        token = ""
        while True:
            query = {"limit": "200"} | ({"continue": token} if token else {})
            document = self._api.call("list nodes", "GET", "/api/v1/nodes", query=query)
            for node in document.get("items") or ():
                reported = ((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion") or ""
                # A virtual node reports a version of its own ("v1.25.0-vk-azure-aci-1.6.1") and is never upgraded.
                if "-vk-" not in reported:
                    with suppress(ValueError):
                        found[node["metadata"]["name"]] = KubernetesVersion.parse(reported.split("-")[0].split("+")[0])
            token = document["metadata"].get("continue") or ""
            if not token:
                return found
