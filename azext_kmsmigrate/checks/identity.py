"""K-05: the identity with which the control plane asks the vault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azext_kmsmigrate.checks.check import Category, Check, Finding, Judgement, NotApplicable, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.migration.step import StepId


@dataclass(frozen=True)
class Identity:
    """A user-assigned identity as it is now. ``exists``: false when Azure knows none of that id."""

    resource_id: str
    exists: bool
    principal_id: str = ""
    tenant: str = ""

    @property
    def name(self) -> str:
        return self.resource_id.rpartition("/")[2]


IDENTITIES = Topic[tuple[Identity, ...]]("the identity of the control plane", "Microsoft.ManagedIdentity")
"""Each user-assigned identity that the cluster names."""


def _exists(scene: Scene) -> Judgement:
    if not scene.cluster.surroundings.identities:
        return NotApplicable("the cluster has no user-assigned identity; K-04 is about that")
    return _differences(scene)


def _differences(scene: Scene) -> Iterator[Finding]:
    known = {i.resource_id.lower(): i.principal_id for i in scene.cluster.surroundings.identities}
    name = scene.cluster.name
    for found in scene.of(IDENTITIES):
        subject = f"managed identity '{found.name}'"
        again = f"az aks update {name.option_text} --enable-managed-identity --assign-identity {found.resource_id}"
        if not found.exists:
            group, _, _ = found.resource_id.partition("/providers/")
            yield Finding(
                subject,
                "It does not exist any more: AKS can no longer sign in to the vault.",
                f"Create it again: az identity create -g {group.rpartition('/')[2]} -n {found.name} ; grant it its "
                f"roles again, and type: {again}",
            )
        elif (before := known.get(found.resource_id.lower(), "")) and before.lower() != found.principal_id.lower():
            yield Finding(
                subject,
                f"It was deleted and made again: the cluster knows it as {before}, it now is {found.principal_id}.",
                f"Grant the new one the roles of the old, and type: {again}",
            )


CHECKS = (
    Check(
        "K-05",
        "The cluster's identity exists",
        Category.KMS,
        Severity.BLOCK,
        "Without its identity the control plane reaches no key: it cannot decrypt now, nor encrypt later.",
        "https://learn.microsoft.com/azure/aks/use-kms-etcd-encryption",
        frozenset({StepId.DISABLE_KMS, StepId.DECRYPT_SECRETS, StepId.ENABLE_KMS}),
        _exists,
        (IDENTITIES,),
    ),
)
