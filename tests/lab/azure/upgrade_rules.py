"""What AKS looks at before it replaces nodes or crosses a Kubernetes minor version. Pure decisions.

The texts are Azure's (SupportArticles: unsatisfiablepdb-error; azure-aks-docs:
stop-cluster-upgrade-api-breaking-changes; Azure/AKS#4860, #3291) where a comment does not say otherwise.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from tests.lab.azure import cluster as model
from tests.lab.azure.cluster import Json, Kms
from tests.lab.azure.refusal import AksError, not_allowed
from tests.lab.azure.versions import Version

_SEEN_SECONDS = 12 * 3600
_FIRST_STOPPED = (1, 26)
# From this api-version on the override also covers PodDisruptionBudgets.
_OVERRIDES_BUDGETS = "2025-09-01"


@dataclass(frozen=True)
class ApiUse:
    """AKS has seen a client use this API (``<group>.<resource>.<version>``); ``seen`` is seconds since 1970."""

    api: str
    removed_in: str
    seen: float

    @property
    def minor(self) -> tuple[int, int]:
        major, minor = self.removed_in.split(".")
        return int(major), int(minor)


def check_locked(stored: Json, levels: Sequence[str], *, upgrade: bool) -> None:
    """Refuse while the node resource group is locked: ReadOnly stops everything, CanNotDelete upgrades."""
    if "ReadOnly" not in levels and not (upgrade and "CanNotDelete" in levels):
        return
    group, subscription = stored["properties"]["nodeResourceGroup"], stored["id"].split("/")[2]
    # The code is ours: the report of Azure/AKS#3291 has the text without it.
    raise AksError(
        409,
        "ScopeLocked",
        f"Resource group '{group}' under subscription: '{subscription}' is locked, please remove lock and retry. "
        "Please see http://aka.ms/azure-lock-resources",
    )


def check_failed_pools(stored: Json, wanted: Json) -> None:
    """A pool that failed is in the way of a new upgrade and of turning KMS on (azure-aks-docs#123).

    The same goal once more is a reconcile, which mends it.
    """
    before, after = Kms.of(stored), Kms.of(wanted)
    if _goal(stored) == _goal(wanted) and not (after.enabled and before != after):
        return
    failed = [pool["name"] for pool in model.pools(stored) if pool["provisioningState"] == "Failed"]
    if failed:
        # Ours: the rule is documented, its text is not.
        raise not_allowed(
            f"Operation is not allowed because agent pool(s) {', '.join(failed)} are in Provisioning State(Failed). "
            "Please reconcile the failed agent pool before retrying the operation."
        )


def check_budgets(wanted: Json, budgets: Callable[[], list[Json]], api_version: str) -> None:
    """``UnsatisfiablePDB``: budgets that allow no eviction at all, when nodes are to be replaced."""
    if not _pools_change(wanted) or (forced(wanted) and api_version >= _OVERRIDES_BUDGETS):
        return
    problems = [problem for problem in map(_unsatisfiable, budgets()) if problem]
    if problems:
        noun = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
        listed = "".join(f"\n\t* {problem}" for problem in problems)
        raise AksError(
            400,
            "UnsatisfiablePDB",
            "Upgrade is blocked due to invalid Pod Disruption Budgets (PDBs). Please review the PDB spec to allow "
            "disruptions during upgrades. To bypass this error, set forceUpgrade in upgradeSettings.overrideSettings. "
            "Bypassing this error without updating the PDB may result in drain failures during upgrade process. "
            f"Invalid PDBs details: {noun} occurred:{listed}\n\n",
        )


def check_api_use(wanted: Json, uses: Sequence[ApiUse]) -> None:
    """``UpgradeBlockedOnDeprecatedAPIUsage``: APIs seen in the last 12 hours that the target no longer has."""
    current = Version.parse(wanted["properties"]["currentKubernetesVersion"])
    target = Version.parse(wanted["properties"]["kubernetesVersion"])
    low, high = (current.major, current.minor), (target.major, target.minor)
    if high <= low or high < _FIRST_STOPPED or forced(wanted):
        return
    recent = [use for use in uses if low < use.minor <= high and time.time() - use.seen < _SEEN_SECONDS]
    if not recent:
        return
    noun = "1 error" if len(recent) == 1 else f"{len(recent)} errors"
    listed = "".join(
        f"\n\t* usage has been detected on API {use.api}, and was recently seen at: "
        f"{datetime.fromtimestamp(use.seen, timezone.utc):%Y-%m-%d %H:%M:%S} +0000 UTC, which will be removed in "
        f"{use.removed_in}"
        for use in recent
    )
    raise AksError(
        400,
        "ValidationError",
        "Control Plane upgrade is blocked due to recent usage of a Kubernetes API deprecated in the specified version. "
        "Please refer to https://kubernetes.io/docs/reference/using-api/deprecation-guide to migrate the usage. To "
        "bypass this error, set enable-force-upgrade in upgradeSettings.overrideSettings. Bypassing this error without "
        "migrating usage will result in the deprecated Kubernetes API calls failing. Usage details: "
        f"{noun} occurred:{listed}\n\n",
        subcode="UpgradeBlockedOnDeprecatedAPIUsage",
    )


def _unsatisfiable(budget: Json) -> str:
    """Why a PodDisruptionBudget never allows an eviction; empty when it may."""
    name = f"{budget['metadata'].get('namespace')}/{budget['metadata']['name']}"
    spec, status = budget.get("spec") or {}, budget.get("status") or {}
    expected = int(status.get("expectedPods") or 0)
    if str(spec.get("maxUnavailable", "")) in ("0", "0%"):
        return f"PDB {name} has maxUnavailable == 0 can't proceed with put operation"
    least = spec.get("minAvailable")
    if least is None or not expected:
        return ""
    text = str(least)
    pods = math.ceil(expected * int(text[:-1]) / 100) if text.endswith("%") else int(text)
    if pods < expected:
        return ""
    return f"PDB {name} has minAvailable({text}) >= expectedPods({expected})  can't proceed with put operation"


def forced(wanted: Json) -> bool:
    """Whether an override is in force. It overrides PodDisruptionBudgets at the drain too, before every other setting.

    Source: azure-aks-docs, upgrade options, "Force upgrade".
    """
    override = (wanted["properties"].get("upgradeSettings") or {}).get("overrideSettings") or {}
    until = override.get("until")
    if not override.get("forceUpgrade") or not until:
        return False
    return datetime.fromisoformat(str(until).replace("Z", "+00:00")).timestamp() > time.time()


def _pools_change(cluster: Json) -> bool:
    return any(pool["orchestratorVersion"] != pool["currentOrchestratorVersion"] for pool in model.pools(cluster))


def _goal(cluster: Json) -> list[str]:
    pools = [pool["orchestratorVersion"] for pool in model.pools(cluster)]
    return [cluster["properties"]["kubernetesVersion"], *pools]
