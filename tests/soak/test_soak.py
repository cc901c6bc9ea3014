"""One small migration in bad weather; ``make soak`` makes the large ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.lab.model import LabOptions
from tests.soak.hardship import MOST_COMMANDS, drawn
from tests.soak.migration import migrate
from tests.soak.other_writers import Contents, differences

SEED = int(os.environ.get("SEED") or 3)  # one without a minute of waiting: success too early, a reset, a slow vault


def test_a_hardship_follows_from_its_seed() -> None:
    assert drawn(7, 2000, 120.0) == drawn(7, 2000, 120.0)
    told = {str(drawn(seed, 2000, 120.0)) for seed in range(50)}
    assert len(told) == 50
    for word in ("operation", "replica kill", "connections reset", "vault-limit", "webhook", "answered"):
        assert any(word in one for one in told), word


_AS_IT_WAS = ({"data": "a", "managedFields": "m"}, "")


@pytest.mark.parametrize(
    ("after", "marks", "found"),
    [
        ({"n/s": _AS_IT_WAS}, {}, []),
        ({}, {}, ["n/s: gone"]),
        ({"n/s": ({"data": "b", "managedFields": "m"}, "")}, {}, ["n/s: changed"]),
        ({"n/s": ({"data": "a", "managedFields": "x"}, "")}, {}, ["n/s: changed"]),
        ({"n/s": ({"data": "a", "managedFields": "x"}, "7")}, {"n/s": {"6", "7"}}, []),
        ({"n/s": _AS_IT_WAS}, {"n/s": {"7"}}, ["n/s: , not one of {'7'}"]),
        ({"n/s": ({"data": "b"}, "7")}, {"n/s": {"7"}}, ["n/s: changed beside the mark"]),
        ({}, {"n/s": {"7", None}}, []),
        ({"n/s": _AS_IT_WAS, "n/canary": _AS_IT_WAS}, {}, ["n/canary: nobody made it"]),
    ],
)
def test_the_ledger_tells_what_nobody_meant(
    after: Contents, marks: dict[str, set[str | None]], found: list[str]
) -> None:
    assert differences({"n/s": _AS_IT_WAS}, after, marks) == found


@pytest.mark.az
def test_a_migration_in_bad_weather_ends_right(extensions: Path) -> None:
    secrets = 30
    options = LabOptions(f"soak-{os.getpid()}", secrets=secrets, extra={"proxy": "on"})
    verdict = migrate(extensions, options, drawn(SEED, secrets, 4.0), settle="0")
    assert not verdict.wrong, f"SEED={SEED}: {verdict}"
    assert len(verdict.codes) <= MOST_COMMANDS
