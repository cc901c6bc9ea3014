"""AZ-08 and V-12: what Azure Policy will say to the steps, as Azure itself foretells it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.key import NO_NEW_KEY
from azext_kmsmigrate.checks.key_sight import new_kms
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.migration.facts import NetworkAccess
from azext_kmsmigrate.migration.step import StepId


@dataclass(frozen=True)
class PolicyDenial:
    """A policy assignment that will deny a change. ``change``: of which one, in words that end "... is denied"."""

    assignment_id: str
    change: str

    @property
    def name(self) -> str:
        return self.assignment_id.rpartition("/")[2]


CLUSTER_POLICY = Topic[tuple[PolicyDenial, ...]]("the policies on the cluster", "Microsoft.PolicyInsights")
"""For the cluster as it will be with KMS off, and as it will be with KMS on again."""

ENDPOINT_POLICY = Topic[tuple[PolicyDenial, ...]]("the policies on a private endpoint", "Microsoft.PolicyInsights")
"""For a private endpoint to the vault in the node resource group; nothing with a public vault."""


def _cluster(scene: Scene) -> Iterator[Finding]:
    for denial in scene.of(CLUSTER_POLICY):
        yield _finding(scene, denial, scene.cluster.name.resource_id, f"cluster '{scene.cluster.name.name}'")


def _endpoint(scene: Scene) -> Judgement:
    kms = new_kms(scene)
    if kms is None:
        return NO_NEW_KEY
    if kms.network_access is not NetworkAccess.PRIVATE:
        return NotApplicable("the vault is used over its public endpoint")
    name = scene.cluster.name
    group = scene.cluster.surroundings.node_group
    scope = f"/subscriptions/{name.subscription}/resourceGroups/{group}"
    return tuple(
        _finding(scene, denial, scope, f"node resource group '{group}'") for denial in scene.of(ENDPOINT_POLICY)
    )


def _finding(scene: Scene, denial: PolicyDenial, scope: str, subject: str) -> Finding:
    return Finding(
        subject,
        f"Policy assignment '{denial.name}' will deny this: {denial.change}.",
        "Have it exempted for the time of the migration: az policy exemption create --name kms-migrate "
        f"--exemption-category Waiver --scope {scope} --policy-assignment {denial.assignment_id} ; where Azure "
        "foretells the denial all the same then, leave the check out with --skip-check.",
        # Azure says here what it will answer; what it cannot say beforehand stays unsaid.
        Severity.BLOCK,
    )


_CHANGES = frozenset({StepId.DISABLE_KMS, StepId.UPGRADE, StepId.ENABLE_KMS})

CHECKS = (
    Check(
        "AZ-08",
        "No policy denies the changes of the cluster",
        Category.AZURE,
        Severity.WARN,
        "A policy that allows KMS to be turned off but not on with the new key leaves Secrets without KMS.",
        "https://learn.microsoft.com/azure/governance/policy/concepts/effect-deny",
        _CHANGES,
        _cluster,
        (CLUSTER_POLICY,),
    ),
    Check(
        "V-12",
        "No policy denies a private endpoint to the vault",
        Category.VAULT,
        Severity.WARN,
        "AKS makes the endpoint in the node resource group when KMS is turned on.",
        "https://learn.microsoft.com/azure/governance/policy/concepts/effect-deny",
        frozenset({StepId.DISABLE_KMS, StepId.ENABLE_KMS}),
        _endpoint,
        (ENDPOINT_POLICY,),
    ),
)
