"""U-01, U-02 and U-18: whether the versions that Azure offers lead to where the migration ends.

Decided from the live upgrade profile and, for what comes after the first hop, from the versions of the location; never
from arithmetic on versions (https://learn.microsoft.com/azure/aks/supported-kubernetes-versions).
"""

from __future__ import annotations

from collections.abc import Iterator

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import NotSeen, Topic, Unseen
from azext_kmsmigrate.checks.upgrading import BEFORE_UPGRADING
from azext_kmsmigrate.migration.facts import PREMIUM, Offers, SupportPlan
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.migration.upgrade_path import ANY_KMS_V2, Hop, Target, hops

ANY_PLAN = frozenset(SupportPlan)

_PROFILE: Topic[Offers] = Topic("the upgrade profile", "Microsoft.ContainerService")
"""The plan reads it itself; the checks know it from there."""


def _offers(scene: Scene) -> Offers:
    """Raises ``NotSeen``."""
    if not scene.situation.offers.seen:
        right = "Microsoft.ContainerService/managedClusters/upgradeProfiles/read"
        why = "Azure was not asked, or did not tell, what it offers"
        raise NotSeen(_PROFILE, Unseen(why, right if scene.cluster.power == "Running" else ""))
    return scene.situation.offers


def expected_path(scene: Scene, target: Target, plan: SupportPlan) -> tuple[Hop, ...]:
    """Every hop to the target, as far as can be foreseen now; none when they do not lead there under the plan."""
    way = hops(scene.cluster, _offers(scene), target, plan)
    return way if way and target.reached_by(way[-1].version) else ()


def _leads_to(scene: Scene, target: Target) -> bool:
    """Under whatever support plan: whether the cluster's own will do is U-18's."""
    return any(expected_path(scene, target, plan) for plan in (scene.plan.support_plan, SupportPlan.LONG_TERM))


def _upgrade_needed(scene: Scene) -> bool:
    return not scene.plan.target.reached_by(scene.cluster.version)


def _path(scene: Scene) -> Judgement:
    if not _upgrade_needed(scene):
        return NotApplicable(f"the cluster runs Kubernetes {scene.cluster.version}")
    return _no_path(scene)


def _no_path(scene: Scene) -> Iterator[Finding]:
    cluster, offers = scene.cluster, _offers(scene)
    if not _leads_to(scene, ANY_KMS_V2):
        yield Finding(
            f"cluster '{cluster.name.name}'",
            f"Azure offers Kubernetes {cluster.version} no upgrade that leads to 1.27 or later; it offers: "
            f"{_listed(offers)}.",
            f"See what is offered: az aks get-upgrades {cluster.name.option_text} -o table. With nothing offered, move "
            "the workload to a new cluster, or ask Azure support.",
        )


def _target(scene: Scene) -> Judgement:
    if scene.plan.target.open:
        return NotApplicable("no version was asked for")
    if not _upgrade_needed(scene):
        return NotApplicable(f"the cluster runs Kubernetes {scene.cluster.version}")
    return _unoffered_target(scene)


def _unoffered_target(scene: Scene) -> Iterator[Finding]:
    cluster, offers, target = scene.cluster, _offers(scene), scene.plan.target
    if _leads_to(scene, target):
        return
    instead = expected_path(scene, ANY_KMS_V2, scene.plan.support_plan)
    yield Finding(
        f"Kubernetes {target}",
        f"No upgrade from {cluster.version} that is offered leads there. Offered, previews aside: {_listed(offers)}.",
        f"Ask for another: az aks kms-migrate start {cluster.name.option_text} -k {instead[-1].version}"
        if instead
        else f"See what is offered: az aks get-upgrades {cluster.name.option_text} -o table",
    )


def _support_plan(scene: Scene) -> Judgement:
    if not _upgrade_needed(scene):
        return NotApplicable(f"the cluster runs Kubernetes {scene.cluster.version}")
    path = expected_path(scene, scene.plan.target, scene.plan.support_plan)
    dear = expected_path(scene, scene.plan.target, SupportPlan.LONG_TERM)
    if not path and not dear:
        return NotApplicable("no upgrade is offered: see U-01 and U-02")
    return _plan_missing(scene, path, dear)


def _plan_missing(scene: Scene, path: tuple[Hop, ...], dear: tuple[Hop, ...]) -> Iterator[Finding]:
    cluster, plans = scene.cluster, _offers(scene).plans
    has = cluster.support_plan
    if has is SupportPlan.LONG_TERM and cluster.tier.lower() != PREMIUM.lower():
        yield Finding(
            f"tier '{cluster.tier or 'Free'}'",
            "The cluster has long-term support, which AKS gives with the tier Premium only: it refuses every change.",
            f"Type: az aks update {cluster.name.option_text} --tier premium",
        )
    for hop in path or dear:
        has = hop.plan if path and hop.plan else has
        if has is not SupportPlan.LONG_TERM and SupportPlan.COMMUNITY not in plans.get(hop.version.line, ANY_PLAN):
            yield Finding(
                f"Kubernetes {hop.version}",
                "AKS has this version under long-term support only, which needs the tier Premium (it costs more).",
                f"Type: az aks kms-migrate start {cluster.name.option_text} --tier premium "
                f"--k8s-support-plan {SupportPlan.LONG_TERM.value}",
            )
            return


def _listed(offers: Offers) -> str:
    return ", ".join(map(str, sorted(offers.versions))) or "nothing"


_LINK = "https://learn.microsoft.com/azure/aks/supported-kubernetes-versions"

CHECKS = (
    Check(
        "U-01",
        "Azure offers a way to Kubernetes 1.27 or later",
        Category.UPGRADE,
        Severity.BLOCK,
        "KMS v2 needs 1.27. With no way there, turning KMS off would leave Secrets unencrypted.",
        _LINK,
        BEFORE_UPGRADING - {StepId.UPGRADE_NODE_POOLS},
        _path,
    ),
    Check(
        "U-02",
        "Azure offers a way to the version asked for",
        Category.UPGRADE,
        Severity.BLOCK,
        "An upgrade that is not offered is refused, with KMS off by then.",
        _LINK,
        BEFORE_UPGRADING - {StepId.UPGRADE_NODE_POOLS},
        _target,
    ),
    Check(
        "U-18",
        "The cluster's support plan has the versions on the way",
        Category.UPGRADE,
        Severity.BLOCK,
        "AKS refuses a version that the cluster's support plan does not have.",
        "https://learn.microsoft.com/azure/aks/long-term-support",
        BEFORE_UPGRADING - {StepId.UPGRADE_NODE_POOLS},
        _support_plan,
    ),
)
