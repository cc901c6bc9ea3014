"""A migration that is killed, or loses an answer, at any request it makes ends right when it is typed again."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.az import Az
from tests.interruption.trial import QUICK, Call, Interruption, calls, survived
from tests.lab.client import LabClient
from tests.lab.model import LabOptions

EVERY = os.environ.get("EVERY_CALL") == "1"
SECRETS = 4


def _up(extensions: Path, name: str, apiserver: str = "embedded") -> Az:
    return Az(LabClient.up(LabOptions(name, apiserver=apiserver, secrets=SECRETS), tethered=True), extensions)


def _chosen(made: list[Call]) -> Iterator[int]:
    """Every call, or the first and the last of each row of alike ones: between those nothing else happens."""
    for _, row in itertools.groupby(made, key=lambda call: (call.method, call.path)):
        alike = [call.number for call in row]
        yield from alike if EVERY else dict.fromkeys((alike[0], alike[-1]))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["answered", "dropped"])
def test_interrupted_at_any_call_it_ends_as_an_undisturbed_run(extensions: Path, how: str) -> None:
    az = _up(extensions, f"calls-{how}")
    try:
        typed, made = calls(az, "start", *QUICK)
    finally:
        az.lab.down()
    assert typed.code == 0, typed.stderr
    points = list(_chosen(made))
    assert len(points) > 60
    wrong = []
    for point in points:
        az = _up(extensions, f"calls-{how}")
        try:
            survived(az, Interruption(point, how))
        except AssertionError as error:
            wrong.append(str(error))
        finally:
            az.lab.down()
    assert not wrong, "\n".join(wrong)
