"""Reads the SDK's models into facts. Pure: models in, values out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from azext_kmsmigrate.migration.facts import (
    ClusterFacts,
    ClusterName,
    KmsProfile,
    NetworkAccess,
    NodePool,
    Offers,
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
        private=bool(access and access.enable_private_cluster),
        authorized_ranges=tuple((access and access.authorized_ip_ranges) or ()),
    )


def offers_of(profile: Any, onward: Mapping[KubernetesVersion, tuple[KubernetesVersion, ...]]) -> Offers:
    """What the upgrade profile offers the control plane, without previews."""
    upgrades = profile.control_plane_profile.upgrades or ()
    offered = (KubernetesVersion.parse(u.kubernetes_version) for u in upgrades if not u.is_preview)
    return Offers(tuple(sorted(offered)), onward)


def minor_versions_of(versions: Any) -> frozenset[tuple[int, int]]:
    """The minor versions that AKS supports in a location."""
    return frozenset(KubernetesVersion.parse(v.version).line for v in versions or ())


def onward_of(versions: Any) -> dict[KubernetesVersion, tuple[KubernetesVersion, ...]]:
    """From each patch version of a location to those it can be upgraded to, without previews."""
    return {
        KubernetesVersion.parse(patch): tuple(map(KubernetesVersion.parse, found.upgrades or ()))
        for minor in versions or ()
        if not minor.is_preview
        for patch, found in (minor.patch_versions or {}).items()
    }


def _kms(security: Any) -> KmsProfile:
    kms = security.azure_key_vault_kms if security else None
    if kms is None:
        return KmsProfile()
    access = _word(kms.key_vault_network_access or NetworkAccess.PUBLIC.value)
    return KmsProfile(bool(kms.enabled), kms.key_id or "", NetworkAccess(access), kms.key_vault_resource_id or "")


def _platform_kms(security: Any) -> bool:
    # Not in the models of api-version 2026-06-01, but kept by them (they are mappings).
    profile = security.get("kubernetesResourceObjectEncryptionProfile") if security else None
    return profile is not None and profile.get("infrastructureEncryption") == "Enabled"


def _pool(pool: Any, control_plane: str) -> NodePool:
    current = pool.current_orchestrator_version or pool.orchestrator_version or control_plane
    return NodePool(
        name=pool.name,
        version=KubernetesVersion.parse(current),
        wanted=KubernetesVersion.parse(pool.orchestrator_version or current),
        state=_word(pool.provisioning_state or "Succeeded"),
        count=pool.count or 0,
        kind=_word(pool.type or ""),
        power=_word(pool.power_state.code) if pool.power_state else "Running",
    )


def _word(value: Any) -> str:
    """The SDK gives an enum for the words it knows and a text for those it does not."""
    return str(getattr(value, "value", value))
