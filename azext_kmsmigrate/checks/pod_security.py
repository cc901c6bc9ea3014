"""U-15: PodSecurityPolicies, which Kubernetes 1.25 took away."""

from __future__ import annotations

from collections.abc import Iterator

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.profile import PROFILE
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import KUBERNETES, Topic
from azext_kmsmigrate.checks.upgrading import BEFORE_UPGRADING, upgrading

_GONE_FROM = (1, 25)

POLICIES: Topic[tuple[str, ...]] = Topic("PodSecurityPolicies", KUBERNETES)
"""Their names; none where the API server does not know the kind."""


def _policies(scene: Scene) -> Judgement:
    if scene.cluster.version.line >= _GONE_FROM:
        return NotApplicable("Kubernetes has had none since 1.25")
    if not upgrading(scene):
        return NotApplicable("no upgrade is planned")
    return _left(scene)


def _left(scene: Scene) -> Iterator[Finding]:
    if scene.of(PROFILE).pod_security_policy:
        yield Finding(
            f"cluster '{scene.cluster.name.name}'",
            "It enforces PodSecurityPolicies: AKS refuses its upgrade to 1.25 or later.",
            f"Move to Pod Security Admission, then: az aks update {scene.cluster.name.option_text} "
            "--disable-pod-security-policy (with the extension aks-preview)",
        )
        return
    if names := scene.of(POLICIES):
        yield Finding(
            f"PodSecurityPolicy {', '.join(names[:5])}" + (f" and {len(names) - 5} more" if len(names) > 5 else ""),
            "It is not enforced, and goes away with 1.25.",
            "Keep a copy, if it may serve as a model: kubectl get psp -o yaml",
            Severity.WARN,
        )


CHECKS = (
    Check(
        "U-15",
        "No PodSecurityPolicy is enforced",
        Category.UPGRADE,
        Severity.BLOCK,
        "AKS refuses the upgrade to 1.25 while they are enforced.",
        "https://learn.microsoft.com/azure/aks/use-pod-security-policies",
        BEFORE_UPGRADING,
        _policies,
        (PROFILE, POLICIES),
    ),
)
