"""What stands in the way of AKS's own work, looked up when the work is asked for or begins."""

from __future__ import annotations

import http.client
import math
from collections.abc import Callable

from tests.lab.administrator import ApiError
from tests.lab.azure import cluster as model
from tests.lab.azure import managed_identities
from tests.lab.azure.cluster import Json, Kms
from tests.lab.azure.compute import REGIONAL, SIZES, Compute
from tests.lab.azure.failures import OperationFailed
from tests.lab.azure.locking import Locks
from tests.lab.azure.metadata import LOCATION, group_id
from tests.lab.azure.network import Network
from tests.lab.azure.private_links import PrivateLinks
from tests.lab.azure.refusal import ServiceError
from tests.lab.azure.resources import Resources
from tests.lab.azure.subnets import addresses_of, free_addresses
from tests.lab.azure.upgrade_rules import ApiUse, forced
from tests.lab.azure.versions import Version
from tests.lab.controlplane.ports import Plane

_SHARE_FROM = 32


class Obstacles:
    """Everything that the rules of a PUT and the steps of an operation ask about their surroundings.

    ``api_use``: what AKS has seen of deprecated Kubernetes APIs; set from outside.
    """

    def __init__(
        self, resources: Resources, locks: Locks, network: Network, compute: Compute, links: PrivateLinks
    ) -> None:
        self.api_use: list[ApiUse] = []
        self.plane: Callable[[], Plane | None] = lambda: None
        self._resources = resources
        self._locks = locks
        self._network = network
        self._compute = compute
        self._links = links

    def budgets(self) -> list[Json]:
        """The PodDisruptionBudgets of the cluster; none while its API server cannot be asked."""
        plane = self.plane()
        if plane is None:
            return []
        try:
            return [dict(budget) for budget in plane.disruption_budgets()]
        except (ApiError, OSError, http.client.HTTPException):
            return []

    def locks_of_node_group(self, document: Json) -> tuple[str, ...]:
        """The levels of the locks at, above and in the cluster's own resource group."""
        group = group_id(document["properties"]["nodeResourceGroup"])
        return tuple(level for level in ("ReadOnly", "CanNotDelete") if self._locks.about(group, level))

    def missing_identity(self, document: Json) -> str:
        """What Resource Manager says about the first of the cluster's identities that is gone; else empty."""
        try:
            for resource_id in (document.get("identity") or {}).get("userAssignedIdentities") or {}:
                managed_identities.find(self._resources, resource_id)
        except ServiceError as error:
            return error.message
        return ""

    def before_kms(self, document: Json) -> None:
        """Raise :class:`OperationFailed` when AKS cannot connect itself to a private vault."""
        if Kms.of(document).network_access == "Private":
            self._links.connect(document)

    def before_pool(self, document: Json, name: str) -> None:
        """Raise :class:`OperationFailed` when a pool's nodes cannot be replaced: quota, addresses, drain."""
        pool = model.pool_of(document, name)
        count = int(pool.get("count") or 0)
        if not count:
            return
        surge = surge_nodes(pool, document["properties"]["kubernetesVersion"])
        self._check_quota(pool, surge)
        self._check_addresses(document, pool, surge)
        if not forced(document):
            self._check_drain(name)

    def _check_quota(self, pool: Json, surge: int) -> None:
        family, cores = SIZES.get(pool["vmSize"], ("", 0))
        for name in (REGIONAL, family):
            used, limit = self._compute.usage(name)
            needed = surge * cores
            if cores and used + needed > limit:
                what = "total regional" if name == REGIONAL else name
                raise OperationFailed(
                    "QuotaExceeded",
                    f"Operation could not be completed as it results in exceeding approved {what} Cores quota. "
                    f"Additional details - Deployment Model: Resource Manager, Location: {LOCATION}, Current Limit: "
                    f"{limit}, Current Usage: {used}, Additional Required: {needed}, (Minimum) New Limit Required: "
                    f"{used + needed}.",
                )

    def _check_addresses(self, document: Json, pool: Json, surge: int) -> None:
        subnet = self._network.subnet(pool.get("vnetSubnetID") or "")
        if subnet is None:
            return
        needed = surge * addresses_of(pool, document["properties"].get("networkProfile") or {})
        if needed > free_addresses(subnet):
            prefix = subnet["properties"].get("addressPrefix")
            raise OperationFailed(
                "SubnetIsFull",
                f"Subnet {subnet['name']} with address prefix {prefix} does not have enough capacity for {needed} "
                "IP addresses.",
            )

    def _check_drain(self, pool: str) -> None:
        for budget in self.budgets():
            status = budget.get("status") or {}
            if status.get("expectedPods") and not status.get("disruptionsAllowed"):
                metadata = budget["metadata"]
                node = f"aks-{pool}-0"
                raise OperationFailed(
                    "UpgradeFailed",
                    f"Drain of node {node} did not complete. Drain node {node} failed when evicting pod failed with "
                    "Too Many Requests error. This is often caused by a restrictive Pod Disruption Budget (PDB) "
                    "policy. See https://aka.ms/aks/debugdrainfailures. Original error: Cannot evict pod as it would "
                    f"violate the pod's disruption budget. PDB debug info: {metadata.get('namespace')} blocked by pdb "
                    f"{metadata['name']} with 0 unready pods.",
                )


def surge_nodes(pool: Json, version: str) -> int:
    """How many nodes more a pool has while it is upgraded to a version.

    ``maxSurge`` is a number or a share, rounded up. A number larger than the pool counts as the pool's own
    (azure-aks-docs: upgrade-aks-node-pools-rolling). The default
    is one node, and 10 % from 1.32 on (AKS release notes).
    """
    default = "10%" if Version.parse(version).minor >= _SHARE_FROM else "1"
    text = str((pool.get("upgradeSettings") or {}).get("maxSurge") or default)
    count = int(pool.get("count") or 0)
    return math.ceil(count * int(text[:-1]) / 100) if text.endswith("%") else min(int(text), count)
