"""Decides what leaves a plan without a way to its end. All else that would stop a later step is a check.

Azure's rules: https://learn.microsoft.com/azure/aks/use-kms-etcd-encryption
"""

from __future__ import annotations

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import Refused
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsProfile, NetworkAccess, Offers
from azext_kmsmigrate.migration.upgrade_path import Target, next_hop


def to_upgrading(cluster: ClusterFacts, offers: Offers, target: Target) -> Refused | None:
    """What stands in the way of an upgrade to the target, if anything."""
    where = {"name": cluster.name.name, "group": cluster.name.group}
    if next_hop(cluster, offers, target) is None:
        return Refused(
            errors.NO_UPGRADE_PATH,
            version=cluster.version,
            target=target,
            offered=", ".join(map(str, sorted(offers.versions))) or "nothing",
            **where,
        )
    return None


def to_enabling(cluster: ClusterFacts, kms: KmsProfile) -> Refused | None:
    """What stands in the way of turning KMS on with this key, as far as the cluster itself shows it."""
    where = {"name": cluster.name.name, "group": cluster.name.group}
    if kms.network_access is NetworkAccess.PRIVATE:
        if not cluster.vnet_integration:
            return Refused(errors.VNET_INTEGRATION_NEEDED, **where)
        if not kms.vault_id:
            return Refused(errors.VAULT_NEEDED)
    return None
