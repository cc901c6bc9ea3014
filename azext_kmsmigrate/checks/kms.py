"""K-01 to K-04 and K-12: what KMS is on the cluster, who uses the key, and what a migration leaves open meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

from azext_kmsmigrate import errors
from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.state import refused
from azext_kmsmigrate.migration.facts import KmsState
from azext_kmsmigrate.migration.step import StepId

_ALWAYS = frozenset(StepId)
_ENABLING = frozenset({StepId.DISABLE_KMS, StepId.UPGRADE, StepId.ENABLE_KMS})
_ARTICLE = "https://learn.microsoft.com/azure/aks/use-kms-etcd-encryption"
_NEWER = "https://learn.microsoft.com/azure/aks/kms-data-encryption"


def _key_is_known(scene: Scene) -> Iterator[Finding]:
    yield from refused(scene, errors.KEY_UNKNOWN)
    cluster = scene.cluster
    if cluster.kms_state is KmsState.OFF and scene.plan.target_kms is not None:
        yield Finding(
            f"cluster '{cluster.name.name}'",
            f"KMS is off already; it is turned on with the key {scene.plan.target_kms.key_id}.",
            "Another key: add --key-id.",
            Severity.INFO,
        )


def _is_kms_v1(scene: Scene) -> Iterator[Finding]:
    if scene.cluster.kms_state is KmsState.V2:
        name = scene.cluster.name
        yield Finding(
            f"cluster '{name.name}'",
            "KMS v2 is on: there is no KMS v1 to migrate from.",
            f"Prove that every Secret is under it: az aks kms-migrate verify {name.option_text}",
        )


def _is_not_the_newer_kms(scene: Scene) -> Iterator[Finding]:
    if scene.cluster.kms_state is KmsState.PLATFORM:
        name = scene.cluster.name
        yield Finding(
            f"cluster '{name.name}'",
            "It uses the newer KMS data encryption, which re-encrypts Secrets itself and cannot be turned off.",
            f"Nothing is left to do. Look at it with: az aks show {name.option_text} --query securityProfile",
        )


def _identity_is_user_assigned(scene: Scene) -> Iterator[Finding]:
    cluster = scene.cluster
    if cluster.identity != "UserAssigned":
        yield Finding(
            f"cluster '{cluster.name.name}'",
            f"Its identity is a {cluster.identity or 'service principal'} one.",
            f"Give it one of its own: az aks update {cluster.name.option_text} --enable-managed-identity "
            "--assign-identity IDENTITY_ID",
        )


def _exposure_is_acknowledged(scene: Scene) -> Judgement:
    if StepId.ENCRYPT_SECRETS not in [s.id for s in scene.plan.steps]:
        return NotApplicable("no Secret is going to be stored without KMS")
    if scene.plan.back:
        return NotApplicable("the way back ends the time in which Secrets are stored without KMS")
    return [
        Finding(
            "Secrets",
            "From turning KMS off until the last of them is rewritten under KMS v2 they are in etcd without KMS, "
            "protected by the encryption of Azure's disks alone.",
            "Confirm it when 'start' asks, or with --yes; see when with: az aks kms-migrate plan "
            f"{scene.cluster.name.option_text}",
        )
    ]


CHECKS = (
    Check(
        "K-01",
        "The key to turn KMS on with is known",
        Category.KMS,
        Severity.BLOCK,
        "The last step turns KMS on with a key: which one has to be known before anything is changed.",
        _ARTICLE,
        _ALWAYS,
        _key_is_known,
    ),
    Check(
        "K-02",
        "The cluster is not on KMS v2 yet",
        Category.KMS,
        Severity.INFO,
        "KMS v2 begins with Kubernetes 1.27; what is on it needs no migration.",
        "https://learn.microsoft.com/azure/aks/use-kms-v2",
        _ALWAYS,
        _is_kms_v1,
    ),
    Check(
        "K-03",
        "The cluster does not use the newer KMS data encryption",
        Category.KMS,
        Severity.INFO,
        "Platform- and customer-managed keys replace KMS v1 and v2, and there is no way back from them.",
        _NEWER,
        _ALWAYS,
        _is_not_the_newer_kms,
    ),
    Check(
        "K-04",
        "The cluster's identity is user-assigned",
        Category.KMS,
        Severity.BLOCK,
        "AKS turns KMS on only for a user-assigned identity, so the last step would be refused, with KMS off.",
        _ARTICLE,
        _ENABLING,
        _identity_is_user_assigned,
    ),
    Check(
        "K-12",
        "No Secret is stored without KMS for a time",
        Category.KMS,
        Severity.WARN,
        "Rules that you are under may ask for a record of that time; the result of 'start' holds it under 'exposure'.",
        "https://learn.microsoft.com/azure/aks/use-kms-v2",
        frozenset({StepId.DISABLE_KMS, StepId.ENCRYPT_SECRETS}),
        _exposure_is_acknowledged,
    ),
)
