"""A node as the cluster shows it: what an upgrade has to find and to leave."""

from __future__ import annotations

from dataclasses import dataclass

from azext_kmsmigrate.migration.version import KubernetesVersion


@dataclass(frozen=True)
class Node:
    """``pool``: its agent pool, empty for a node that AKS does not upgrade with the cluster (virtual nodes, and those
    that node provisioning makes). ``kubelet``: None where it reports no Kubernetes version. ``quarantined``: an upgrade
    could not drain it and set it aside.
    """

    name: str
    pool: str = ""
    kubelet: KubernetesVersion | None = None
    cordoned: bool = False
    ready: bool = True
    quarantined: bool = False
