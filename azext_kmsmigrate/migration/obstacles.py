"""Decides what would stop a later step, while it is still harmless to know: before KMS is turned off.

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
    for pool in cluster.pools:
        if pool.state in ("Failed", "Canceled"):
            return Refused(errors.NODE_POOL_FAILED, pool=pool.name, operation=pool.state, version=pool.version, **where)
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
    if cluster.identity != "UserAssigned":
        return Refused(errors.IDENTITY_UNSUPPORTED, identity=cluster.identity or "service principal", **where)
    if kms.network_access is NetworkAccess.PRIVATE:
        if not cluster.vnet_integration:
            return Refused(errors.VNET_INTEGRATION_NEEDED, **where)
        if not kms.vault_id:
            return Refused(errors.VAULT_NEEDED)
    return None
