"""C-01 to C-03, C-05 and C-07: whether the cluster's API server can be reached, signed in to and worked with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.secrets import SECRETS
from azext_kmsmigrate.checks.topic import KUBERNETES, NotSeen, Topic, Unseen
from azext_kmsmigrate.migration.step import StepId

_MIB = 1 << 20
_ROLE = "Azure Kubernetes Service RBAC Cluster Admin"


@dataclass(frozen=True)
class Door:
    """How the API server answered ``GET /version``: ``silent`` says why not at all, ``refused`` why with a no.

    ``asked``: False when there was nothing to sign in with, so that nobody went there.
    """

    silent: str = ""
    refused: str = ""
    asked: bool = True


DOOR: Topic[Door] = Topic("the API server", KUBERNETES, again=False)
"""Looked at without patience, so before the first step only: after a change API servers are away for a while."""


@dataclass(frozen=True)
class Right:
    """What somebody may or may not do; ``namespace`` empty means in all of them, or at the cluster's scope."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        where = f" in namespace {self.namespace}" if self.namespace else " in all namespaces" if self.namespaced else ""
        return f"{self.verb} {self.resource}{where}"

    @property
    def namespaced(self) -> bool:
        return self.resource != "nodes"


SYSTEM = "kube-system"
SECRET_RIGHTS = tuple(Right(verb, "secrets") for verb in ("list", "get", "patch"))
SYSTEM_RIGHTS = tuple(Right(verb, "secrets", namespace=SYSTEM) for verb in ("get", "create", "patch", "delete"))
OWN_RIGHTS = (
    *(Right(verb, "configmaps", namespace=SYSTEM) for verb in ("get", "create", "update")),
    *(Right(verb, "leases", "coordination.k8s.io", SYSTEM) for verb in ("get", "create", "update")),
    Right("list", "nodes"),
)
ASKED = (*SECRET_RIGHTS, *SYSTEM_RIGHTS, *OWN_RIGHTS)

LACKING: Topic[frozenset[Right]] = Topic("your rights in the cluster", KUBERNETES)
"""Those of ``ASKED`` that the API server does not grant, as a SelfSubjectAccessReview of each tells."""


@dataclass(frozen=True)
class Storage:
    """How much etcd holds, in bytes: ``apiserver_storage_size_bytes``, by its older names before 1.28."""

    size: int


STORAGE: Topic[Storage] = Topic("the size of etcd", KUBERNETES, again=False)


def _is_reached(scene: Scene) -> Iterator[Finding]:
    cluster, door = scene.cluster, scene.of(DOOR)
    if not door.asked:
        raise NotSeen(DOOR, Unseen("nobody asked it, for want of a sign-in"))
    if not door.silent:
        return
    options = cluster.name.option_text
    fix = "See whether anything answers: az aks command invoke " + options + " --command 'kubectl get --raw /readyz'"
    if cluster.private:
        fix = (
            "The cluster is private: run this from a machine in its network, or in one peered with it and with its "
            f"DNS zone (az aks show {options} --query privateFqdn)"
        )
    elif cluster.authorized_ranges:
        ranges = ",".join(cluster.authorized_ranges)
        fix = f"Add your address: az aks update {options} --api-server-authorized-ip-ranges {ranges},YOUR_ADDRESS/32"
    yield Finding(f"the API server of cluster '{cluster.name.name}'", f"It does not answer: {door.silent}.", fix)


def _is_signed_in_to(scene: Scene) -> Iterator[Finding]:
    cluster, door = scene.cluster, scene.of(DOOR)
    if door.silent:
        raise NotSeen(DOOR, Unseen("it does not answer"))
    if not door.refused:
        return
    fix = f"See whether az gets a credential: az aks get-credentials {cluster.name.option_text} --file -"
    if cluster.entra:
        fix = "Sign in again: az login. Then ask for the role 'Azure Kubernetes Service Cluster User Role' on it."
    yield Finding(f"the API server of cluster '{cluster.name.name}'", f"It does not let you in: {door.refused}.", fix)


def _may_do_all(scene: Scene) -> Iterator[Finding]:
    yield from _lacking(scene, (*SECRET_RIGHTS, *OWN_RIGHTS))


def _may_write_in_kube_system(scene: Scene) -> Iterator[Finding]:
    # Without the right in any namespace C-03 has said so; here it is a rule for this one alone.
    anywhere = {(right.verb, right.resource) for right in scene.of(LACKING) if not right.namespace}
    for finding, right in zip(_lacking(scene, SYSTEM_RIGHTS), _missing(scene, SYSTEM_RIGHTS), strict=True):
        if (right.verb, right.resource) not in anywhere:
            yield finding


def _missing(scene: Scene, rights: tuple[Right, ...]) -> list[Right]:
    lacking = scene.of(LACKING)
    return [right for right in rights if right in lacking]


def _lacking(scene: Scene, rights: tuple[Right, ...]) -> Iterator[Finding]:
    name = scene.cluster.name
    for right in _missing(scene, rights):
        where = f" -n {right.namespace}" if right.namespace else " --all-namespaces" if right.namespaced else ""
        kind = f"{right.resource}.{right.group}" if right.group else right.resource
        yield Finding(
            f"your rights in cluster '{name.name}'",
            f"You may not {right}.",
            f"Ask for the role '{_ROLE}' on the cluster (az role assignment create --role '{_ROLE}' --assignee "
            f"$(az ad signed-in-user show --query id -o tsv) --scope {name.resource_id}), or for the ClusterRole "
            f"cluster-admin. See with: kubectl auth can-i {right.verb} {kind}{where}",
        )


def _size(scene: Scene) -> Judgement:
    storage = scene.of(STORAGE)
    if not storage.size:
        return NotApplicable("the API server does not tell")
    return [
        Finding(
            "etcd",
            f"It holds {storage.size / _MIB:,.0f} MiB, and {scene.of(SECRETS).total:,} Secrets are rewritten twice.",
            f"How long that takes: az aks kms-migrate plan {scene.cluster.name.option_text}",
        )
    ]


_ALWAYS = frozenset(StepId)
_ACCESS = "https://learn.microsoft.com/azure/aks/concepts-identity"
_RBAC = "https://learn.microsoft.com/azure/aks/manage-azure-rbac"

CHECKS = (
    Check(
        "C-01",
        "The API server can be reached from here",
        Category.CLUSTER,
        Severity.BLOCK,
        "Secrets are rewritten through it. A private cluster is reached only from its network, and authorized IP "
        "ranges may exclude you.",
        "https://learn.microsoft.com/azure/aks/private-clusters",
        _ALWAYS,
        _is_reached,
        (DOOR,),
    ),
    Check(
        "C-02",
        "The API server takes your sign-in",
        Category.CLUSTER,
        Severity.BLOCK,
        "Without local accounts it takes Entra ID sign-ins alone, and only of those whom it is told to let in.",
        _ACCESS,
        _ALWAYS,
        _is_signed_in_to,
        (DOOR,),
    ),
    Check(
        "C-03",
        "You may rewrite every Secret, keep a journal and a Lease, and see the nodes",
        Category.CLUSTER,
        Severity.BLOCK,
        "A namespace in which you may not patch Secrets is left behind, and the upgrade may not begin. Whether that is "
        "complete, only the nodes tell.",
        _RBAC,
        _ALWAYS,
        _may_do_all,
        (LACKING,),
    ),
    Check(
        "C-05",
        "You may write Secrets in kube-system",
        Category.CLUSTER,
        Severity.BLOCK,
        "The cluster's own Secrets lie there, and the canary. On AKS Automatic it may be closed to everybody.",
        "https://learn.microsoft.com/azure/aks/intro-aks-automatic",
        _ALWAYS,
        _may_write_in_kube_system,
        (LACKING,),
    ),
    Check(
        "C-07",
        "The size of what is stored is told",
        Category.CLUSTER,
        Severity.INFO,
        "The more there is, the longer two passes over all Secrets take.",
        "https://kubernetes.io/docs/reference/instrumentation/metrics/",
        frozenset({StepId.DISABLE_KMS, StepId.DECRYPT_SECRETS, StepId.ENCRYPT_SECRETS}),
        _size,
        (STORAGE, SECRETS),
    ),
)
