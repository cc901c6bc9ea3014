"""Many clusters at once, in subscriptions of their own under one management group, without API servers behind them."""

from __future__ import annotations

import copy
from typing import Any

from tests.lab.azure.grants import Grants
from tests.lab.azure.metadata import LOCATION
from tests.lab.azure.resources import Json, Resources
from tests.lab.azure.roles import READER
from tests.lab.azure.subscriptions import Subscriptions, group_scope, subscription_document

MANAGEMENT_GROUP = "fleet"
_CLUSTERS_A_GROUP = 100
_KEY = "https://fleet.vault.azure.net/keys/kms/0123456789abcdef0123456789abcdef"
# What is unlike the lab's own cluster: version, KMS, power; one after the other.
KINDS: tuple[dict[str, Any], ...] = (
    {"version": "1.26.15", "kms": {"enabled": True, "keyId": _KEY}},
    {"version": "1.25.6", "kms": {"enabled": False, "keyId": _KEY}},
    {"version": "1.29.2", "kms": {"enabled": True, "keyId": _KEY}},
    {"version": "1.31.4", "kms": None},
    {"version": "1.24.9", "kms": {"enabled": True, "keyId": _KEY}, "power": "Stopped"},
)


def subscription_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


class Fleet:
    """``like``: the cluster that all of them are copies of."""

    def __init__(self, resources: Resources, grants: Grants, subscriptions: Subscriptions, like: Json) -> None:
        self._resources = resources
        self._grants = grants
        self._subscriptions = subscriptions
        self._like = like

    def create(self, reader: str, subscriptions: int, clusters: int) -> None:
        """So many clusters, shared out over subscriptions (numbered from 1) that ``reader`` may read."""
        self._subscriptions.create_group(MANAGEMENT_GROUP)
        self._grants.assign_long_ago(reader, READER.id, group_scope(MANAGEMENT_GROUP))
        for number in range(1, subscriptions + 1):
            id_ = subscription_id(number)
            self._resources.put(
                f"/subscriptions/{id_}", subscription_document(id_, f"Fleet {number}", MANAGEMENT_GROUP)
            )
            self._grants.assign_long_ago(reader, READER.id, f"/subscriptions/{id_}")
        bodies = [self._body(kind) for kind in KINDS]
        for number in range(clusters):
            place = f"/subscriptions/{subscription_id(number % subscriptions + 1)}/resourceGroups/"
            group = f"{place}Group-{number // subscriptions // _CLUSTERS_A_GROUP:03d}"
            if self._resources.get(group) is None:
                self._resources.put(group, {"location": LOCATION, "properties": {"provisioningState": "Succeeded"}})
            name = f"cluster-{number:05d}"
            id_ = f"{group}/providers/Microsoft.ContainerService/managedClusters/{name}"
            self._resources.adopt({**bodies[number % len(bodies)], "id": id_, "name": name})

    def _body(self, kind: dict[str, Any]) -> Json:
        body = copy.deepcopy(self._like)
        properties = body["properties"]
        properties |= {"provisioningState": "Succeeded", "powerState": {"code": kind.get("power", "Running")}}
        properties |= {"kubernetesVersion": kind["version"], "currentKubernetesVersion": kind["version"]}
        for pool in properties["agentPoolProfiles"]:
            pool |= {"orchestratorVersion": kind["version"], "currentOrchestratorVersion": kind["version"]}
        access = {"keyVaultNetworkAccess": "Public", "keyVaultResourceId": ""}
        properties["securityProfile"] = {"azureKeyVaultKms": {**kind["kms"], **access}} if kind["kms"] else {}
        return body
