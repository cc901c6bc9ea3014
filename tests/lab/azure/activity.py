"""The activity log: who changed what, as ``Microsoft.Insights`` tells it."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from tests.lab.azure.grants import iso, seconds
from tests.lab.azure.metadata import SUBSCRIPTION_ID
from tests.lab.azure.refusal import ServiceError
from tests.lab.azure.resources import Json, within

_VERBS = {"PUT": "Create or Update", "PATCH": "Update", "DELETE": "Delete", "POST": "Action"}
_SINCE = re.compile(r"eventTimestamp\s+ge\s+'?([^'\s]+)'?", re.IGNORECASE)
_UNTIL = re.compile(r"eventTimestamp\s+le\s+'?([^'\s]+)'?", re.IGNORECASE)
_WHERE = re.compile(r"(resourceUri|resourceGroupName|caller|resourceId)\s+eq\s+'([^']*)'", re.IGNORECASE)
# Azure keeps ninety days and answers nothing older.
_KEPT_SECONDS = 90 * 86_400


class Activity:
    """The events of the subscription, newest first when they are listed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[Json] = []

    def note(self, claims: Mapping[str, Any], method: str, action: str, scope: str, status: int) -> None:
        """One request that changed something, or was refused to."""
        outcome = "Failed" if status >= 400 else "Accepted" if status in (201, 202) else "Succeeded"
        self.add(str(claims["appid"]), str(claims["oid"]), action, scope, outcome, method)

    def add(self, app: str, principal: str, action: str, scope: str, outcome: str, method: str = "PUT") -> None:
        now = iso(time.time())
        event = {
            "authorization": {"action": action, "scope": scope},
            "caller": app,
            "category": {"value": "Administrative", "localizedValue": "Administrative"},
            "claims": {"appid": app, "http://schemas.microsoft.com/identity/claims/objectidentifier": principal},
            "correlationId": str(uuid.uuid4()),
            "eventDataId": str(uuid.uuid4()),
            "eventName": {"value": "EndRequest", "localizedValue": "End request"},
            "eventTimestamp": now,
            "submissionTimestamp": now,
            "httpRequest": {"clientRequestId": str(uuid.uuid4()), "method": method},
            "level": "Error" if outcome == "Failed" else "Informational",
            "operationName": {"value": action, "localizedValue": _VERBS.get(method, method)},
            "resourceGroupName": scope.lower().partition("/resourcegroups/")[2].partition("/")[0],
            "resourceId": scope,
            "status": {"value": outcome, "localizedValue": outcome},
            "subscriptionId": SUBSCRIPTION_ID,
        }
        with self._lock:
            self._events.append(event)

    def listed(self, expression: str) -> list[Json]:
        """The events that an OData filter asks for; a start within the last ninety days is required."""
        since, until = _SINCE.search(expression), _UNTIL.search(expression)
        if since is None or seconds(since[1]) < time.time() - _KEPT_SECONDS:
            # Ours: Azure's text names the moment; callers see the code.
            message = "The filter must have an 'eventTimestamp ge' within the last 90 days."
            raise ServiceError(400, "BadRequest", message)
        wanted = {name.lower(): value for name, value in _WHERE.findall(expression)}
        with self._lock:
            events = list(reversed(self._events))
        return [
            event
            for event in events
            if event["eventTimestamp"] >= iso(seconds(since[1]))
            and (until is None or event["eventTimestamp"] <= iso(seconds(until[1])))
            and _fits(event, wanted)
        ]


def _fits(event: Json, wanted: Mapping[str, str]) -> bool:
    for name, value in wanted.items():
        if name in ("resourceuri", "resourceid") and not within(event["resourceId"], value):
            return False
        if name == "resourcegroupname" and event["resourceGroupName"].lower() != value.lower():
            return False
        if name == "caller" and event["caller"].lower() != value.lower():
            return False
    return True
