"""One small migration in bad weather; ``make soak`` makes the large ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.lab.model import LabOptions
from tests.soak.hardship import MOST_COMMANDS, drawn
from tests.soak.migration import migrate

SEED = int(os.environ.get("SEED") or 3)  # one without a minute of waiting: success too early, a reset, a slow vault


def test_a_hardship_follows_from_its_seed() -> None:
    assert drawn(7, 2000, 120.0) == drawn(7, 2000, 120.0)
    told = {str(drawn(seed, 2000, 120.0)) for seed in range(50)}
    assert len(told) == 50
    for word in ("operation", "replica kill", "connections reset", "vault-limit", "webhook", "answered"):
        assert any(word in one for one in told), word


@pytest.mark.az
def test_a_migration_in_bad_weather_ends_right(extensions: Path) -> None:
    secrets = 30
    options = LabOptions(f"soak-{os.getpid()}", secrets=secrets, extra={"proxy": "on"})
    verdict = migrate(extensions, options, drawn(SEED, secrets, 4.0), settle="0")
    assert not verdict.wrong, f"SEED={SEED}: {verdict}"
    assert len(verdict.codes) <= MOST_COMMANDS
