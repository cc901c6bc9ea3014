"""What az loads because of the extension: little for other commands, and for ``show`` nothing that is slow to load."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.client import LabClient
from tests.lab.model import LabOptions

pytestmark = pytest.mark.az

LIGHT = {
    "azext_kmsmigrate",
    *(f"azext_kmsmigrate.{name}" for name in ("_help", "_format", "commands", "migration", "migration.span")),
    *(f"azext_kmsmigrate.{name}" for name in ("report", "report.one_line")),
}


@pytest.fixture(scope="module")
def lab() -> Iterator[LabClient]:
    with LabClient.up(LabOptions("start-up"), tethered=True) as lab:
        yield lab


def loaded(lab: LabClient, extensions: Path, *words: str) -> set[str]:
    """Every module that Python imported for a command."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "azure.cli", *words],
        env=os.environ | lab.environment() | {"AZURE_EXTENSION_DIR": str(extensions)},
        cwd=lab.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def test_other_commands_load_the_doors_alone(lab: LabClient, extensions: Path) -> None:
    for words in (("aks", "--help"), ("aks", "list")):
        loaded(lab, extensions, *words)  # the first time az looks at everything, and makes its index
        found = loaded(lab, extensions, *words)
        ours = {name for name in found if name.startswith("azext_kmsmigrate")}
        assert "azext_kmsmigrate.commands" in ours  # else this tells nothing
        assert ours - LIGHT == set()
        assert {name for name in found if name.split(".")[0] == "kubernetes"} == set()


def test_show_is_given_nothing_that_is_slow_to_load(lab: LabClient, extensions: Path) -> None:
    found = loaded(lab, extensions, "aks", "kms-migrate", "show", "-g", "lab", "-n", lab.name)
    assert "azext_kmsmigrate.standing" in found
    assert {name for name in found if name.split(".")[0] == "kubernetes"} == set()
    assert {name for name in found if name.startswith("azext_kmsmigrate.") and name.endswith("_inspector")} == set()
