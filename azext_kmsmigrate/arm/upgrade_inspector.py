"""Looks in Azure at what an upgrade needs: node pools, versions, quota, addresses, who else upgrades."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from azext_kmsmigrate import errors
from azext_kmsmigrate.arm.faults import translated
from azext_kmsmigrate.arm.pools import pool_of, profile_of, subnet_of
from azext_kmsmigrate.checks.maintenance import WINDOWS, Window
from azext_kmsmigrate.checks.pool import POOLS, Pool
from azext_kmsmigrate.checks.profile import PROFILE, Profile
from azext_kmsmigrate.checks.quota import COMPUTE, Compute, Usage, VmSize
from azext_kmsmigrate.checks.subnet import SUBNETS, Subnet
from azext_kmsmigrate.checks.topic import Topic, Unseen
from azext_kmsmigrate.checks.versions import VERSIONS, MinorVersion
from azext_kmsmigrate.errors import AzureError
from azext_kmsmigrate.migration.facts import ClusterName
from azext_kmsmigrate.migration.version import KubernetesVersion
from azext_kmsmigrate.ports import Question

_COMPUTE_API = "2024-07-01"
_SKUS_API = "2021-07-01"
_NETWORK_API = "2024-05-01"


class Reader(Protocol):
    """``arm.reader.ArmReader``."""

    def get(self, path: str, api_version: str, **query: str) -> dict[str, Any]: ...

    def items(self, path: str, api_version: str, **query: str) -> Iterator[dict[str, Any]]: ...


class UpgradeInspector:
    """The port ``Inspector``, on the SDK's ContainerServiceClient and plain reads. One GET of a cluster serves all."""

    topics: tuple[Topic[Any], ...] = (PROFILE, POOLS, WINDOWS, VERSIONS, COMPUTE, SUBNETS)

    def __init__(self, client: Any, reader: Reader, name: ClusterName) -> None:
        self._client, self._reader, self._name = client, reader, name
        self._lock = threading.Lock()
        self._read: tuple[str, Any] = ("", None)
        self._looks: dict[Topic[Any], tuple[Callable[[Question], Any], str]] = {
            PROFILE: (self._profile, "Microsoft.ContainerService/managedClusters/read"),
            POOLS: (self._pools, "Microsoft.ContainerService/managedClusters/read"),
            WINDOWS: (self._windows, "Microsoft.ContainerService/managedClusters/maintenanceConfigurations/read"),
            VERSIONS: (self._versions, "Microsoft.ContainerService/locations/kubernetesVersions/read"),
            COMPUTE: (self._compute, "Microsoft.Compute/locations/usages/read and Microsoft.Compute/skus/read"),
            SUBNETS: (self._subnets, "Microsoft.Network/virtualNetworks/subnets/read"),
        }

    def look(self, topic: Topic[Any], question: Question) -> Any:
        look, permission = self._looks[topic]
        try:
            with translated(f"reading {topic.name}", self._name):
                return look(question)
        except AzureError as error:
            if error.entry is not errors.AZURE_FORBIDDEN:
                raise
            return Unseen("you may not read it", permission)

    def _cluster(self, question: Question) -> Any:
        """The model of the cluster as it was observed; read again when it has changed since."""
        with self._lock:
            etag, found = self._read
            if found is None or not etag or etag != question.cluster.etag:
                found = self._client.managed_clusters.get(self._name.group, self._name.name)
                self._read = (found.e_tag or "", found)
            return found

    def _profile(self, question: Question) -> Profile:
        return profile_of(self._cluster(question))

    def _pools(self, question: Question) -> tuple[Pool, ...]:
        cluster = self._cluster(question)
        running = cluster.current_kubernetes_version or cluster.kubernetes_version
        return tuple(pool_of(pool, running) for pool in cluster.agent_pool_profiles or ())

    def _windows(self, question: Question) -> tuple[Window, ...]:
        found = self._client.maintenance_configurations.list_by_managed_cluster(self._name.group, self._name.name)
        return tuple(Window(w.name, getattr(w.maintenance_window, "start_time", None) or "") for w in found)

    def _versions(self, question: Question) -> dict[tuple[int, int], MinorVersion]:
        found = self._client.managed_clusters.list_kubernetes_versions(question.cluster.location)
        return {
            KubernetesVersion.parse(minor.version).line: MinorVersion(
                frozenset(
                    str(getattr(p, "value", p)) for p in (minor.capabilities and minor.capabilities.support_plan) or ()
                ),
                bool(minor.is_preview),
            )
            for minor in found.values_property or ()
        }

    def _compute(self, question: Question) -> Compute:
        subscription = f"/subscriptions/{self._name.subscription}/providers/Microsoft.Compute"
        location = question.cluster.location
        usages = (
            Usage(
                u["name"]["value"], u["name"].get("localizedValue") or u["name"]["value"], u["currentValue"], u["limit"]
            )
            for u in self._reader.items(f"{subscription}/locations/{location}/usages", _COMPUTE_API)
        )
        wanted = {(pool.vm_size or "").lower() for pool in self._cluster(question).agent_pool_profiles or ()}
        skus = self._reader.items(f"{subscription}/skus", _SKUS_API, **{"$filter": f"location eq '{location}'"})
        return Compute(
            {usage.name.lower(): usage for usage in usages},
            {
                sku["name"].lower(): VmSize(sku.get("family") or "", _cores(sku))
                for sku in skus
                if sku.get("resourceType") == "virtualMachines" and sku["name"].lower() in wanted
            },
        )

    def _subnets(self, question: Question) -> dict[str, Subnet]:
        pools = self._cluster(question).agent_pool_profiles or ()
        ids = {id_ for pool in pools for id_ in (pool.vnet_subnet_id, pool.pod_subnet_id) if id_}
        return {id_.lower(): subnet_of(self._reader.get(id_, _NETWORK_API)) for id_ in sorted(ids)}


def _cores(sku: dict[str, Any]) -> int:
    found = {c["name"]: c["value"] for c in sku.get("capabilities") or ()}
    return int(found.get("vCPUs") or 0)
