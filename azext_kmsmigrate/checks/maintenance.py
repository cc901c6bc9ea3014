"""U-12: who else may upgrade the cluster while it is migrated.

A change of the channel takes up to 24 hours to show; maintenance windows bind automatic upgrades only
(https://learn.microsoft.com/azure/aks/planned-maintenance).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Category, Check, Finding, Severity
from azext_kmsmigrate.checks.profile import PROFILE
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.migration.step import StepId


@dataclass(frozen=True)
class Window:
    """One maintenance configuration (``aksManagedAutoUpgradeSchedule``). ``start``: the time of day, if it has one."""

    name: str
    start: str = ""

    def __str__(self) -> str:
        return f"{self.name} (from {self.start})" if self.start else self.name


WINDOWS: Topic[tuple[Window, ...]] = Topic("maintenance configurations", "Microsoft.ContainerService")


def _automatic_upgrades(scene: Scene) -> Iterator[Finding]:
    channel = scene.of(PROFILE).upgrade_channel
    if channel in ("", "none"):
        return
    windows = [w for w in scene.of(WINDOWS) if w.name in ("default", "aksManagedAutoUpgradeSchedule")]
    when = f"in its window {', '.join(map(str, windows))}" if windows else "at any time: it has no maintenance window"
    yield Finding(
        f"auto-upgrade channel '{channel}'",
        f"AKS may upgrade the cluster by itself {when}. An operation of its own stops the migration until it ends.",
        f"For the time of the migration (a day before it, it takes that long): "
        f"az aks update {scene.cluster.name.option_text} --auto-upgrade-channel none",
    )


CHECKS = (
    Check(
        "U-12",
        "AKS does not upgrade the cluster by itself meanwhile",
        Category.UPGRADE,
        Severity.WARN,
        "Azure does one operation at a time; another in between makes every proof be made anew.",
        "https://learn.microsoft.com/azure/aks/auto-upgrade-cluster",
        frozenset(StepId),
        _automatic_upgrades,
        (PROFILE, WINDOWS),
    ),
)
