"""What a migration leaves behind, read from etcd, from Azure and from the cluster: two that ended alike are equal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tests.lab.administrator import Administrator, ApiError, administrator
from tests.lab.client import LabClient
from tests.lab.model import StoredForm

_NAMESPACED = "namespaces/kube-system/{}/aks-kms-migrate"
_JOURNAL = "/api/v1/" + _NAMESPACED.format("configmaps")
_LEASE = "/apis/coordination.k8s.io/v1/" + _NAMESPACED.format("leases")


@dataclass(frozen=True)
class EndState:
    """Nothing in it differs between two labs of the same options.

    ``secrets``: each key in etcd and its stored form, canaries included. ``changes``: Azure's operations by what they
    changed. ``lost``: what no API server could read at some moment.
    """

    secrets: Mapping[str, str]
    versions: tuple[str, ...]
    kubelets: tuple[str, ...]
    kms: tuple[str, ...]
    changes: Mapping[str, int]
    lost: tuple[str, ...]
    journal: tuple[str, ...]

    def difference(self, other: EndState) -> str:
        """What is not alike, field by field; empty: nothing."""
        return "; ".join(
            f"{field.name}: {getattr(self, field.name)}, not {getattr(other, field.name)}"
            for field in fields(self)
            if getattr(self, field.name) != getattr(other, field.name)
        )


def end_state(lab: LabClient) -> EndState:
    """As it is now."""
    cluster = lab.cluster()["properties"]
    kms = cluster["securityProfile"]["azureKeyVaultKms"]
    with administrator(lab.endpoint()) as api:
        kubelets = [node["status"]["nodeInfo"]["kubeletVersion"] for node in api.items("/api/v1/nodes")]
        journal = json.loads(api.get(_JOURNAL)["data"]["journal.json"])
    return EndState(
        secrets={key: StoredForm.of(raw).value for key, raw in lab.etcd_raw().items()},
        versions=(
            cluster["provisioningState"],
            cluster["currentKubernetesVersion"],
            *(f"{one['name']} {one['currentOrchestratorVersion']}" for one in cluster["agentPoolProfiles"]),
        ),
        kubelets=tuple(sorted(kubelets)),
        kms=(str(kms["enabled"]), "its key" if kms["keyId"] == lab.key_id() else kms["keyId"]),
        changes=dict(Counter(one["change"] for one in lab.operations())),
        lost=tuple(key for change in lab.history() for key in change["unreadable"]),
        journal=_told(journal),
    )


def lease_holder(lab: LabClient) -> str:
    """Who holds the Lease, in words; empty: nobody."""
    with administrator(lab.endpoint()) as api:
        lease = _found(api, _LEASE)
    return str(lease["spec"].get("holderIdentity") or "") if lease else ""


def _told(journal: Mapping[str, Any]) -> tuple[str, ...]:
    # Sorted: a proof that was made anew has moved to the end.
    steps = sorted(f"{one['id']} {one['status']}" for one in journal["steps"])
    exposure = journal["exposure"]
    ends = (
        "completed" if journal["completedAt"] else "unfinished",
        "exposure " + "known" * bool(exposure["from"] and exposure["to"] and exposure["from"] < exposure["to"]),
    )
    return (*steps, *ends)


def _found(api: Administrator, path: str) -> dict[str, Any] | None:
    try:
        return api.get(path)
    except ApiError as error:
        if error.status != 404:
            raise
        return None
