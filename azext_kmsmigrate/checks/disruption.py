"""U-06: PodDisruptionBudgets that keep nodes from being drained.

AKS refuses an upgrade when a budget can never let a pod go (``UnsatisfiablePDB``); one that lets none go just now makes
the drain wait, and fail after its time (``PodDrainFailure``). That is AKS's own affair in kube-system, where its own
budgets are; one that can never let a pod go is not AKS's, and is in the way there too. Changes of the cluster other
than upgrades have been refused for them too (Azure/AKS#4805).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import KUBERNETES, Topic
from azext_kmsmigrate.checks.upgrading import BEFORE_UPGRADING, upgrading

_OF_AKS = "kube-system"


@dataclass(frozen=True)
class Budget:
    """One PodDisruptionBudget. The bounds as typed: a number, a share (``100%``), or empty.

    ``expected``: the pods it counts on; ``desired``: how many of them must stay; ``allowed``: how many may go now.
    """

    namespace: str
    name: str
    min_available: str = ""
    max_unavailable: str = ""
    expected: int = 0
    desired: int = 0
    allowed: int = 0

    @property
    def lets_none_go_ever(self) -> str:
        """Why no pod of it can ever be evicted, in AKS's words; empty when one can."""
        if self.max_unavailable in ("0", "0%"):
            return "maxUnavailable == 0"
        if self.min_available and self.expected and self.desired >= self.expected:
            return f"minAvailable ({self.min_available}) >= expectedPods ({self.expected})"
        return ""


BUDGETS: Topic[tuple[Budget, ...]] = Topic("PodDisruptionBudgets", KUBERNETES)


def _evictions(scene: Scene) -> Judgement:
    if not upgrading(scene):
        return NotApplicable("no upgrade is planned")
    return _in_the_way(scene)


def _in_the_way(scene: Scene) -> Iterator[Finding]:
    forced = scene.goal.force_until is not None
    for budget in scene.of(BUDGETS):
        subject = f"PodDisruptionBudget {budget.namespace}/{budget.name}"
        where = f"-n {budget.namespace}"
        if why := budget.lets_none_go_ever:
            yield Finding(
                subject,
                f"It never lets a pod go: {why}. AKS refuses the upgrade (UnsatisfiablePDB).",
                f"For the time of the upgrade: kubectl {where} patch pdb {budget.name} --type merge -p "
                '\'{"spec":{"minAvailable":null,"maxUnavailable":1}}\' '
                "(or run one pod more than it keeps; or pass over all of them: --force-upgrade-until TIME)",
                Severity.WARN if forced else Severity.BLOCK,
            )
        elif budget.expected and not budget.allowed and budget.namespace != _OF_AKS:
            yield Finding(
                subject,
                "It lets no pod go just now: some of its pods are not ready. A node that runs one of them is not "
                "drained until they are, and the upgrade fails after the drain's time (30 minutes).",
                f"Look at its pods: kubectl {where} describe pdb {budget.name}",
                Severity.WARN,
            )


CHECKS = (
    Check(
        "U-06",
        "Every PodDisruptionBudget lets a pod go",
        Category.UPGRADE,
        Severity.BLOCK,
        "A node is upgraded only after its pods have left it.",
        "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/create-upgrade-delete/error-code-unsatisfiablepdb",
        BEFORE_UPGRADING,
        _evictions,
        (BUDGETS,),
    ),
)
