"""Reads what an upgrade needs to know out of the SDK's models and of plain documents. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Iterable
from typing import Any

from azext_kmsmigrate.checks.pool import Pool
from azext_kmsmigrate.checks.profile import Profile
from azext_kmsmigrate.checks.quota import Compute, Usage, VmSize
from azext_kmsmigrate.checks.subnet import Subnet
from azext_kmsmigrate.migration.version import KubernetesVersion

Json = dict[str, Any]


def pool_of(pool: Any, control_plane: str) -> Pool:
    """An agent pool of a ManagedCluster; ``control_plane``: the version of one that says none."""
    settings = pool.upgrade_settings
    return Pool(
        name=pool.name,
        version=KubernetesVersion.parse(
            pool.current_orchestrator_version or pool.orchestrator_version or control_plane
        ),
        count=pool.count or 0,
        kind=_word(pool.type),
        mode=_word(pool.mode),
        os_sku=_word(pool.os_sku),
        vm_size=pool.vm_size or "",
        spot=_word(pool.scale_set_priority) == "Spot",
        snapshot=bool(pool.creation_data and pool.creation_data.source_resource_id),
        surge=str((settings and settings.max_surge) or ""),
        unavailable=str((settings and settings.max_unavailable) or ""),
        max_pods=pool.max_pods or 0,
        nodes_at_most=(pool.max_count or 0) if pool.enable_auto_scaling else 0,
        subnet_id=pool.vnet_subnet_id or "",
        pod_subnet_id=pool.pod_subnet_id or "",
    )


def profile_of(cluster: Any) -> Profile:
    """A ManagedCluster."""
    network, upgrades = cluster.network_profile, cluster.auto_upgrade_profile
    provisioning = cluster.node_provisioning_profile
    properties = cluster.get("properties") or {}
    return Profile(
        network_plugin=_word(network.network_plugin) if network else "",
        network_mode=_word(network.network_plugin_mode) if network else "",
        outbound_type=_word(network.outbound_type) if network else "",
        service_principal=(cluster.service_principal_profile and cluster.service_principal_profile.client_id) or "msi",
        upgrade_channel=(_word(upgrades.upgrade_channel) if upgrades else "") or "none",
        node_channel=_word(upgrades.node_os_upgrade_channel) if upgrades else "",
        node_provisioning=_word(provisioning.mode) if provisioning else "Manual",
        # Gone from the models, and kept by them where the resource provider still sends it (they are mappings).
        pod_security_policy=bool(properties.get("enablePodSecurityPolicy")),
    )


def subnet_of(document: Json) -> Subnet:
    """A subnet of Microsoft.Network; its IPv4 ranges count."""
    properties = document.get("properties") or {}
    prefixes = properties.get("addressPrefixes") or [properties.get("addressPrefix") or "0.0.0.0/32"]
    networks = (ipaddress.ip_network(prefix, strict=False) for prefix in prefixes)
    size = sum(network.num_addresses for network in networks if network.version == 4)
    return Subnet(document["id"], size, len(properties.get("ipConfigurations") or ()))


def compute_of(usages: Iterable[Json], skus: Iterable[Json], wanted: Container[str]) -> Compute:
    """Usages of a location, and of its SKUs the VM sizes that are wanted (names in lower case)."""
    found = (
        Usage(u["name"]["value"], u["name"].get("localizedValue") or u["name"]["value"], u["currentValue"], u["limit"])
        for u in usages
    )
    sizes = {
        sku["name"].lower(): VmSize(sku.get("family") or "", _cores(sku))
        for sku in skus
        if sku.get("resourceType") == "virtualMachines" and sku["name"].lower() in wanted
    }
    return Compute({usage.name.lower(): usage for usage in found}, sizes)


def _cores(sku: Json) -> int:
    found = {c["name"]: c["value"] for c in sku.get("capabilities") or ()}
    return int(found.get("vCPUs") or 0)


def _word(value: Any) -> str:
    """The SDK gives an enum for the words it knows and a text for those it does not."""
    return "" if value is None else str(getattr(value, "value", value))
