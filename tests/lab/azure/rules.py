"""Which PUTs AKS accepts, and what an accepted one means: pure decisions, with AKS's own words for the rest.

Words in quotation marks in the tests are literal where a public source has them (facts: aks-kms-keyvault);
the constants below whose comment says so are ours, because no public source has the text.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from tests.lab.azure import cluster as model
from tests.lab.azure.cluster import Json, Kms
from tests.lab.azure.kms_rules import check_kms
from tests.lab.azure.refusal import AksError, bad_request, not_allowed
from tests.lab.azure.upgrade_rules import ApiUse, check_api_use, check_budgets, check_failed_pools, check_locked
from tests.lab.azure.versions import LONG_TERM, Offers, Version

FIRST_KMS_V2 = (1, 27)
# Ours: the resource provider's text is in no public source. Callers can look for the marker.
KMS_BLOCKS_UPGRADE_MARKER = "AzureKeyVaultKms"
_KMS_BLOCKS_UPGRADE = (
    "Upgrading Kubernetes version {old} to {new} is not allowed because "
    f"{KMS_BLOCKS_UPGRADE_MARKER} is enabled with KMS v1. Disable Azure Key Vault KMS before upgrading to "
    "1.27 or later. Please see https://aka.ms/aks/kmsv2-migration for details."
)
_VERSION_RULES = "For more information, please check https://aka.ms/aks/UpgradeVersionRules"
_POOL_VERSIONS = (
    "Using managed cluster api, all Agent pools' OrchestratorVersion must be all specified or all "
    "unspecified. If all specified, they must be stay unchanged or the same with control plane. For agent "
    "pool specific change, please use per agent pool operations: https://aka.ms/agent-pool-rest-api"
)


class Change(str, enum.Enum):
    """What an accepted PUT asks for; also the name under which a fault can be armed."""

    DISABLE_KMS = "disable-kms"
    ENABLE_KMS = "enable-kms"
    UPGRADE = "upgrade"
    UPGRADE_POOL = "upgrade-pool"
    RECONCILE = "reconcile"


@dataclass(frozen=True)
class Accepted:
    """The document that becomes the goal at once, and what kind of change it is."""

    document: Json
    change: Change


@dataclass(frozen=True)
class Surroundings:
    """What the rules must know beside the two documents.

    ``key_usable`` is whether the cluster's identity can encrypt and decrypt with the key that the request
    names, from where a public vault would be asked. ``node_group_locks`` are the levels of the locks on the
    node resource group, ``missing_identity`` what Azure says about an identity of the cluster that is gone.
    """

    offers: Offers
    key_usable: bool = True
    api_version: str = "2026-06-01"
    node_group_locks: tuple[str, ...] = ()
    missing_identity: str = ""
    budgets: Callable[[], list[Json]] = list
    api_use: tuple[ApiUse, ...] = ()


def decide_cluster_put(stored: Json, body: Json, around: Surroundings) -> Accepted:
    """Accept a PUT of the managed cluster, or raise :class:`AksError`."""
    _check_running(stored, "update")
    _check_unchangeable(stored, body)
    wanted = model.put(stored, body)
    offers = around.offers.of_plan(wanted["properties"].get("supportPlan"))
    _resolve_versions(stored, wanted, offers)
    check_locked(stored, around.node_group_locks, upgrade=_versions(stored) != _versions(wanted))
    if around.missing_identity:
        # Ours: AKS answers with Resource Manager's words; its own code is in no public source.
        raise AksError(400, "ResourceNotFound", around.missing_identity)
    _check_support_plan(stored, wanted, around.offers)
    _check_pool_versions(stored, body, wanted)
    _check_upgrade(stored, wanted, offers)
    check_kms(stored, wanted, key_usable=around.key_usable, api_version=around.api_version)
    check_failed_pools(stored, wanted)
    check_api_use(wanted, around.api_use)
    check_budgets(wanted, around.budgets, around.api_version)
    return Accepted(wanted, _change(stored, wanted))


def decide_pool_put(stored: Json, name: str, body: Json, around: Surroundings) -> Accepted:
    """Accept a PUT of one agent pool, or raise :class:`AksError`."""
    _check_running(stored, "update agent pool")
    properties = body.get("properties") or {}
    current = Version.parse(model.pool_of(stored, name)["currentOrchestratorVersion"])
    control_plane = Version.parse(stored["properties"]["currentKubernetesVersion"])
    wanted = model.put(stored, {})
    model.put_pool(wanted, name, properties)
    pool = model.pool_of(wanted, name)
    target = control_plane
    if pool["orchestratorVersion"] != control_plane.minor_text:
        target = _parse(pool["orchestratorVersion"], around.offers, current)
    pool["orchestratorVersion"] = str(target)
    _check_skew(target, control_plane)
    offers = around.offers.of_plan(stored["properties"].get("supportPlan"))
    offered = [offer.version for offer in offers.upgrades_from(current)]
    if target not in (current, control_plane, *offered) or target < current:
        raise _not_offered(current, target, [version for version in offered if version <= control_plane])
    check_locked(stored, around.node_group_locks, upgrade=target != current)
    if target != current:
        check_budgets(wanted, around.budgets, around.api_version)
    return Accepted(wanted, Change.UPGRADE_POOL if target != current else Change.RECONCILE)


def operation_in_progress(state: str) -> AksError:
    """The 409 while another operation (its state name) is under way."""
    return not_allowed(
        f"Operation is not allowed: Another operation ({state}) is in progress, please wait for it to finish "
        "before starting a new operation. See https://aka.ms/aks-pending-operation for more details",
        409,
    )


def check_no_operation(stored: Json, running: str | None) -> None:
    """Only one operation at a time; the model's own state counts too, since it can be seeded."""
    if running:
        raise operation_in_progress(running)
    state = stored["properties"]["provisioningState"]
    if state not in ("Succeeded", "Failed", "Canceled"):
        message = (
            f"managed cluster is in Provisioning State({state}), please wait for it to finish before "
            "starting a new operation. See https://aka.ms/aks-pending-operation for more details"
        )
        raise not_allowed(message, 409)


def check_etag(resource: Json, if_match: str | None, if_none_match: str | None) -> None:
    """``If-Match`` and ``If-None-Match``, quoted as HTTP wants them: 412 on a mismatch."""
    if if_none_match == "*":
        raise AksError(412, "PreconditionFailed", "Resource already exists but If-None-Match is '*'.")
    if if_match in (None, "", "*"):
        return
    etag = resource.get("eTag") or resource["properties"].get("eTag")
    if if_match != f'"{etag}"':
        message = "rpc error: code = FailedPrecondition desc = Etag mismatched"
        raise AksError(412, "EtagMismatch", message)


def _check_running(stored: Json, verb: str) -> None:
    properties = stored["properties"]
    if properties["powerState"]["code"] != "Running":
        raise not_allowed(
            f"managed cluster is in Provisioning State({properties['provisioningState']}) and "
            f"Power State({properties['powerState']['code']}), {verb} cannot be performed"
        )


def _check_unchangeable(stored: Json, body: Json) -> None:
    if body.get("location", "").lower().replace(" ", "") != stored["location"]:
        raise bad_request("The location of a managed cluster is required and cannot be changed.")
    properties = body.get("properties") or {}
    for name in ("dnsPrefix", "nodeResourceGroup"):
        if properties.get(name) not in (None, stored["properties"][name]):
            raise _unchangeable(f"properties.{name}")
    named = properties.get("agentPoolProfiles")
    if named is not None and {p.get("name") for p in named} != {p["name"] for p in model.pools(stored)}:
        raise _unchangeable("properties.agentPoolProfiles.name")
    integrated = (stored["properties"].get("apiServerAccessProfile") or {}).get("enableVnetIntegration")
    access = properties.get("apiServerAccessProfile")
    if integrated and access is not None and not access.get("enableVnetIntegration"):
        raise _unchangeable("properties.apiServerAccessProfile.enableVnetIntegration")


def _unchangeable(name: str) -> AksError:
    return AksError(400, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.")


def _resolve_versions(stored: Json, wanted: Json, offers: Offers) -> None:
    """Replace aliases such as 1.27 by the version they stand for."""
    current = Version.parse(stored["properties"]["currentKubernetesVersion"])
    properties = wanted["properties"]
    target = _parse(properties["kubernetesVersion"], offers, current)
    properties["kubernetesVersion"] = str(target)
    for pool in model.pools(wanted):
        if pool["orchestratorVersion"] == target.minor_text:
            pool["orchestratorVersion"] = str(target)
        pool_current = Version.parse(pool["currentOrchestratorVersion"])
        pool["orchestratorVersion"] = str(_parse(pool["orchestratorVersion"], offers, pool_current))


def _parse(text: str, offers: Offers, current: Version) -> Version:
    try:
        return offers.resolve(text, current)
    except ValueError:
        raise AksError(
            400,
            "InvalidParameter",
            "The value of parameter orchestratorProfile.OrchestratorVersion is invalid. "
            "Please see https://aka.ms/aks-naming-rules for more details.",
        ) from None


def _check_support_plan(stored: Json, wanted: Json, offers: Offers) -> None:
    tier = (wanted.get("sku") or {}).get("tier") or "Free"
    plan = wanted["properties"].get("supportPlan")
    if plan == LONG_TERM and tier.lower() != "premium":
        raise bad_request("AKS Long Term Support is only available for Premium tier clusters.")
    current = Version.parse(stored["properties"]["currentKubernetesVersion"])
    if stored["properties"].get("supportPlan") == LONG_TERM != plan and not offers.officially(current):
        # Ours: the rule is documented (long-term-support.md), its text is not.
        raise bad_request(
            f"Changing the support plan to KubernetesOfficial is not allowed because Kubernetes version {current} is "
            "only supported by AKSLongTermSupport. Upgrade to a supported Kubernetes version first."
        )


def _check_pool_versions(stored: Json, body: Json, wanted: Json) -> None:
    control_plane = Version.parse(wanted["properties"]["kubernetesVersion"])
    if _versions(stored) != _versions(wanted):
        for pool in model.pools(wanted):
            _check_skew(Version.parse(pool["orchestratorVersion"]), control_plane)
    sent = (body.get("properties") or {}).get("agentPoolProfiles") or []
    specified = [pool for pool in sent if pool.get("orchestratorVersion")]
    mixed = bool(specified) and len(specified) != len(sent)
    for pool in model.pools(wanted):
        before = model.pool_of(stored, pool["name"])["orchestratorVersion"]
        mixed = mixed or pool["orchestratorVersion"] not in (before, str(control_plane))
    if mixed:
        raise AksError(400, "NotAllAgentPoolOrchestratorVersionSpecifiedAndUnchanged", _POOL_VERSIONS)


def _check_skew(pool: Version, control_plane: Version) -> None:
    start = f"Node pool version {pool} and control plane version {control_plane} are incompatible."
    behind = 3 if control_plane.minor >= 28 else 2
    if (pool.major, pool.minor) > (control_plane.major, control_plane.minor):
        why = (
            f"Minor version of node pool version {pool.minor} is bigger than control plane version "
            f"{control_plane.minor}."
        )
    elif pool > control_plane:
        why = f"Patch version of node pool {pool.patch} is bigger than control plane {control_plane.patch}."
    elif control_plane.minor - pool.minor > behind:
        why = (
            f"Minor version of node pool cannot be more than {behind} versions less than control plane's "
            f"version. Minor version of node pool is {pool.minor} and control plane is {control_plane.minor}."
        )
    else:
        return
    raise AksError(400, "NodePoolMcVersionIncompatible", f"{start} {why} {_VERSION_RULES}")


def _check_upgrade(stored: Json, wanted: Json, offers: Offers) -> None:
    current = Version.parse(stored["properties"]["currentKubernetesVersion"])
    goal = Version.parse(stored["properties"]["kubernetesVersion"])
    target = Version.parse(wanted["properties"]["kubernetesVersion"])
    if target != goal:
        offered = [offer.version for offer in offers.upgrades_from(current)]
        if target not in offered or target < goal:
            raise _not_offered(current, target, offered)
    if target == current:
        return
    kms_on = Kms.of(stored).enabled or Kms.of(wanted).enabled
    if kms_on and (current.major, current.minor) < FIRST_KMS_V2 <= (target.major, target.minor):
        raise bad_request(_KMS_BLOCKS_UPGRADE.format(old=current, new=target))
    lagging = any(pool["orchestratorVersion"] != str(target) for pool in model.pools(wanted))
    if lagging and not offers.is_supported(current):
        # Ours: the rule is documented (full cluster only), its text is not.
        raise not_allowed(
            f"Kubernetes version {current} is not supported. A control plane only upgrade is not allowed: "
            "upgrade the control plane and all node pools together. Please see "
            "https://aka.ms/aks-supported-k8s-ver for version details."
        )


def _not_offered(current: Version, target: Version, offered: list[Version]) -> AksError:
    available = " ".join(str(version) for version in sorted(offered, reverse=True))
    return not_allowed(
        f"Upgrading Kubernetes version {current} to {target} is not allowed. Available upgrades: "
        f"[{available}]. Please see https://aka.ms/aks-supported-k8s-ver for version details."
    )


def _change(stored: Json, wanted: Json) -> Change:
    before, after = Kms.of(stored), Kms.of(wanted)
    if before.enabled and not after.enabled:
        return Change.DISABLE_KMS
    if after.enabled and before != after:
        return Change.ENABLE_KMS
    if _versions(stored) != _versions(wanted):
        return Change.UPGRADE
    return Change.RECONCILE


def _versions(cluster: Json) -> list[str]:
    pool_versions = [pool["orchestratorVersion"] for pool in model.pools(cluster)]
    return [cluster["properties"]["kubernetesVersion"], *pool_versions]
