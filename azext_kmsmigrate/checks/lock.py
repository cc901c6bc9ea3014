"""AZ-07: management locks on what the steps change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Category, Check, Finding, Severity
from azext_kmsmigrate.checks.rights import covers
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.migration.facts import ClusterFacts, NetworkAccess
from azext_kmsmigrate.migration.step import StepId


@dataclass(frozen=True)
class Lock:
    """A lock and the scope that it is on; whatever lies below inherits it. ``level``: ReadOnly or CanNotDelete."""

    resource_id: str
    name: str
    level: str

    @property
    def scope(self) -> str:
        return self.resource_id.lower().rpartition("/providers/microsoft.authorization/locks/")[0]


LOCKS = Topic[tuple[Lock, ...]]("the locks around the cluster", "Microsoft.Authorization")
"""All locks on, above and within the cluster, its node resource group, its own networks and a private vault."""


def node_group_id(cluster: ClusterFacts) -> str:
    return f"/subscriptions/{cluster.name.subscription}/resourceGroups/{cluster.surroundings.node_group}"


def network_of(subnet: str) -> str:
    """The virtual network of a subnet's id."""
    return subnet.partition("/subnets/")[0]


def _locks(scene: Scene) -> Iterator[Finding]:
    cluster, locks = scene.cluster, scene.of(LOCKS)
    nodes = node_group_id(cluster)
    for lock in locks:
        if covers(lock.scope, cluster.name.resource_id) and lock.level == "ReadOnly":
            yield _finding(
                lock, f"cluster '{cluster.name.name}'", "nothing can be changed there: every step is refused"
            )
        elif covers(lock.scope, nodes) or covers(nodes, lock.scope):
            group = f"node resource group '{cluster.surroundings.node_group}'"
            if lock.level == "ReadOnly":
                yield _finding(lock, group, "AKS cannot change its nodes there")
            else:
                yield _finding(lock, group, "AKS cannot delete the nodes that an upgrade replaces")
        elif lock.level == "ReadOnly":
            for network in {network_of(s) for s in cluster.surroundings.subnets}:
                if covers(lock.scope, network) or covers(network, lock.scope):
                    yield _finding(lock, _called("virtual network", network), "new nodes cannot join it")
            target = scene.plan.target_kms
            if target and target.network_access is NetworkAccess.PRIVATE and covers(lock.scope, target.vault_id):
                yield _finding(
                    lock, _called("key vault", target.vault_id), "AKS cannot add its private endpoint connection"
                )


def _called(kind: str, resource_id: str) -> str:
    return f"{kind} '{resource_id.rpartition('/')[2]}'"


def _finding(lock: Lock, subject: str, why: str) -> Finding:
    return Finding(
        subject,
        f"It is under the {lock.level} lock '{lock.name}': {why}.",
        f"Take the lock away for the time of the migration: az lock delete --ids {lock.resource_id}",
    )


CHECKS = (
    Check(
        "AZ-07",
        "No lock is in the way",
        Category.AZURE,
        Severity.BLOCK,
        "Azure refuses what a lock forbids, and an upgrade that is refused midway leaves Secrets without KMS.",
        "https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources",
        frozenset({StepId.DISABLE_KMS, StepId.UPGRADE, StepId.ENABLE_KMS, StepId.UPGRADE_NODE_POOLS}),
        _locks,
        (LOCKS,),
    ),
)
