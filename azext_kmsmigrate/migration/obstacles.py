"""Decides what leaves a plan without a way to its end. All else that would stop a later step is a check.

Azure's rules: https://learn.microsoft.com/azure/aks/use-kms-etcd-encryption
"""

from __future__ import annotations

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import Refused
from azext_kmsmigrate.migration.facts import PREMIUM, ClusterFacts, Offers, SupportPlan
from azext_kmsmigrate.migration.upgrade_path import Target, next_hop


def to_upgrading(
    cluster: ClusterFacts,
    offers: Offers,
    target: Target,
    plan: SupportPlan = SupportPlan.COMMUNITY,
    tier: str = "",
) -> Refused | None:
    """What stands in the way of an upgrade to the target with this support plan at its end, if anything.

    ``tier``: the tier that the user has agreed to.
    """
    where = cluster.name.words
    found = next_hop(cluster, offers, target, plan)
    if found is None and (dear := next_hop(cluster, offers, target, SupportPlan.LONG_TERM)) is not None:
        return Refused(
            errors.LONG_TERM_ONLY,
            version=cluster.version,
            target=target,
            offered=dear.version,
            command="start",
            **where,
        )
    changing = plan is SupportPlan.LONG_TERM and cluster.support_plan is not plan
    if changing and PREMIUM.lower() not in (cluster.tier.lower(), tier.lower()):
        return Refused(errors.PREMIUM_NEEDED, tier=cluster.tier or "Free", **where)
    if found is None:
        return Refused(
            errors.NO_UPGRADE_PATH,
            version=cluster.version,
            target=target,
            offered=", ".join(map(str, sorted(offers.versions))) or "nothing",
            **where,
        )
    return None
