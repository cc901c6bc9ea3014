"""The example for Azure Pipelines, run whole: every script as AzureCLI@2 runs it, each job on a machine of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.e2e.judgement import assert_all_under_kms_v2
from tests.lab.azure.metadata import SUBSCRIPTION_ID
from tests.lab.client import ROOT
from tests.labs import UpLab
from tests.pipelines.agent import Agent
from tests.pipelines.azure_cli import AzureCli
from tests.pipelines.expressions import Scope, UnknownExpressionError
from tests.task_library import TaskLibrary

EXAMPLE = ROOT / "examples" / "azure-pipelines.yml"
SECRETS = 5
# https://learn.microsoft.com/azure/devops/pipelines/yaml-schema
_PIPELINE = {"trigger", "parameters", "variables", "pool", "stages"}
_STAGE = {"stage", "displayName", "dependsOn", "condition", "jobs", "variables"}
_JOB = {"job", "displayName", "dependsOn", "condition", "strategy", "timeoutInMinutes", "pool", "steps", "variables"}
_STEPS = (
    {"checkout"},
    {"publish", "artifact", "condition"},
    {"download", "patterns", "artifact"},
    {"task", "name", "displayName", "inputs", "env", "condition", "timeoutInMinutes"},
)


def test_the_file_has_the_keys_that_azure_pipelines_knows() -> None:
    pipeline = yaml.safe_load(EXAMPLE.read_text())
    assert set(pipeline) <= _PIPELINE
    for stage in pipeline["stages"]:
        assert set(stage) <= _STAGE
        for job in stage["jobs"]:
            assert set(job) <= _JOB
            assert set(job.get("strategy", {})) <= {"matrix", "maxParallel"}
            for step in job["steps"]:
                assert any(set(step) <= known for known in _STEPS), step


def test_a_stop_by_the_tool_comes_before_the_end_of_the_job() -> None:
    pipeline = yaml.safe_load(EXAMPLE.read_text())
    jobs = [job for stage in pipeline["stages"] for job in stage["jobs"]]
    starts = [(job, str(step)) for job in jobs for step in job["steps"] if "kms-migrate start" in str(step)]
    assert len(starts) == 3
    for job, step in starts:
        assert int(step.split("--timeout ")[1].split()[0]) < job["timeoutInMinutes"]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("succeeded()", False),
        ("succeededOrFailed()", True),
        ("and(failed(), ne(dependencies.a.outputs['s.v'], '{}'))", True),
        ("or(succeeded(), eq(stageDependencies.one.a.outputs['s.v'], 'X'))", True),
        ("not(eq(dependencies.never.outputs['s.v'], ''))", False),
    ],
)
def test_a_condition_is_what_azure_pipelines_makes_of_it(text: str, holds: bool) -> None:
    outputs = {(("dependencies", "a"), "s.v"): "1", (("stageDependencies", "one", "a"), "s.v"): "x"}
    assert Scope(("succeeded", "failed"), outputs).condition(text) is holds


@pytest.mark.parametrize("text", ["startsWith('a', 'b')", "variables['a']", "1 +", "and"])
def test_an_expression_that_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(UnknownExpressionError):
        Scope((), {}).condition(text)


@pytest.mark.az
def test_the_whole_pipeline_with_a_job_that_ends_too_early(
    up: UpLab, extensions: Path, tmp_path: Path, task_library: TaskLibrary
) -> None:
    az = up("embedded", secrets=SECRETS)
    az.lab.fault("operation", "disable-kms hang")

    def before(job: str) -> str:
        # The first job's time is over while Azure is still at work; that ends before the next one begins.
        if job == "upgrade":
            az.lab.fault("release")
        return "--timeout 0.1" if job == "decrypt" else ""

    client = az.lab.login_words()[az.lab.login_words().index("-u") + 1]
    agent = Agent(AzureCli(az.lab, extensions, client), task_library, tmp_path, before)
    (wheel,) = (ROOT / "build" / "wheel").glob("*.whl")
    parameters = {"subscription": SUBSCRIPTION_ID, "approvers": "ops@example.com"}
    agent.run(EXAMPLE.read_text(), parameters, {"extension": str(wheel)})

    results = {f"{run.stage}/{run.job}": run.result for run in agent.runs}
    logs = "\n".join(f"--- {run.job}\n{run.log}" for run in agent.runs)
    assert results == {
        "plan/find": "succeeded",
        "plan/check": "succeeded",
        "approve/ask": "succeeded",
        "migrate/decrypt": "succeeded",
        "migrate/upgrade": "succeeded",
        "migrate/encrypt": "succeeded",
        "migrate/report": "succeeded",
    }, logs
    assert_all_under_kms_v2(az.lab, SECRETS)
    (leg,) = json.loads(agent.of("find").outputs["list.clusters"]).values()
    assert (leg["cluster"], leg["group"], leg["subscription"]) == (az.lab.name, "lab", SUBSCRIPTION_ID)
    assert [asked["notifyUsers"] for asked in agent.asked] == ["ops@example.com"]

    warned = [c.message for c in agent.of("decrypt").commands if c.command == "task.logissue"]
    assert any("stopped at a safe point" in message for message in warned)
    assert "KMSM901" in agent.of("decrypt").log
    folded = [line for line in agent.of("upgrade").log.splitlines() if line.startswith("##[group]")]
    assert "decrypt-secrets" in folded[0] or "disable-kms" in folded[0], folded
    assert any(c.command == "task.setprogress" for c in agent.of("encrypt").commands)
    assert [c for c in agent.of("report").commands if c.command == "task.uploadsummary"]
    kept = {artifact.name: {file.name for file in artifact.iterdir()} for artifact in agent.artifacts.iterdir()}
    assert kept == {
        f"plan-{leg['leg']}-1": {"check.json", "plan.json"},
        f"report-{leg['leg']}-1": {"verify.json", "report.html", "report.md"},
    }
    assert "Traceback" not in logs
