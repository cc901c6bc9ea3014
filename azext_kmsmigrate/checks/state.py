"""AZ-01 to AZ-05: whether the cluster is there, at work and at rest.

Where the plan itself refuses (a stopped cluster has no plan), the check tells what the plan says: the question is
asked in one place.
"""

from __future__ import annotations

from collections.abc import Iterator

from azext_kmsmigrate import errors
from azext_kmsmigrate.checks.check import Category, Check, Finding, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.errors import Entry
from azext_kmsmigrate.migration.plan import Preparation
from azext_kmsmigrate.migration.step import StepId

_ALWAYS = frozenset(StepId)


def refused(scene: Scene, entry: Entry) -> Iterator[Finding]:
    """What the plan is blocked by, when it is this entry."""
    blocked = scene.plan.blocked
    if blocked is not None and blocked.entry is entry:
        yield Finding(f"cluster '{scene.cluster.name.name}'", blocked.what, blocked.fix)


def _is_there(scene: Scene) -> Iterator[Finding]:
    yield from refused(scene, errors.CLUSTER_DELETING)


def _is_started(scene: Scene) -> Iterator[Finding]:
    yield from refused(scene, errors.CLUSTER_STOPPED)


def _last_operation_succeeded(scene: Scene) -> Iterator[Finding]:
    yield from refused(scene, errors.CLUSTER_FAILED)
    if scene.plan.preparation is Preparation.RECONCILE:
        yield Finding(
            f"cluster '{scene.cluster.name.name}'",
            f"The last operation of this migration ended '{scene.cluster.state}'; the run reconciles the cluster once.",
            f"Type: az aks kms-migrate start {scene.cluster.name.option_text}",
            Severity.INFO,
        )


def _no_operation_under_way(scene: Scene) -> Iterator[Finding]:
    yield from refused(scene, errors.CLUSTER_BUSY)
    if scene.plan.preparation is Preparation.WAIT:
        yield Finding(
            f"cluster '{scene.cluster.name.name}'",
            f"An operation of this migration is under way ('{scene.cluster.state}'); the run follows it to its end.",
            f"Type: az aks kms-migrate start {scene.cluster.name.option_text}",
            Severity.INFO,
        )


def _pools(scene: Scene) -> Iterator[Finding]:
    """For a pool that failed AKS refuses upgrades and turning KMS on; one that is stopped is in the way of upgrades."""
    name = scene.cluster.name
    # Where our own operation left it failed, the run begins with Azure's remedy.
    failed = Severity.INFO if scene.plan.preparation is Preparation.RECONCILE else Severity.BLOCK
    upgrading = any(s.id in (StepId.UPGRADE, StepId.UPGRADE_NODE_POOLS) for s in scene.plan.steps)
    for pool in scene.cluster.pools:
        options = f"{name.pool_option_text} -n {pool.name}"
        if pool.state in ("Failed", "Canceled"):
            yield Finding(
                f"node pool '{pool.name}'",
                f"Its last operation ended '{pool.state}'.",
                f"Repair it, for example with: az aks nodepool upgrade {options} -k {pool.version}",
                failed,
            )
        elif pool.power != "Running":
            yield Finding(
                f"node pool '{pool.name}'",
                f"It is {pool.power.lower()}, and is not upgraded until it runs.",
                f"Start it (az aks nodepool start {options}), or delete it when nobody needs it.",
                Severity.BLOCK if upgrading else Severity.WARN,
            )


CHECKS = (
    Check(
        "AZ-01",
        "The cluster is there",
        Category.AZURE,
        Severity.BLOCK,
        "A cluster that is being deleted has nothing left to migrate.",
        "https://learn.microsoft.com/cli/azure/aks",
        _ALWAYS,
        _is_there,
    ),
    Check(
        "AZ-02",
        "The cluster is started",
        Category.AZURE,
        Severity.BLOCK,
        "A stopped cluster has no API server to rewrite Secrets with.",
        "https://learn.microsoft.com/azure/aks/start-stop-cluster",
        _ALWAYS,
        _is_started,
    ),
    Check(
        "AZ-03",
        "The last operation on the cluster succeeded",
        Category.AZURE,
        Severity.BLOCK,
        "What an operation of somebody else's left behind when it failed is not known.",
        "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/availability-performance/"
        "cluster-node-virtual-machine-failed-state",
        _ALWAYS,
        _last_operation_succeeded,
    ),
    Check(
        "AZ-04",
        "Every node pool runs, and its last operation succeeded",
        Category.AZURE,
        Severity.BLOCK,
        "AKS refuses to upgrade a cluster with a failed node pool; KMS would stay off meanwhile.",
        "https://learn.microsoft.com/azure/aks/upgrade-aks-cluster",
        _ALWAYS - {StepId.DECRYPT_SECRETS, StepId.ENCRYPT_SECRETS},  # a rewrite needs no node
        _pools,
    ),
    Check(
        "AZ-05",
        "No other operation is under way",
        Category.AZURE,
        Severity.BLOCK,
        "AKS does one operation at a time on a cluster, and somebody else's may change the plan.",
        "https://learn.microsoft.com/azure/aks/manage-abort-operations",
        _ALWAYS,
        _no_operation_under_way,
    ),
)
