"""Skips the tests marked ``real``, with the reason, where real API servers cannot run; never under CI."""

from __future__ import annotations

import os

import pytest

from tests.lab.controlplane.real import binaries

pytest_plugins = ["tests.labs", "tests.task_library", "tests.browser"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    real = [item for item in items if item.get_closest_marker("real")]
    if not real or os.environ.get("CI") == "true":
        return
    if missing := binaries.missing():
        skip = pytest.mark.skip(reason="no real API servers here: " + "; ".join(missing))
        for item in real:
            item.add_marker(skip)
