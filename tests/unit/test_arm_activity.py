"""The activity log, over the SDK's real pipeline."""

from __future__ import annotations

from datetime import datetime, timezone
from urllib.parse import parse_qs, urlsplit

import pytest

from azext_kmsmigrate.arm.activity import ArmActivity
from tests.unit.arm_answers import FORBIDDEN, NAME, Answer, azure

EVENTS = "GET /subscriptions/sub/providers/Microsoft.Insights/eventtypes/management/values"
SINCE = datetime(2026, 1, 31, 9, 0, tzinfo=timezone.utc)
WRITE = "Microsoft.ContainerService/managedClusters/write"


def event(caller: str, minute: int, operation: str = WRITE) -> dict[str, object]:
    at = f"2026-01-31T09:{minute:02}:00.0000000Z"
    return {"caller": caller, "eventTimestamp": at, "operationName": {"value": operation}}


def test_who_wrote_is_named_once_and_with_the_newest_time() -> None:
    answers = azure({EVENTS: {"value": [event("pipeline", 7), event("pipeline", 3), event("me", 1)]}})
    told = ArmActivity(answers.resources()).writers(SINCE)
    assert told == (
        f"the activity log names: me ({WRITE}, 2026-01-31T09:01:00Z); pipeline ({WRITE}, 2026-01-31T09:07:00Z)"
    )
    asked = parse_qs(urlsplit(str(answers.asked[0].url)).query)["$filter"][0]
    assert asked == f"eventTimestamp ge '2026-01-31T09:00:00Z' and resourceUri eq '{NAME.resource_id}'"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"value": []}, "names nobody yet"),
        ({"value": [event("reader", 1, "Microsoft.ContainerService/managedClusters/read")]}, "names nobody yet"),
        (FORBIDDEN, "Microsoft.Insights/eventtypes/values/read"),
        (Answer({"error": {"code": "BadRequest", "message": "no"}}, 400), "could not be read"),
    ],
)
def test_what_is_not_known_is_said(answer: object, told: str) -> None:
    assert told in ArmActivity(azure({EVENTS: answer}).resources()).writers(SINCE)
