"""After an upgrade: what the nodes really run, whatever Azure says, and what was left of them."""

from __future__ import annotations

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import ClusterError
from azext_kmsmigrate.migration.events import Note, Warned
from azext_kmsmigrate.migration.facts import ClusterFacts
from azext_kmsmigrate.migration.node import Node
from azext_kmsmigrate.migration.version import KubernetesVersion
from azext_kmsmigrate.ports import Cluster, Nodes, Observer, Tick

_MOST_NAMES = 10


class Kubelets:
    """Nodes of no agent pool count for nothing: AKS does not upgrade them with the cluster."""

    def __init__(self, nodes: Nodes, cluster: Cluster, observer: Observer) -> None:
        self._nodes, self._cluster, self._observer = nodes, cluster, observer

    def confirm(self, version: KubernetesVersion, seen: ClusterFacts, tick: Tick) -> str:
        """Every kubelet is at the version. What is to be told of the nodes, in words; empty when nothing is.

        A pool whose nodes are behind is asked for the same version once more, which is Azure's own remedy
        (Azure/AKS#3558). Nodes left cordoned (Azure/AKS#3439) are told, and stay so: why they are is not known here.

        :raises ClusterError: nodes are behind after that too
        """
        nodes = self._nodes.all()
        if behind := _behind(nodes, version, seen):
            pools = sorted({node.pool for node in behind})
            named = ", ".join(pools)
            self._observer.tell(
                Note(f"Azure says that all is at {version}, and nodes of {named} are not: asking for it again.")
            )
            for pool in pools:
                self._cluster.upgrade_pool(self._cluster.observe(), pool, version, tick)
            nodes = self._nodes.all()
            if behind := _behind(nodes, version, seen):
                raise ClusterError(
                    errors.NODES_BEHIND,
                    version=version,
                    nodes=_listed(behind),
                    pool=behind[0].pool,
                    **seen.name.words,
                )
        left = [node for node in nodes if node.pool and (node.cordoned or node.quarantined)]
        if not left:
            return ""
        self._observer.tell(
            Warned(
                f"Cordoned after the upgrade, and left so: {_listed(left)}. See why (kubectl describe node NAME); if a "
                "node is healthy: kubectl uncordon NAME"
            )
        )
        return f"left cordoned: {_listed(left)}"


def _behind(nodes: tuple[Node, ...], version: KubernetesVersion, seen: ClusterFacts) -> list[Node]:
    upgraded = {pool.name for pool in seen.pools if pool.upgradable}
    return sorted(
        (n for n in nodes if n.pool in upgraded and n.kubelet is not None and n.kubelet < version),
        key=lambda node: node.name,
    )


def _listed(nodes: list[Node]) -> str:
    more = f" and {len(nodes) - _MOST_NAMES} more" if len(nodes) > _MOST_NAMES else ""
    return ", ".join(node.name for node in nodes[:_MOST_NAMES]) + more
