"""U-07: APIs that clients still ask for and that a version on the way no longer serves.

API servers count such requests since they were started; AKS looks at the last twelve hours, and refuses a change of the
minor version (``UpgradeBlockedOnDeprecatedAPIUsage``, https://learn.microsoft.com/azure/aks/stop-cluster-upgrade-api-breaking-changes).
The counters do not tell which client it was. Flow control is the business of system components: what AKS runs itself
has been counted there too (Azure/AKS#3984, #4951), so that one only warns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import KUBERNETES, Topic
from azext_kmsmigrate.checks.upgrading import BEFORE_UPGRADING, target_version
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.migration.version import KubernetesVersion

_OF_THE_SYSTEM = frozenset({"flowcontrol.apiserver.k8s.io"})


@dataclass(frozen=True)
class DeprecatedApi:
    """One API that was asked for. ``removed_in``: the first minor version without it, as (major, minor)."""

    group: str
    version: str
    resource: str
    removed_in: tuple[int, int]

    @property
    def title(self) -> str:
        return f"{self.resource}.{self.version}.{self.group}" if self.group else f"{self.resource}.{self.version}"


DEPRECATED_APIS: Topic[tuple[DeprecatedApi, ...]] = Topic("deprecated APIs in use", KUBERNETES)


def removed_between(current: KubernetesVersion, target: KubernetesVersion, api: DeprecatedApi) -> bool:
    """Whether an upgrade from one to the other takes the API away."""
    return current.line < api.removed_in <= target.line


def _uses(scene: Scene) -> Judgement:
    if all(step.id is not StepId.UPGRADE for step in scene.plan.steps):
        return NotApplicable("no upgrade of the control plane is planned")
    return _in_use(scene)


def _in_use(scene: Scene) -> Iterator[Finding]:
    cluster = scene.cluster
    # Hops after the first are not known for certain: what the target asks for is crossed in any case.
    target = max(target_version(scene), scene.plan.target.at_least)
    forced = scene.goal.force_until is not None
    for api in scene.of(DEPRECATED_APIS):
        if not removed_between(cluster.version, target, api):
            continue
        gone = f"Kubernetes {api.removed_in[0]}.{api.removed_in[1]} no longer serves it."
        if api.group in _OF_THE_SYSTEM:
            yield Finding(
                f"API {api.title}",
                f"It was asked for, and {gone} System components ask for it, so it need not be a client of yours.",
                f"See whether objects of yours use it: kubectl get {api.title} -A",
                Severity.WARN,
            )
            continue
        yield Finding(
            f"API {api.title}",
            f"A client has asked for it since the API server was started, and {gone} AKS refuses the upgrade when that "
            "was in the last 12 hours.",
            f"Find the client (az aks show {cluster.name.option_text} --query id, then 'Diagnose and solve problems' > "
            "'Selected Kubernetes API deprecations' in the portal), move it to the newer API and wait 12 hours; or "
            "pass over it: --force-upgrade-until TIME",
            Severity.WARN if forced else Severity.BLOCK,
        )


CHECKS = (
    Check(
        "U-07",
        "No client asks for an API that the upgrade takes away",
        Category.UPGRADE,
        Severity.BLOCK,
        "AKS stops an upgrade that would break a client, with KMS off by then.",
        "https://learn.microsoft.com/azure/aks/stop-cluster-upgrade-api-breaking-changes",
        BEFORE_UPGRADING - {StepId.UPGRADE_NODE_POOLS},
        _uses,
        (DEPRECATED_APIS,),
    ),
)
