"""A migration that is killed, or loses an answer, at any request it makes ends right when it is typed again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.az import Az
from tests.interruption.trial import QUICK, Call, Interruption, calls, survived
from tests.lab.client import LabClient
from tests.lab.model import LabOptions

EVERY = os.environ.get("EVERY_CALL") == "1"
SAMPLE = 24  # calls, spread over the run; EVERY_CALL=1 makes it all of them, about an hour
SECRETS = 4


def _up(extensions: Path, name: str) -> Az:
    return Az(LabClient.up(LabOptions(name, secrets=SECRETS), tethered=True), extensions)


def _chosen(made: list[Call]) -> list[int]:
    return [call.number for call in (made if EVERY else made[:: max(1, len(made) // SAMPLE)])]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["answered", "dropped"])
def test_interrupted_at_any_call_it_ends_as_an_undisturbed_run(extensions: Path, how: str) -> None:
    az = _up(extensions, f"calls-{how}")
    try:
        typed, made = calls(az, "start", *QUICK)
    finally:
        az.lab.down()
    assert typed.code == 0, typed.stderr
    points = _chosen(made)
    assert len(points) >= SAMPLE
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
