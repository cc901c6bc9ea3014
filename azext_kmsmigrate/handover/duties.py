"""What stays with people after a run, and between two: keys that must not go, and what no step does. Pure.

Keys: https://learn.microsoft.com/azure/aks/use-kms-etcd-encryption ("after turning off KMS, keys can't be deleted or
expired"; a rotation leaves two keys in use until the next one).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from azext_kmsmigrate.handover.instant import moment
from azext_kmsmigrate.handover.spoken import spoken
from azext_kmsmigrate.migration import advice
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsState, NetworkAccess
from azext_kmsmigrate.migration.journal import Journal
from azext_kmsmigrate.migration.plan import Plan
from azext_kmsmigrate.migration.step import StepId, StepStatus
from azext_kmsmigrate.results import ManualDocument


@dataclass(frozen=True)
class KeyToKeep:
    """A key version, what it is used for, and until when it has to stay enabled."""

    key_id: str
    uses: tuple[str, ...]
    until: str


def keys_to_keep(cluster: ClusterFacts, journal: Journal | None) -> Iterator[KeyToKeep]:
    """The cluster's key of now first, then every other key that was in use, newest first."""
    now = cluster.kms.key_id if cluster.kms.enabled else ""
    if now:
        uses = [f"the cluster's key now ({spoken(cluster.kms_state.value)})"]
        if journal and journal.original_kms and journal.original_kms.key_id == now:
            uses.append("the key of KMS v1 before the migration")
        yield KeyToKeep(
            now,
            tuple(uses),
            "As long as it is the cluster's key. After a change to another key: until that has been changed once more, "
            "and all Secrets are rewritten and proven",
        )
    for key in dict.fromkeys(_former(cluster, journal)):
        if key != now:
            yield _former_key(key, cluster, journal)


def _former(cluster: ClusterFacts, journal: Journal | None) -> Iterator[str]:
    if journal is not None:
        yield from (seen.key_id for seen in reversed(journal.chronicle.observations) if seen.key_id)
        if journal.original_kms and journal.original_kms.key_id:
            yield journal.original_kms.key_id
    if cluster.kms.key_id:
        yield cluster.kms.key_id


def _former_key(key: str, cluster: ClusterFacts, journal: Journal | None) -> KeyToKeep:
    original = journal is not None and journal.original_kms is not None and journal.original_kms.key_id == key
    use = "the key of KMS v1 before the migration" if original else "a key that the cluster had before"
    if cluster.kms_state is KmsState.OFF:
        return KeyToKeep(
            key, (use,), "At least until KMS is on again and all Secrets are proven: AKS needs it after KMS is off"
        )
    off = _proven_off(journal)
    backups = f"no copy of etcd from before {moment(off)}" if off else "no copy of etcd from before the migration"
    return KeyToKeep(
        key, (use,), f"Until the cluster's key has been changed once more, and {backups} may have to be restored"
    )


def _proven_off(journal: Journal | None) -> str:
    """When it was proven that no Secret lay under the former key any more."""
    proof = journal.chronicle.proof_of(StepId.DECRYPT_SECRETS) if journal else None
    if proof is not None and proof.holds:
        return proof.finished_at
    record = journal.record_of(StepId.DECRYPT_SECRETS) if journal else None
    return record.finished_at if record is not None and record.status is StepStatus.DONE else ""


def by_hand(cluster: ClusterFacts, journal: Journal | None, plan: Plan) -> Iterator[ManualDocument]:
    """What no command of this tool does. Of keys there is a list of its own."""
    if plan.pending:
        for one in advice.manual(cluster, plan):
            yield ManualDocument(one.what, one.command or None)
        return
    if journal is not None and not journal.unfinished:
        yield from _after(cluster, journal)


def _after(cluster: ClusterFacts, journal: Journal) -> Iterator[ManualDocument]:
    name, key = cluster.name.option_text, cluster.kms.key_id
    yield ManualDocument(
        f"Before pipelines, Terraform or Bicep write to this cluster again: bring their code to what is now, "
        f"Kubernetes {cluster.version}" + (", and KMS on with this key version" if cluster.kms.enabled else ""),
        key if cluster.kms.enabled else None,
    )
    if cluster.kms.enabled and cluster.kms.network_access is NetworkAccess.PRIVATE:
        yield ManualDocument(
            "See that the private endpoint to the vault is approved",
            f"az network private-endpoint-connection list --id {cluster.kms.vault_id} -o table",
        )
    for pool in cluster.pools:
        if pool.version < cluster.version:
            yield ManualDocument(
                f"Upgrade node pool {pool.name}, which runs {pool.version}",
                f"az aks nodepool upgrade -g {cluster.name.group} --cluster-name {cluster.name.name} -n {pool.name} "
                f"-k {cluster.version}",
            )
    if journal.forced_until and cluster.forced_until == journal.forced_until:
        yield ManualDocument(
            f"Take away the override of upgrades; by itself it ends {moment(cluster.forced_until)}",
            f"az aks update {name} --disable-force-upgrade",
        )
    if journal.skipped_checks:
        ids = ", ".join(skipped.id for skipped in journal.skipped_checks)
        yield ManualDocument(f"Look at what was left out before the run: {ids}", None)
