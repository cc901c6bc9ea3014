"""A migration where another extension has replaced az's own ``aks`` commands, and one has another ``kubernetes``."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.az import Az
from tests.e2e.judgement import assert_all_under_kms_v2, assert_completed
from tests.installed.neighbours import ALTERED, settle
from tests.lab.client import LabClient
from tests.lab.model import LabOptions

pytestmark = pytest.mark.az
SECRETS = 40


@pytest.fixture
def az(extensions: Path, tmp_path: Path) -> Iterator[Az]:
    together = tmp_path / "extensions"
    together.mkdir()
    shutil.copytree(extensions / "aks-kms-migrate", together / "aks-kms-migrate")
    settle(together)
    with LabClient.up(LabOptions("neighbours", secrets=SECRETS), tethered=True) as lab:
        yield Az(lab, together)


def test_a_migration_beside_extensions_that_replace_and_shadow(az: Az) -> None:
    shown = az.type("aks", "show", "-g", "lab", "-n", az.lab.name)
    assert shown.document == {"said": ALTERED}, shown.stderr
    assert az.type("aks", "agent-of-a-neighbour", "--help").code == 0

    assert az.migrate("check", "--skip-check", "K-12").code == 0
    assert_completed(az.start("--kubernetes-version", "1.27.1"))
    assert_all_under_kms_v2(az.lab, SECRETS)
    assert az.migrate("show").document["remaining"] == []
    assert az.migrate("verify", "--settle-seconds", "1").document["verified"] is True
