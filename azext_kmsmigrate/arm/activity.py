"""Asks Azure's activity log who changed the cluster. It is some minutes behind, and not everybody may read it.

https://learn.microsoft.com/rest/api/monitor/activity-logs/list
"""

from __future__ import annotations

from datetime import datetime

from azext_kmsmigrate.arm.resource_manager import Json, Resources
from azext_kmsmigrate.checks.topic import Unseen
from azext_kmsmigrate.errors import AzureError

_RIGHT = "Microsoft.Insights/eventtypes/values/read"
_VERSION = "2015-04-01"
_WRITES = ("/write", "/delete", "/action")
_MOST = 3  # callers that are named


class ArmActivity:
    """The port ``Activity``."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def writers(self, since: datetime) -> str:
        name = self._resources.name
        path = f"/subscriptions/{name.subscription}/providers/Microsoft.Insights/eventtypes/management/values"
        wanted = f"eventTimestamp ge '{since:%Y-%m-%dT%H:%M:%SZ}' and resourceUri eq '{name.resource_id}'"
        try:
            found = self._resources.listed(path, _VERSION, _RIGHT, **{"$filter": wanted})
        except AzureError as error:
            return f"the activity log could not be read ({error.entry.code})"
        if isinstance(found, Unseen):
            return f"the activity log may not be read by you ({found.permission or _RIGHT})"
        newest: dict[str, str] = {}
        for event in sorted(found or (), key=_time):
            if _operation(event).lower().endswith(_WRITES) and event.get("caller"):
                newest[str(event["caller"])] = f"{event['caller']} ({_operation(event)}, {_time(event)[:19]}Z)"
        told = "; ".join(list(newest.values())[-_MOST:])
        return (
            f"the activity log names: {told}" if told else "the activity log, which is minutes behind, names nobody yet"
        )


def _operation(event: Json) -> str:
    return str((event.get("operationName") or {}).get("value") or "")


def _time(event: Json) -> str:
    return str(event.get("eventTimestamp") or "")
