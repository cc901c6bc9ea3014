"""Looks in Azure at what an upgrade needs: node pools, quota, addresses, who else upgrades."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from azext_kmsmigrate import errors
from azext_kmsmigrate.arm.faults import translated
from azext_kmsmigrate.arm.pools import compute_of, pool_of, profile_of, subnet_of
from azext_kmsmigrate.arm.resource_manager import Resources
from azext_kmsmigrate.checks.maintenance import WINDOWS, Window
from azext_kmsmigrate.checks.pool import POOLS, Pool
from azext_kmsmigrate.checks.profile import PROFILE, Profile
from azext_kmsmigrate.checks.quota import COMPUTE, Compute
from azext_kmsmigrate.checks.subnet import SUBNETS, Subnet
from azext_kmsmigrate.checks.topic import Topic, Unseen
from azext_kmsmigrate.errors import AzureError
from azext_kmsmigrate.ports import Question

_COMPUTE_API = "2024-07-01"
_SKUS_API = "2021-07-01"
_NETWORK_API = "2024-05-01"
_CLUSTER_READ = "Microsoft.ContainerService/managedClusters/read"
_USAGES_READ = "Microsoft.Compute/locations/usages/read"
_SKUS_READ = "Microsoft.Compute/skus/read"
_SUBNETS_READ = "Microsoft.Network/virtualNetworks/subnets/read"


class UpgradeInspector:
    """The port ``Inspector``, on the SDK's ContainerServiceClient and plain documents.

    The cluster that was read is kept for as long as its etag says that it is the same.
    """

    topics: tuple[Topic[Any], ...] = (PROFILE, POOLS, WINDOWS, COMPUTE, SUBNETS)

    def __init__(self, client: Any, resources: Resources) -> None:
        self._client, self._resources, self._name = client, resources, resources.name
        self._read: tuple[str, Any] = ("", None)
        self._looks: dict[Topic[Any], tuple[Callable[[Question], Any], str]] = {
            PROFILE: (self._profile, _CLUSTER_READ),
            POOLS: (self._pools, _CLUSTER_READ),
            WINDOWS: (self._windows, "Microsoft.ContainerService/managedClusters/maintenanceConfigurations/read"),
            COMPUTE: (self._compute, _USAGES_READ),
            SUBNETS: (self._subnets, _SUBNETS_READ),
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

    def _compute(self, question: Question) -> Compute | Unseen:
        subscription = f"/subscriptions/{self._name.subscription}/providers/Microsoft.Compute"
        location = question.cluster.location
        usages = self._resources.listed(f"{subscription}/locations/{location}/usages", _COMPUTE_API, _USAGES_READ)
        if isinstance(usages, Unseen):
            return usages
        here = {"$filter": f"location eq '{location}'"}
        skus = self._resources.listed(f"{subscription}/skus", _SKUS_API, _SKUS_READ, **here)
        if isinstance(skus, Unseen):
            return skus
        wanted = {(pool.vm_size or "").lower() for pool in self._cluster(question).agent_pool_profiles or ()}
        return compute_of(usages or (), skus or (), wanted)

    def _subnets(self, question: Question) -> dict[str, Subnet] | Unseen:
        pools = self._cluster(question).agent_pool_profiles or ()
        found: dict[str, Subnet] = {}
        for id_ in sorted({id_ for pool in pools for id_ in (pool.vnet_subnet_id, pool.pod_subnet_id) if id_}):
            document = self._resources.get(id_, _NETWORK_API, _SUBNETS_READ)
            if isinstance(document, Unseen):
                return document
            if document is not None:  # a subnet that is gone stops more than the upgrade, and is told by others
                found[id_.lower()] = subnet_of(document)
        return found
