"""K-09, K-10 and C-06: how many Secrets there are, and whether each of them can be read now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from azext_kmsmigrate.checks.check import Category, Check, Finding, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import KUBERNETES, Topic
from azext_kmsmigrate.migration.facts import KmsState
from azext_kmsmigrate.migration.secret import FailedSecret, FailureClass
from azext_kmsmigrate.migration.step import StepId

_V1_LIMIT = 2000  # Secrets that AKS supports under KMS v1


@dataclass(frozen=True)
class SecretsSeen:
    """One walk over the metadata of all Secrets.

    ``per_namespace``: namespace to how many were listed, in order. ``unreadable``: those that the API server could
    not list, by name where it named them; ``*`` stands for all that came behind. ``immutable``: how many somebody has
    marked so, as far as managedFields tell.
    """

    per_namespace: tuple[tuple[str, int], ...] = ()
    unreadable: tuple[FailedSecret, ...] = ()
    immutable: int = 0

    @property
    def total(self) -> int:
        return sum(count for _, count in self.per_namespace)


SECRETS: Topic[SecretsSeen] = Topic("Secrets", KUBERNETES, seconds=300.0, again=False)
"""A list of Secrets makes the API server decrypt each of them: what is listed is readable now."""


def _few_enough(scene: Scene) -> Iterator[Finding]:
    seen = scene.of(SECRETS)
    if scene.cluster.kms_state is KmsState.V1 and seen.total > _V1_LIMIT:
        namespace, count = max(seen.per_namespace, key=lambda entry: entry[1])
        yield Finding(
            f"cluster '{scene.cluster.name.name}'",
            f"It has {seen.total:,} Secrets; AKS supports {_V1_LIMIT:,} under KMS v1. Most are in namespace "
            f"'{namespace}': {count:,}.",
            "Lists may be slow until KMS v1 is off. Delete what nobody needs: "
            f"kubectl -n {namespace} get secrets --sort-by=.metadata.creationTimestamp",
        )


def _all_readable(scene: Scene) -> Iterator[Finding]:
    """Before KMS is turned off an unreadable Secret stops the run; later the proof judges it, and others go first."""
    weight = Severity.BLOCK if StepId.DISABLE_KMS in [s.id for s in scene.plan.steps] else Severity.WARN
    for failed in scene.of(SECRETS).unreadable:
        if failed.name == "*":
            place = "any namespace" if failed.namespace == "*" else f"namespace '{failed.namespace}'"
            yield Finding(
                f"Secrets in {place}", f"They cannot be listed: {_words(failed)}.", _fix(scene, failed), weight
            )
        else:
            yield Finding(
                f"Secret {failed.namespace}/{failed.name}",
                f"It cannot be read: {_words(failed)}.",
                _fix(scene, failed),
                weight,
            )


def _words(failed: FailedSecret) -> str:
    return f"{failed.kind.value} ({failed.detail})" if failed.detail else failed.kind.value


def _fix(scene: Scene, failed: FailedSecret) -> str:
    vault = urlsplit(scene.cluster.kms.key_id).netloc.partition(".")[0] or "VAULT"
    if failed.kind is FailureClass.UNDECRYPTABLE:
        bring_back = (
            f"az keyvault key list-deleted --vault-name {vault}; az keyvault key recover --vault-name {vault} -n KEY"
        )
        if failed.name == "*":
            return f"Bring back the key version they were encrypted with: {bring_back}"
        return (
            f"Bring back the key version it was encrypted with ({bring_back}), or, when it may go: "
            f"kubectl -n {failed.namespace} delete secret {failed.name}"
        )
    if failed.kind is FailureClass.KEY_UNAVAILABLE:
        return f"See that the key is enabled and its vault in reach: az keyvault key list --vault-name {vault} -o table"
    if failed.kind is FailureClass.FORBIDDEN:
        return "Ask for 'Azure Kubernetes Service RBAC Cluster Admin' on the cluster, or the ClusterRole cluster-admin."
    return f"Look at the API server's health (kubectl get --raw '/readyz?verbose'), then check again: {failed.remedy}."


def _none_immutable(scene: Scene) -> Iterator[Finding]:
    if immutable := scene.of(SECRETS).immutable:
        yield Finding(
            "Secrets",
            f"{immutable:,} of them are marked immutable. The rewrite changes nothing in them, so they are rewritten "
            "like all others.",
            "Nothing has to be done.",
        )


_READING = frozenset({StepId.DISABLE_KMS, StepId.DECRYPT_SECRETS, StepId.ENCRYPT_SECRETS})
_ARTICLE = "https://learn.microsoft.com/azure/aks/use-kms-etcd-encryption"

KEY_CHECKS = (
    Check(
        "K-09",
        "There are no more Secrets than KMS v1 is supported for",
        Category.KMS,
        Severity.WARN,
        "KMS v1 asks Key Vault for each Secret, so lists and the rewrite may be slow or time out.",
        _ARTICLE,
        frozenset({StepId.DISABLE_KMS}),
        _few_enough,
        (SECRETS,),
    ),
    Check(
        "K-10",
        "Every Secret can be read",
        Category.KMS,
        Severity.BLOCK,
        "A Secret that no key decrypts cannot be rewritten, and after the upgrade it is lost for good.",
        _ARTICLE,
        _READING,
        _all_readable,
        (SECRETS,),
    ),
)

CLUSTER_CHECKS = (
    Check(
        "C-06",
        "No Secret is marked immutable",
        Category.CLUSTER,
        Severity.INFO,
        "An immutable Secret refuses a change of its data; the rewrite makes none.",
        "https://kubernetes.io/docs/concepts/configuration/secret/#secret-immutable",
        _READING,
        _none_immutable,
        (SECRETS,),
    ),
)

CHECKS = (*KEY_CHECKS, *CLUSTER_CHECKS)
