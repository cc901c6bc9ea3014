"""What Azure says about versions: upgrade profiles of the cluster and of pools, and a location's versions."""

from __future__ import annotations

from tests.lab.azure import cluster as model
from tests.lab.azure.cluster import Json
from tests.lab.azure.versions import Offer, Offers, Version

_TYPE = "Microsoft.ContainerService/managedClusters"


def cluster_profile(cluster: Json, offers: Offers) -> Json:
    """``.../managedClusters/{name}/upgradeProfiles/default``."""
    offers = offers.of_plan(cluster["properties"].get("supportPlan"))
    current = Version.parse(cluster["properties"]["currentKubernetesVersion"])
    return {
        "id": f"{cluster['id']}/upgradeprofiles/default",
        "name": "default",
        "type": f"{_TYPE}/upgradeprofiles",
        "properties": {
            "controlPlaneProfile": {
                "kubernetesVersion": str(current),
                "osType": "Linux",
                "upgrades": _listed(offers.upgrades_from(current)),
            },
            "agentPoolProfiles": [
                {"name": pool["name"], **_pool_entry(pool, current, offers)} for pool in model.pools(cluster)
            ],
        },
    }


def pool_profile(cluster: Json, name: str, offers: Offers) -> Json:
    """``.../agentPools/{pool}/upgradeProfiles/default``."""
    offers = offers.of_plan(cluster["properties"].get("supportPlan"))
    control_plane = Version.parse(cluster["properties"]["currentKubernetesVersion"])
    pool = model.pool_of(cluster, name)
    return {
        "id": f"{cluster['id']}/agentPools/{name}/upgradeprofiles/default",
        "name": "default",
        "type": f"{_TYPE}/agentPools/upgradeProfiles",
        "properties": {
            **_pool_entry(pool, control_plane, offers),
            "latestNodeImageVersion": pool["nodeImageVersion"],
        },
    }


def location_versions(offers: Offers) -> Json:
    """``.../locations/{location}/kubernetesVersions``: the minors that are supported there."""
    values = []
    for major, minor in sorted(offers.supported_minors):
        patches = sorted({o.version for o in offers.offers if o.version.minor_text == f"{major}.{minor}"})
        preview = any(o.preview for o in offers.offers if o.version in patches)
        values.append(
            {
                "version": f"{major}.{minor}",
                "isPreview": preview or None,
                "capabilities": {"supportPlan": offers.plans(major, minor)},
                "patchVersions": {
                    str(patch): {"upgrades": [str(o.version) for o in offers.upgrades_from(patch)]} for patch in patches
                },
            }
        )
    return {"values": values}


def _pool_entry(pool: Json, control_plane: Version, offers: Offers) -> Json:
    """A pool may go to what is offered to it, up to the control plane's version, and to that version."""
    current = Version.parse(pool["currentOrchestratorVersion"])
    offered = {o.version: o for o in offers.upgrades_from(current) if o.version <= control_plane}
    if control_plane > current:
        offered.setdefault(control_plane, Offer(control_plane))
    return {
        "kubernetesVersion": str(current),
        "osType": pool["osType"],
        "upgrades": _listed([offered[version] for version in sorted(offered)]),
    }


def _listed(offers: list[Offer] | tuple[Offer, ...]) -> list[Json] | None:
    """AKS answers null, not an empty list, when nothing is offered."""
    entries = [{"kubernetesVersion": str(o.version), "isPreview": o.preview or None} for o in offers]
    return entries or None
