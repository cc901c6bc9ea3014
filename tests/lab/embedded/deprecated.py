"""Deprecated APIs that one API server still serves, always empty, and who counts that they were asked for.

``apiserver_requested_deprecated_apis`` is a gauge of the process: it stays at 1 until the server ends.
Source: Kubernetes staging/src/k8s.io/apiserver/pkg/endpoints/metrics/metrics.go, and ``+k8s:prerelease-lifecycle-gen``
of each API.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from tests.lab.embedded.faults import Json


@dataclass(frozen=True)
class DeprecatedApi:
    """One API: served from when it is deprecated here, up to the minor version before ``removed``."""

    group: str
    version: str
    plural: str
    kind: str
    deprecated: int
    removed: int


_APIS = (
    DeprecatedApi("storage.k8s.io", "v1beta1", "csistoragecapacities", "CSIStorageCapacity", 24, 27),
    DeprecatedApi("flowcontrol.apiserver.k8s.io", "v1beta2", "flowschemas", "FlowSchema", 26, 29),
    DeprecatedApi("flowcontrol.apiserver.k8s.io", "v1beta3", "flowschemas", "FlowSchema", 29, 32),
)


class DeprecatedApis:
    """Those of one server."""

    def __init__(self, minor: int) -> None:
        self._lock = threading.Lock()
        self._served = {
            f"/apis/{api.group}/{api.version}/{api.plural}": api
            for api in _APIS
            if api.deprecated <= minor < api.removed
        }
        self._asked_for: set[DeprecatedApi] = set()

    def listed(self, path: str) -> Json | None:
        """The empty list at a path, noted as asked for; None where no such API is."""
        api = self._served.get(path.rstrip("/"))
        if api is None:
            return None
        with self._lock:
            self._asked_for.add(api)
        head = {"kind": f"{api.kind}List", "apiVersion": f"{api.group}/{api.version}"}
        return {**head, "metadata": {"resourceVersion": "1"}, "items": []}

    def metrics(self) -> list[str]:
        """Lines of the Prometheus text; none until one is asked for."""
        with self._lock:
            asked_for = sorted(self._asked_for, key=lambda api: (api.group, api.plural, api.version))
        if not asked_for:
            return []
        name = "apiserver_requested_deprecated_apis"
        return [
            f"# HELP {name} [STABLE] Gauge of deprecated APIs that have been requested, broken out by API group, "
            "version, resource, subresource, and removed_release.",
            f"# TYPE {name} gauge",
            *(
                f'{name}{{group="{api.group}",removed_release="1.{api.removed}",resource="{api.plural}",'
                f'subresource="",version="{api.version}"}} 1'
                for api in asked_for
            ),
        ]
