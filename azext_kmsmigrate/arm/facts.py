"""Reads the SDK's models into facts. Pure: models in, values out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timezone
from typing import Any
from urllib.parse import urlsplit

from azext_kmsmigrate.migration.facts import (
    ClusterFacts,
    ClusterName,
    KmsProfile,
    ManagedIdentity,
    NetworkAccess,
    NodePool,
    Offers,
    SupportPlan,
    Surroundings,
)
from azext_kmsmigrate.migration.version import KubernetesVersion


def facts_of(cluster: Any, name: ClusterName) -> ClusterFacts:
    """A ManagedCluster as facts. A field that ARM left out counts as its default."""
    current = cluster.current_kubernetes_version or cluster.kubernetes_version
    access = cluster.api_server_access_profile
    return ClusterFacts(
        name=replace(name, name=cluster.name or name.name, resource_id=cluster.id or ""),
        version=KubernetesVersion.parse(current),
        wanted=KubernetesVersion.parse(cluster.kubernetes_version or current),
        state=_word(cluster.provisioning_state or "Succeeded"),
        power=_word(cluster.power_state.code) if cluster.power_state else "Running",
        kms=_kms(cluster.security_profile),
        pools=tuple(_pool(p, current) for p in cluster.agent_pool_profiles or ()),
        platform_kms=_platform_kms(cluster.security_profile),
        identity=_word(cluster.identity.type) if cluster.identity else "",
        vnet_integration=bool(access and getattr(access, "enable_vnet_integration", False)),
        entra=cluster.aad_profile is not None,
        local_accounts=not cluster.disable_local_accounts,
        location=cluster.location or "",
        etag=cluster.e_tag or "",
        tier=_word(cluster.sku.tier or "") if cluster.sku else "",
        support_plan=_plan(cluster.support_plan) or SupportPlan.COMMUNITY,
        forced_until=_forced_until(cluster.upgrade_settings),
        private=bool(access and access.enable_private_cluster),
        authorized_ranges=tuple((access and access.authorized_ip_ranges) or ()),
        surroundings=_surroundings(cluster),
    )


def offers_of(profile: Any, listed: Offers) -> Offers:
    """What the upgrade profile offers the control plane, without previews, beside what the location lists."""
    upgrades = profile.control_plane_profile.upgrades or ()
    offered = (KubernetesVersion.parse(u.kubernetes_version) for u in upgrades if not u.is_preview)
    return replace(listed, versions=tuple(sorted(offered)))


def listed_of(versions: Any) -> Offers:
    """What ``kubernetesVersions`` of a location lists, without previews; nothing is offered to anybody yet."""
    minors = [minor for minor in versions or () if not minor.is_preview]
    plans = {KubernetesVersion.parse(minor.version).line: _plans(minor) for minor in minors}
    onward = {
        KubernetesVersion.parse(patch): tuple(
            v for v in map(KubernetesVersion.parse, found.upgrades or ()) if v.line in plans
        )
        for minor in minors
        for patch, found in (minor.patch_versions or {}).items()
    }
    return Offers((), onward, plans)


def _plans(minor: Any) -> frozenset[SupportPlan]:
    """An answer without ``capabilities`` is from before there was another plan."""
    words = (minor.capabilities.support_plan if minor.capabilities else None) or (SupportPlan.COMMUNITY.value,)
    return frozenset(plan for plan in map(_plan, words) if plan)


def _plan(word: Any) -> SupportPlan | None:
    return next((plan for plan in SupportPlan if plan.value == _word(word)), None)


def _kms(security: Any) -> KmsProfile:
    kms = security.azure_key_vault_kms if security else None
    if kms is None:
        return KmsProfile()
    access = _word(kms.key_vault_network_access or NetworkAccess.PUBLIC.value)
    return KmsProfile(bool(kms.enabled), kms.key_id or "", NetworkAccess(access), kms.key_vault_resource_id or "")


def _forced_until(settings: Any) -> str:
    override = settings.override_settings if settings else None
    if override is None or not override.force_upgrade or override.until is None:
        return ""
    return str(override.until.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _platform_kms(security: Any) -> bool:
    # A key without a version is the newer KMS too, says the SDK from api-version 2026-07-01 on.
    kms = security.azure_key_vault_kms if security else None
    if kms is not None and kms.enabled and len(urlsplit(kms.key_id or "").path.strip("/").split("/")) == 2:
        return True
    # Not in the models of api-version 2026-06-01, but kept by them (they are mappings).
    profile = security.get("kubernetesResourceObjectEncryptionProfile") if security else None
    return profile is not None and profile.get("infrastructureEncryption") == "Enabled"


def _surroundings(cluster: Any) -> Surroundings:
    known = (cluster.identity.user_assigned_identities if cluster.identity else None) or {}
    access = cluster.api_server_access_profile
    own = (getattr(pool, "vnet_subnet_id", None) for pool in cluster.agent_pool_profiles or ())
    return Surroundings(
        node_group=cluster.node_resource_group or "",
        tags=dict(cluster.tags or {}),
        identities=tuple(ManagedIdentity(id_, (i.principal_id if i else "") or "") for id_, i in known.items()),
        subnets=tuple(dict.fromkeys(subnet for subnet in own if subnet)),
        api_server_subnet=(getattr(access, "subnet_id", None) if access else None) or "",
    )


def _pool(pool: Any, control_plane: str) -> NodePool:
    current = pool.current_orchestrator_version or pool.orchestrator_version or control_plane
    return NodePool(
        name=pool.name,
        version=KubernetesVersion.parse(current),
        wanted=KubernetesVersion.parse(pool.orchestrator_version or current),
        state=_word(pool.provisioning_state or "Succeeded"),
        count=pool.count or 0,
        kind=_word(pool.type or ""),
        surge=(pool.upgrade_settings.max_surge or "") if pool.upgrade_settings else "",
        mode=_word(pool.mode or "User"),
        power=_word(pool.power_state.code) if pool.power_state else "Running",
    )


def _word(value: Any) -> str:
    """The SDK gives an enum for the words it knows and a text for those it does not."""
    return str(getattr(value, "value", value))
