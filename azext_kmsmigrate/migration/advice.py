"""What the user has to know before agreeing to a plan, and what stays to be done by hand. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azext_kmsmigrate.migration.code import tools_named
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsState, NetworkAccess, SupportPlan
from azext_kmsmigrate.migration.plan import Plan
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.migration.version import KubernetesVersion

_PLATFORM_KMS_FROM = KubernetesVersion(1, 33, 0)


@dataclass(frozen=True)
class Manual:
    """Something that this tool leaves to the user: what, and the command or place; empty where there is none."""

    what: str
    command: str = ""


def warnings(cluster: ClusterFacts, plan: Plan) -> Iterator[str]:
    """What cannot be undone, what is not certain, and what costs money: one sentence each."""
    ids = [step.id for step in plan.steps]
    final = [step.id.value for step in plan.steps if not step.reversible]
    if final:
        yield f"Cannot be undone: {', '.join(final)}. Kubernetes never goes back to an older version."
    if StepId.UPGRADE in ids:
        yield "With the upgrade goes the way back to KMS v1."
    if StepId.ENCRYPT_SECRETS in ids and cluster.kms_state in (KmsState.V1, KmsState.OFF):
        form = "KMS v1 again" if plan.back else "KMS v2"
        yield f"Secrets are stored without KMS until the last of them is rewritten under {form}."
    if plan.hop and plan.hop.whole and cluster.supported is False:
        yield (
            f"AKS no longer supports Kubernetes {cluster.version.major}.{cluster.version.minor}. Microsoft calls the "
            "upgrade of such a cluster a recovery path that it cannot guarantee to be safe; a new cluster may be the "
            "better way for what runs here."
        )
    for hop in plan.hops:
        if hop.plan is SupportPlan.LONG_TERM:
            yield (
                f"The upgrade to {hop.version} moves the cluster to the Premium tier and to long term support, which "
                "cost money; once the community's support for the version has ended there is no way out of it."
            )
        if hop.conditional:
            yield (
                f"Azure lists {hop.version} under long term support, but does not offer it to this cluster yet: it "
                "decides when it is asked. Should it refuse, KMS can be turned on again on the version of now."
            )
    if len(plan.hops) > 1:
        further = ", ".join(str(hop.version) for hop in plan.hops[1:])
        yield f"Only the next upgrade is firm; {further} is what Azure lists today, and is planned anew each time."


def manual(cluster: ClusterFacts, plan: Plan) -> Iterator[Manual]:
    """What no step does. Nothing when there is nothing to do."""
    if not plan.pending or plan.target_kms is None:
        return
    name = cluster.name.option_text
    old, new = cluster.kms.key_id, plan.target_kms.key_id
    if old:
        yield Manual(
            f"Keep the key {old}, enabled and not expired: AKS needs it after KMS was turned off, and so do backups "
            "of etcd"
        )
    final = _final(new, "" if plan.back else str(last_version(cluster, plan)))
    yield Manual(
        "Pause pipelines, Terraform, Bicep and GitOps that write to this cluster, and bring their code to its final "
        f"state ({final}), or their next run undoes what is done here"
    )
    if plan.target_kms.network_access is NetworkAccess.PRIVATE:
        yield Manual(
            "See that the private endpoint to the vault is approved once KMS is on",
            f"az network private-endpoint-connection list --id {plan.target_kms.vault_id} -o table",
        )
    left = [pool.name for pool in cluster.pools if pool.version < cluster.version]
    if left and not any(hop.whole for hop in plan.hops) and StepId.UPGRADE_NODE_POOLS not in [s.id for s in plan.steps]:
        yield Manual(
            f"Upgrade the node pools that were behind before: {', '.join(left)}",
            f"az aks nodepool upgrade {cluster.name.pool_option_text} -n {left[0]} -k {cluster.version}",
        )
    if not plan.hops and plan.support_plan is SupportPlan.LONG_TERM is not cluster.support_plan:
        yield Manual(
            "Long term support goes with an upgrade only, and none is needed: ask for it by itself",
            f"az aks update {name} --tier premium --k8s-support-plan AKSLongTermSupport",
        )
    if last_version(cluster, plan) >= _PLATFORM_KMS_FROM:
        yield Manual(
            "From 1.33 on AKS has a newer KMS data encryption, which cannot be left again; moving to it is up to you",
            "https://learn.microsoft.com/azure/aks/kms-data-encryption",
        )


def code_after(cluster: ClusterFacts) -> str:
    """At the end of a migration: what the code that describes the cluster has to say from now on."""
    tools = [tool for found in tools_named(cluster.surroundings.tags).values() for tool in found]
    fields = "; ".join(dict.fromkeys(f"{tool.name}: {tool.fields}" for tool in tools))
    return (
        "Before Terraform, Bicep, GitOps or a pipeline writes to this cluster again, its code has to say what is now "
        f"({_final(cluster.kms.key_id, str(cluster.version))}), or its next run undoes what was done."
        + (f" {fields}." if fields else "")
    )


def last_version(cluster: ClusterFacts, plan: Plan) -> KubernetesVersion:
    """What the cluster runs when the plan is done, as far as it is known now."""
    return plan.hops[-1].version if plan.hops else cluster.version


def _final(key: str, version: str) -> str:
    return f"KMS on with {key}" + (f", Kubernetes {version} in the cluster and its node pools" if version else "")
