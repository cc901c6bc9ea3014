"""A managed cluster as a plain document, of Azure Resource Graph or of an ARM list, read as the SDK's model is.

Making the SDK's models takes milliseconds a cluster, which is long for thousands of them.
"""

from __future__ import annotations

import functools
from typing import Any

from azext_kmsmigrate.arm.facts import facts_of
from azext_kmsmigrate.migration.facts import ClusterFacts, ClusterName
from azext_kmsmigrate.migration.fleet import subscription_of

Json = dict[str, Any]

PROPERTIES = (
    "kubernetesVersion",
    "currentKubernetesVersion",
    "provisioningState",
    "powerState",
    "securityProfile",
    "apiServerAccessProfile",
    "agentPoolProfiles",
)
"""What the decisions about a list read, under ``properties``."""


def flat(cluster: Json) -> Json:
    """A row, as Resource Graph is asked for it, of a whole managed cluster."""
    properties = cluster.get("properties") or {}
    row = {name: cluster.get(name) for name in ("id", "name", "location")}
    row |= {name: properties.get(name) for name in PROPERTIES}
    return row | {"identityType": (cluster.get("identity") or {}).get("type")}


def facts_of_row(row: Json) -> ClusterFacts:
    """A row as facts; what no row holds is left at its default.

    :raises ValueError: a version or a word makes no sense
    :raises TypeError, AttributeError, IndexError: the row has another shape than Azure documents
    """
    resource_id = str(row["id"])
    group = resource_id.split("/")[4]
    name = ClusterName(str(row["name"]), group, subscription_of(resource_id), resource_id)
    kind = row.get("identityType")
    return facts_of(_View(row | {"identity": {"type": kind} if kind else None}), name)


class _View:
    """Attributes in Python's words over the keys of a document; what is not there is None."""

    def __init__(self, document: Json) -> None:
        self._document = document

    def __getattr__(self, name: str) -> Any:
        return _seen(self._document.get(_camel(name)))

    def get(self, key: str) -> Any:
        """As the SDK's models have it: the document's own key, and what is under it as it is."""
        return self._document.get(key)


def _seen(value: Any) -> Any:
    if isinstance(value, dict):
        return _View(value)
    return [_seen(one) for one in value] if isinstance(value, list) else value


@functools.lru_cache
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
