"""Long files first; tests marked ``real`` are skipped, with the reason, where real API servers cannot run.

Never skipped under CI.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.lab.controlplane.real import binaries

pytest_plugins = ["tests.labs", "tests.task_library", "tests.browser"]
settings.register_profile("untimed", deadline=None)  # what is slow on a busy machine is not wrong
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    real = [item for item in items if item.get_closest_marker("real")]
    # A file is one worker's: one that waits for API servers, begun last, would be waited for by all others.
    count = dict.fromkeys((item.path for item in items), 0)
    for item in real:
        count[item.path] += 1
    items.sort(key=lambda item: -count[item.path])
    if not real or os.environ.get("CI") == "true":
        return
    if missing := binaries.missing():
        skip = pytest.mark.skip(reason="no real API servers here: " + "; ".join(missing))
        for item in real:
            item.add_marker(skip)
