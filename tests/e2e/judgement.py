"""The judge of an end-to-end test: etcd, and what the command said of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.az import Typed
from tests.lab.client import LabClient
from tests.lab.model import StoredForm


def forms(lab: LabClient) -> dict[str, int]:
    """The Secrets of others by stored form: in the middle of a step the tool's own canaries are there too."""
    raw = (value for key, value in lab.etcd_raw().items() if "/aks-kms-migrate-canary" not in key)
    return dict(Counter(StoredForm.of(value).value for value in raw))


def assert_completed(done: Typed) -> dict[str, Any]:
    assert done.code == 0, done.stderr
    result = done.document
    assert result["state"] == "Completed"
    assert result["evidence"]["missing"] == []
    for record in result["evidence"]["passes"]:
        counts = record["secrets"]
        assert counts["total"] == counts["rewritten"] + counts["current"] + counts["gone"] + counts["failed"]
    assert result["evidence"]["passes"][-1]["secrets"]["rewritten"] == 0
    return result


def assert_all_under_kms_v2(lab: LabClient, secrets: int) -> None:
    assert lab.etcd() == {"kms-v1": 0, "kms-v2": secrets, "plain": 0}
    # No reader was taken away while something still needed it.
    assert [change["unreadable"] for change in lab.history() if change["unreadable"]] == []


def assert_unchanged(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> None:
    assert {name for name in before if after.get(name) != before[name]} == set()
