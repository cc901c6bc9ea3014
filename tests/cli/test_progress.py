"""Progress in a pipeline, in a log and not at all, of the real az: what is on stderr, and that stdout stays JSON."""

from __future__ import annotations

import itertools
import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.az import PATIENCE, Az
from tests.labs import UpLab
from tests.task_library import TaskLibrary

pytestmark = pytest.mark.az
STEPS = ["disable-kms", "decrypt-secrets", "upgrade", "enable-kms", "encrypt-secrets"]


def test_a_pipeline_gets_folded_steps_progress_and_a_summary(
    up: UpLab, tmp_path: Path, task_library: TaskLibrary
) -> None:
    az = up("embedded", secrets=40)
    az.environment |= {"TF_BUILD": "True", "AGENT_TEMPDIRECTORY": str(tmp_path)}
    done = az.start()
    assert done.code == 0, done.stderr
    assert done.document["state"] == "Completed"
    assert "##" not in done.stdout

    lines = done.stderr.splitlines()
    folded = [line for line in lines if line.startswith("##[")]
    assert [line.split(",")[1].split(":")[0].strip() for line in folded[::2]] == STEPS
    assert folded[1::2] == ["##[endgroup]"] * len(STEPS)
    commands = task_library.parsed([line for line in lines if line.startswith("##vso[")])
    assert {c.command for c in commands} == {"task.setprogress", "task.uploadsummary"}
    assert [c.properties["value"] for c in commands if c.command == "task.setprogress"][-1] == "100"
    summary = Path(commands[-1].message)
    assert summary.parent == tmp_path
    assert re.findall(r"^\| ([a-z-]+): .* \| done \|", summary.read_text(), re.MULTILINE) == STEPS
    others = [line for line in lines[lines.index(folded[0]) :] if not line.startswith(("##", "["))]
    assert [line.split(":")[0] for line in others] == ["Next"], others


def test_a_step_that_fails_is_an_issue_of_the_job(up: UpLab, task_library: TaskLibrary) -> None:
    az = up("embedded", secrets=20)
    az.lab.fault("operation", "upgrade failed-after-effect")
    failed = az.start("--progress", "azure-devops")
    assert failed.code == 1, failed.stderr
    lines = failed.stderr.splitlines()
    commands = task_library.parsed([line for line in lines if line.startswith("##vso[")])
    (issue,) = [c for c in commands if c.command == "task.logissue"]
    assert issue.properties == {"type": "error"}
    assert issue.message.startswith(f"upgrade: {failed.document['problem']['code']}: ")
    assert lines.index("##[endgroup]") < next(n for n, line in enumerate(lines) if "logissue" in line)


def test_an_upgrade_that_takes_its_time_shows_its_pools_for_few_requests(up: UpLab) -> None:
    az = up("embedded", secrets=20)
    az.lab.fault("operation", "upgrade hang")
    process = az.begin("start", "--yes", "--settle-seconds", "1", "--progress", "plain")
    assert process.stderr is not None
    try:
        said = [next(process.stderr)]
        while "Azure says" not in said[-1] or "pool" not in said[-1]:
            said.append(next(process.stderr))
        time.sleep(15.0)
        looks = _looks_since_the_upgrade_began(az)
    finally:
        az.lab.fault("release")
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, stderr
    assert re.search(r"the upgrade to 1\.27\.1: Azure says \w+, \d+ s, pool 1 of 2, 0 of 3 nodes$", said[-1].rstrip())
    assert stdout.startswith("{")

    assert len(looks) >= 4
    assert min((b - a).total_seconds() for a, b in itertools.pairwise(looks)) >= 4.9


def test_who_wants_errors_only_gets_nothing_else(up: UpLab) -> None:
    az = up("embedded", secrets=20)
    done = az.start("--only-show-errors", "--progress", "plain")
    assert (done.code, done.stderr) == (0, "")
    assert done.document["state"] == "Completed"
    silent = az.migrate("verify", "--settle-seconds", "0", "--progress", "none")
    assert "[" not in silent.stderr.replace("[Preview]", "")
    assert az.migrate("start", "--progress", "balloons").code == 2


def _looks_since_the_upgrade_began(az: Az) -> list[datetime]:
    """When the cluster was read; the operation's own status is another resource."""

    def upgrades(one: dict[str, Any]) -> bool:
        return one["method"] == "PUT" and bool(one["body"]["properties"]["kubernetesVersion"] == "1.27.1")

    arm = [one for one in az.lab.requests() if one["service"] == "arm"]
    began = next(number for number, one in enumerate(arm) if upgrades(one))
    looks = [one for one in arm[began + 1 :] if (one["method"], one["path"]) == ("GET", arm[began]["path"])]
    return [datetime.fromisoformat(one["time"]) for one in looks]
