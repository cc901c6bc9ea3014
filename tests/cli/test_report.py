"""``report`` as a process: before, in the middle and after a migration, and elsewhere; its page in Chromium."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from azext_kmsmigrate.handover.page import page
from tests.az import Az
from tests.browser import Browser
from tests.lab.administrator import administrator
from tests.lab.client import LabClient
from tests.lab.model import LabOptions
from tests.unit.documents import REPORT

pytestmark = pytest.mark.az
SECRETS = 40


@pytest.fixture(scope="module")
def told(extensions: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Az, Path]]:
    """One migration, with a report of each stage in a directory: before.html, middle.html, after.html and so on."""
    kept = tmp_path_factory.mktemp("reports")
    with LabClient.up(LabOptions(f"reported-{os.getpid()}", secrets=SECRETS), tethered=True) as lab:
        az = Az(lab, extensions)
        _report(az, kept / "before.html")
        stopped = az.start("--stop-after", "decrypt-secrets", "--skip-check", "U-06")
        assert stopped.code == 0, stopped.stderr
        _report(az, kept / "middle.html")
        done = az.start()
        assert done.code == 0, done.stderr
        (kept / "run.json").write_text(done.stdout)
        _report(az, kept / "after.html")
        yield az, kept


def _report(az: Az, file: Path) -> None:
    made = az.migrate("report", "--out", str(file))
    assert made.code == 0, made.stderr
    file.with_suffix(".json").write_text(made.stdout)


def _told(kept: Path, stage: str) -> dict[str, object]:
    document = json.loads((kept / f"{stage}.json").read_text())
    assert isinstance(document, dict)
    return document


def test_each_stage_has_its_verdict(told: tuple[Az, Path]) -> None:
    _, kept = told
    verdicts = [_told(kept, stage)["verdict"] for stage in ("before", "middle", "after")]
    assert verdicts == ["NotRecorded", "Unfinished", "Proven"]


def test_it_holds_the_evidence_that_the_run_printed(told: tuple[Az, Path]) -> None:
    _, kept = told
    run, report = json.loads((kept / "run.json").read_text()), json.loads((kept / "after.json").read_text())
    assert report["proofs"][-1]["evidence"] == run["evidence"]
    assert report["exposure"] == run["exposure"]
    assert [one["outcome"] for one in report["runs"]] == ["Stopped", "Completed"]
    assert all(one["account"] and one["tool"].startswith("aks-kms-migrate 1") for one in report["runs"])
    assert [check["id"] for check in report["checks"]["skipped"]] == ["U-06"]
    assert [course["purpose"] for course in report["proofs"][-1]["courses"]] == ["rewriting", "proof"]
    assert report["proofs"][-1]["courses"][-1]["samples"][-1]["secrets"] == SECRETS


def test_another_machine_makes_the_same_report(told: tuple[Az, Path], tmp_path: Path) -> None:
    az, kept = told
    signed_in = shutil.copytree(az.environment["AZURE_CONFIG_DIR"], tmp_path / "azure")
    elsewhere = copy.copy(az)
    elsewhere.environment = az.environment | {"AZURE_CONFIG_DIR": str(signed_in), "HOME": str(tmp_path)}
    made = elsewhere.migrate("report")
    assert made.code == 0, made.stderr
    differing = ("now", "generatedBy")
    before = _told(kept, "after")
    assert {k: v for k, v in made.document.items() if k not in differing} == {
        k: v for k, v in before.items() if k not in differing
    }


def test_it_asks_only(told: tuple[Az, Path]) -> None:
    az, _ = told
    raw, puts = az.lab.etcd_raw(), az.lab.puts()
    assert az.migrate("report", "--output", "table").code == 0
    assert (az.lab.etcd_raw(), az.lab.puts()) == (raw, puts)


def test_markdown_goes_to_stdout_instead_of_the_result(told: tuple[Az, Path]) -> None:
    az, _ = told
    made = az.migrate("report", "--format", "markdown", "--out", "-")
    assert made.code == 0, made.stderr
    assert made.stdout.startswith("# Proven on ")
    assert "## Keys to keep" in made.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--format", "html"], "KMSM526"),
        (["--out", "report.txt"], "KMSM527"),
        (["--out", "no/such/directory/report.html"], "KMSM508"),
    ],
)
def test_what_cannot_be_written_is_a_clear_error(told: tuple[Az, Path], words: list[str], code: str) -> None:
    az, _ = told
    made = az.migrate("report", *words)
    assert (made.code, made.stdout) == (1, "")
    assert code in made.stderr


HOSTILE = '<script>document.title="hit"</script><img src=http://127.0.0.1:9/x>##vso[x]|`' + "x" * 300


def _pages(kept: Path) -> dict[str, Path]:
    hostile = kept / "hostile.html"
    proof = replace(REPORT.proofs[0], title=HOSTILE)
    hostile.write_text(
        page(replace(REPORT, headline=HOSTILE, told=[HOSTILE], proofs=[proof], next_command=HOSTILE)), encoding="utf-8"
    )
    return {**{stage: kept / f"{stage}.html" for stage in ("before", "middle", "after")}, "hostile": hostile}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("stage", ["before", "middle", "after", "hostile"])
def test_the_page_is_accessible_asks_for_nothing_and_fits(
    told: tuple[Az, Path], browser: Browser, stage: str, width: int, dark: bool
) -> None:
    file = _pages(told[1])[stage]
    browser.open(file, width=width, dark=dark)
    assert browser.violations() == []
    assert browser.requests == [file.as_uri()]
    assert browser.complaints == []
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.title").startswith("KMS migration of ")


def test_a_bad_page_is_found_out(browser: Browser, tmp_path: Path) -> None:
    """What the test above stands on: the checker sees contrast, and the browser a request."""
    bad = tmp_path / "bad.html"
    bad.write_text('<html><body><p style="color:#ccc">pale words</p><img src="there.png"></body></html>')
    browser.open(bad, width=1280)
    assert {"color-contrast", "image-alt", "html-has-lang"} <= {one.rule for one in browser.violations()}
    assert len(browser.requests) == 2


def test_after_the_journal_was_deleted_it_says_that_nothing_is_recorded(told: tuple[Az, Path]) -> None:
    az, _ = told  # the last test of this file: the journal is gone then
    with administrator(az.lab.endpoint()) as api:
        api.delete_if_present("/api/v1/namespaces/kube-system/configmaps/aks-kms-migrate")
    made = az.migrate("report")
    assert (made.code, made.document["verdict"]) == (0, "NotRecorded")
