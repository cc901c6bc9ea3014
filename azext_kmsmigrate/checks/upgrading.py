"""What every check of an upgrade asks first: whether there is one, and to what."""

from __future__ import annotations

from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.migration.version import KubernetesVersion

BEFORE_UPGRADING = frozenset({StepId.DISABLE_KMS, StepId.UPGRADE, StepId.UPGRADE_NODE_POOLS})
"""What would stop the upgrade is asked before KMS is turned off too: afterwards, Secrets would wait in plain text."""


def upgrading(scene: Scene) -> bool:
    """Whether the plan has an upgrade in it."""
    return any(step.id in (StepId.UPGRADE, StepId.UPGRADE_NODE_POOLS) for step in scene.plan.steps)


def target_version(scene: Scene) -> KubernetesVersion:
    """What is upgraded to next, or the version that pools left behind are brought to."""
    return scene.plan.hop.version if scene.plan.hop else scene.cluster.version
