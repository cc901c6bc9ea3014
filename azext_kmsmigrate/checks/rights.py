"""AZ-06, and what a right is: the actions that roles give, judged with Azure's wildcards.

A role is judged by its actions, never by its name. https://learn.microsoft.com/azure/role-based-access-control/role-definitions
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from azext_kmsmigrate.checks.check import Category, Check, Finding, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.migration.step import StepId


@dataclass(frozen=True)
class Permission:
    """One entry of a role's ``permissions``: what it gives, less what it takes out."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()

    def allows(self, action: str) -> bool:
        return _any(self.actions, action) and not _any(self.not_actions, action)

    def allows_data(self, action: str) -> bool:
        return _any(self.data_actions, action) and not _any(self.not_data_actions, action)


@dataclass(frozen=True)
class Assignment:
    """A role that a principal has on a scope, itself or through a group. ``role`` is its name, for people."""

    scope: str
    role: str
    permissions: tuple[Permission, ...]
    created: datetime | None = None


@dataclass(frozen=True)
class Denial:
    """A deny assignment that names the principal or everyone."""

    name: str
    scope: str
    permissions: tuple[Permission, ...]


@dataclass(frozen=True)
class Grants:
    """What a principal may do on a key and on what is above it."""

    assignments: tuple[Assignment, ...] = ()
    denials: tuple[Denial, ...] = ()

    def giving(self, action: str, resource: str, *, data: bool) -> tuple[Assignment, ...]:
        """The assignments that give an action (or a data action) on a resource."""
        return tuple(a for a in self.assignments if _gives(a, action, resource, data=data))

    def denying(self, action: str, resource: str, *, data: bool) -> tuple[Denial, ...]:
        return tuple(d for d in self.denials if _gives(d, action, resource, data=data))


def covers(scope: str, resource: str) -> bool:
    """Whether what is said of a scope holds for a resource: Azure's ids are paths, and know no case.

    A management group is in nobody's path; Azure lists for a resource only those that it is in.
    """
    above, below = scope.rstrip("/").lower(), resource.rstrip("/").lower()
    return below == above or below.startswith(above + "/") or above.startswith(_MANAGEMENT_GROUPS)


def _gives(rule: Assignment | Denial, action: str, resource: str, *, data: bool) -> bool:
    return covers(rule.scope, resource) and any(
        p.allows_data(action) if data else p.allows(action) for p in rule.permissions
    )


def _any(patterns: Iterable[str], action: str) -> bool:
    return any(re.fullmatch(".*".join(map(re.escape, p.split("*"))), action, re.IGNORECASE) for p in patterns)


_MANAGEMENT_GROUPS = "/providers/microsoft.management/managementgroups/"

CALLER = Topic[tuple[Permission, ...]]("your permissions at the cluster", "Microsoft.Authorization")
"""What Azure says that the signed-in user may do there: one entry for each role."""

_CLUSTER = "Microsoft.ContainerService/managedClusters"
_CHANGES = frozenset({StepId.DISABLE_KMS, StepId.UPGRADE, StepId.ENABLE_KMS})
_NEEDED = {
    f"{_CLUSTER}/read": frozenset(StepId),
    f"{_CLUSTER}/write": _CHANGES,
    f"{_CLUSTER}/listClusterUserCredential/action": frozenset(StepId),
    f"{_CLUSTER}/upgradeProfiles/read": frozenset({StepId.UPGRADE}),
    f"{_CLUSTER}/agentPools/read": frozenset({StepId.UPGRADE_NODE_POOLS}),
    f"{_CLUSTER}/agentPools/write": frozenset({StepId.UPGRADE_NODE_POOLS}),
}


def _caller(scene: Scene) -> Iterator[Finding]:
    steps = {step.id for step in scene.plan.steps}
    mine = scene.of(CALLER)
    missing = [a for a, needing in _NEEDED.items() if steps & needing and not any(p.allows(a) for p in mine)]
    if missing:
        name = scene.cluster.name
        yield Finding(
            f"cluster '{name.name}'",
            f"You may not do this there: {', '.join(missing)}.",
            "Ask for a role that has it; type (as its owner): az role assignment create --assignee YOUR-SIGN-IN "
            f'--role "Azure Kubernetes Service Contributor Role" --scope {name.resource_id}',
        )


CHECKS = (
    Check(
        "AZ-06",
        "You may do what the steps need",
        Category.AZURE,
        Severity.BLOCK,
        "A right that lacks midway leaves the cluster between two steps.",
        "https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/containers",
        frozenset(StepId),
        _caller,
        (CALLER,),
    ),
)
