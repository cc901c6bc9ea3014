"""The oldest az that the extension says it runs on: every command once, and a whole migration; etcd is the judge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.az import Az
from tests.demo.installation import install
from tests.e2e.judgement import assert_all_under_kms_v2, assert_completed, forms
from tests.installed.environments import OLDEST_AZ, needed
from tests.lab.client import LabClient
from tests.lab.model import LabOptions

pytestmark = pytest.mark.az
SECRETS = 40
QUICK = ("--settle-seconds", "1")


@pytest.fixture(scope="module")
def program() -> Path:
    return needed(OLDEST_AZ) / "bin" / "az"


@pytest.fixture(scope="module")
def installed(program: Path) -> Path:
    return install(program, OLDEST_AZ.name)


@pytest.fixture
def az(program: Path, installed: Path, request: pytest.FixtureRequest) -> Iterator[Az]:
    with LabClient.up(
        LabOptions(f"oldest-{abs(hash(request.node.name)) % 10**6}", secrets=SECRETS), tethered=True
    ) as lab:
        yield Az(lab, installed, program)


def test_a_migration_from_check_to_verify(az: Az) -> None:
    assert az.type("version").document["azure-cli"] == "2.85.0"
    assert az.migrate("check", "--skip-check", "K-12").code == 0
    assert az.migrate("plan", "--detailed-exit-code").code == 10
    assert_completed(az.start("--kubernetes-version", "1.27.1"))
    assert_all_under_kms_v2(az.lab, SECRETS)
    assert az.migrate("show").document["remaining"] == []
    assert az.migrate("verify", *QUICK).document["verified"] is True


def test_every_step_by_itself_and_the_way_back(az: Az) -> None:
    def does(*words: str) -> None:
        done = az.migrate(*words, "--yes")
        assert done.code == 0, done.stderr

    does("disable-kms")
    does("revert", *QUICK)
    assert forms(az.lab) == {"kms-v1": SECRETS}
    does("disable-kms")
    does("rewrite-secrets", *QUICK)
    assert forms(az.lab) == {"plain": SECRETS}
    does("upgrade", "--kubernetes-version", "1.27.1", *QUICK)
    does("enable-kms", *QUICK)
    does("rewrite-secrets", *QUICK)
    assert forms(az.lab) == {"kms-v2": SECRETS}


def test_help_and_forms_of_output(az: Az) -> None:
    for form in ("table", "tsv", "yaml", "none"):
        assert az.migrate("show", "-o", form).code == 0
    group = az.type("aks", "kms-migrate", "--help")
    assert group.code == 0
    commands = re.findall(r"^    ([a-z-]+) +:", group.stdout.partition("Commands:")[2], re.MULTILINE)
    assert "start" in commands
    for command in commands:
        assert az.type("aks", "kms-migrate", command, "--help").code == 0
