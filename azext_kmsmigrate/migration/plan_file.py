"""The plan as a file: what was agreed to, the facts it was made from, and a digest over both. Pure.

::

    {"kind": "aks-kms-migrate/plan", "schemaVersion": 1, "goal": {...}, "facts": {...}, "plan": {...},
     "digest": "sha256:..."}

``plan`` is what ``az aks kms-migrate plan`` prints, for people to read. A run is decided from ``goal`` alone, and only
when ``facts`` are still what is seen. No Secret data, no Secret names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from azext_kmsmigrate.migration.facts import KmsProfile, NetworkAccess, SupportPlan
from azext_kmsmigrate.migration.plan import Goal, Plan, Situation

KIND, SCHEMA_VERSION = "aks-kms-migrate/plan", 1


class PlanFileUnreadableError(ValueError):
    """The document is no plan of this form; the message says why, in words for the user."""


@dataclass(frozen=True)
class PlanFile:
    """See the module's docstring."""

    goal: Goal
    facts: Mapping[str, Any]
    shown: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Of everything in it; the same for the same plan, wherever it was written."""
        text = json.dumps(_body(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def changes(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """What is otherwise now: the name of each fact, what it was, and what it is."""
        then, now = dict(_leaves(self.facts)), dict(_leaves(facts))
        return tuple(
            f"{name} (was {_shown(then.get(name))}, is {_shown(now.get(name))})"
            for name in sorted({*then, *now})
            if then.get(name) != now.get(name)
        )


def facts_of(situation: Situation, plan: Plan) -> dict[str, Any]:
    """Everything that decided this plan, as JSON. What comes and goes by itself is left out: a node more, an etag,
    an operation under way, which is waited for or refused when the run begins.
    """
    cluster, journal = situation.cluster, situation.journal
    return {
        "cluster": cluster.name.resource_id.lower(),
        "kubernetesVersion": str(cluster.version),
        "kms": _kms(cluster.kms),
        "kmsDataEncryption": cluster.platform_kms,
        "identity": cluster.identity,
        "vnetIntegration": cluster.vnet_integration,
        "supported": cluster.supported,
        "supportPlan": cluster.support_plan.value,
        "tier": cluster.tier,
        "nodePools": {p.name: {"version": str(p.version), "kind": p.kind} for p in cluster.pools},
        "offered": [str(v) for v in sorted(situation.offers.versions)],
        "journal": {
            "startedAt": journal.started_at if journal else "",
            "completedAt": journal.completed_at if journal else "",
        },
        "steps": [step.id.value for step in plan.steps],
        "hops": [f"{hop.version}, {'Cluster' if hop.whole else 'ControlPlane'}" for hop in plan.hops],
        "targetKms": _kms(plan.target_kms) if plan.target_kms else None,
    }


def to_document(file: PlanFile) -> dict[str, Any]:
    """The file's JSON."""
    return {**_body(file), "digest": file.digest}


def from_document(document: object) -> PlanFile:
    """Read what ``to_document`` wrote.

    :raises PlanFileUnreadableError: it is no plan, of a later version, or not as it was written
    """
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise PlanFileUnreadableError("it was not written by 'az aks kms-migrate plan --out'")
    version = document.get("schemaVersion")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise PlanFileUnreadableError(f"its schemaVersion is {version!r}, and this version knows {SCHEMA_VERSION} only")
    try:
        file = PlanFile(_goal_in(document["goal"]), dict(document["facts"]), dict(document["plan"]))
        whole = to_document(file) == document
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanFileUnreadableError(f"a field is missing or malformed ({type(error).__name__})") from error
    if not whole:
        raise PlanFileUnreadableError("it was changed after it was written: its digest does not fit")
    return file


def _body(file: PlanFile) -> dict[str, Any]:
    return {
        "kind": KIND,
        "schemaVersion": SCHEMA_VERSION,
        "goal": _goal_out(file.goal),
        "facts": dict(file.facts),
        "plan": dict(file.shown),
    }


def _goal_out(goal: Goal) -> dict[str, str]:
    return {
        "kubernetesVersion": goal.kubernetes_version,
        "keyId": goal.key_id,
        "keyVaultNetworkAccess": goal.network_access.value if goal.network_access else "",
        "keyVaultResourceId": goal.vault_id,
        "supportPlan": goal.support_plan.value if goal.support_plan else "",
        "tier": goal.tier,
    }


def _goal_in(document: Mapping[str, Any]) -> Goal:
    access, plan = document["keyVaultNetworkAccess"], document["supportPlan"]
    return Goal(
        kubernetes_version=document["kubernetesVersion"],
        key_id=document["keyId"],
        network_access=NetworkAccess(access) if access else None,
        vault_id=document["keyVaultResourceId"],
        support_plan=SupportPlan(plan) if plan else None,
        tier=document["tier"],
    )


def _kms(profile: KmsProfile) -> dict[str, Any]:
    return {
        "enabled": profile.enabled,
        "keyId": profile.key_id,
        "networkAccess": profile.network_access.value,
        "vaultId": profile.vault_id,
    }


def _leaves(facts: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _shown(value: object) -> str:
    if value is None or value in ("", []):
        return "nothing"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
