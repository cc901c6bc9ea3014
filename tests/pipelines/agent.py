"""Runs a pipeline file: each job on a machine of its own, with nothing from another but outputs and artifacts."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.pipelines.azure_cli import AzureCli
from tests.pipelines.expressions import Scope
from tests.task_library import Read, TaskLibrary

Json = dict[str, Any]
_MACRO = re.compile(r"\$\(([A-Za-z][\w.]*)\)")
_WEIGHT = ("skipped", "succeeded", "succeededWithIssues", "failed")


@dataclass
class JobRun:
    """One leg of a job; ``leg`` is empty where there is no matrix."""

    stage: str
    job: str
    leg: str
    result: str = "succeeded"
    log: str = ""
    commands: list[Read] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)


class Agent:
    """``before``: called with each job's name, when it begins; gives words to add to ``start`` there."""

    def __init__(
        self, task: AzureCli, library: TaskLibrary, root: Path, before: Callable[[str], str] = lambda job: ""
    ) -> None:
        self._task, self._library, self._root, self._before = task, library, root, before
        self.artifacts = root / "artifacts"
        self.artifacts.mkdir()
        self.asked: list[Json] = []
        """The inputs of every manual validation, which is taken as given."""
        self.runs: list[JobRun] = []

    def run(self, text: str, parameters: Mapping[str, str], variables: Mapping[str, str]) -> None:
        """Run the whole file; ``variables`` go before its own, as those typed when a run is queued."""
        pipeline = yaml.safe_load(_with_parameters(text, parameters))
        shared = {one["name"]: str(one["value"]) for one in pipeline.get("variables", [])} | dict(variables)
        before: list[str] = []
        for stage in pipeline["stages"]:
            name = stage["stage"]
            waits_for = _listed(stage.get("dependsOn", before[-1:]))
            scope = Scope(tuple(self._result(stage=one) for one in waits_for), self._outputs_of_stages())
            wanted = scope.condition(stage.get("condition", "succeeded()"))
            for job in stage["jobs"]:
                self._run_job(name, job, shared, skip=not wanted)
            before.append(name)

    def of(self, job: str) -> JobRun:
        """The run of a job that has one leg."""
        (found,) = [run for run in self.runs if run.job == job]
        return found

    def _run_job(self, stage: str, job: Json, variables: Mapping[str, str], *, skip: bool) -> None:
        waits_for = _listed(job.get("dependsOn", []))
        results = tuple(self._result(stage=stage, job=one) for one in waits_for)
        scope = Scope(results, self._outputs_in(stage))
        if skip or not scope.condition(job.get("condition", "succeeded()")):
            self.runs.append(JobRun(stage, job["job"], "", "skipped"))
            return
        matrix = job.get("strategy", {}).get("matrix")
        legs: dict[str, dict[str, str]] = json.loads(scope.runtime(matrix)) if matrix else {"": {}}
        assert legs, "Azure Pipelines has no matrix without a leg"
        for leg, values in legs.items():
            assert re.fullmatch(r"([A-Za-z]\w{0,99})?", leg, re.ASCII), leg
            run = JobRun(stage, job["job"], leg)
            self.runs.append(run)
            self._run_leg(run, job, {**variables, **values})

    def _run_leg(self, run: JobRun, job: Json, variables: Mapping[str, str]) -> None:
        place = self._root / f"{run.stage}-{run.job}-{run.leg}"
        known = {
            **variables,
            "Pipeline.Workspace": str(place / "work"),
            "Build.ArtifactStagingDirectory": str(place / "staging"),
            "Agent.TempDirectory": str(place / "temp"),
            "System.JobAttempt": "1",
        }
        for name in ("work", "staging", "temp"):
            (place / name).mkdir(parents=True)
        for step in job["steps"]:
            if not Scope((run.result,), {}).condition(step.get("condition", "succeeded()")):
                continue
            step = _filled(step, known)
            if step.get("checkout") == "none":
                continue
            if "publish" in step:
                shutil.copytree(step["publish"], self.artifacts / step["artifact"])
            elif step.get("download") == "current":
                for artifact in self.artifacts.iterdir():
                    for file in artifact.glob(step["patterns"]):
                        target = place / "work" / artifact.name / file.relative_to(artifact)
                        target.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copy(file, target)
            elif step["task"] == "ManualValidation@1":
                self.asked.append(step["inputs"])
            else:
                assert step["task"] == "AzureCLI@2", step["task"]
                words = self._before(run.job)
                exported = {name.upper().replace(".", "_"): value for name, value in known.items()}
                environment = exported | {name: str(value) for name, value in step.get("env", {}).items()}
                ran = self._task.run(step["inputs"], environment, place / "temp", words)
                self._take(run, step.get("name", ""), ran.code, ran.log)

    def _take(self, run: JobRun, step: str, code: int, log: str) -> None:
        """Obey a log as the agent does, with Microsoft's parser."""
        run.log += log
        commands = self._library.parsed([line[line.index("##vso[") :] for line in log.splitlines() if "##vso[" in line])
        run.commands += commands
        outcome = "failed" if code else "succeeded"
        for command in commands:
            given = {name.lower(): value for name, value in command.properties.items()}  # the agent minds no case
            if command.command == "task.setvariable" and given.get("isoutput", "").lower() == "true":
                run.outputs[f"{step}.{given['variable']}"] = command.message
            elif command.command == "task.uploadsummary":
                assert Path(command.message).is_file()
            elif command.command == "task.complete" and not code:
                outcome = given["result"][:1].lower() + given["result"][1:]
        run.result = max(run.result, outcome, key=_WEIGHT.index)

    def _result(self, stage: str, job: str | None = None) -> str:
        found = [run.result for run in self.runs if run.stage == stage and job in (None, run.job)]
        return max(found, key=_WEIGHT.index)

    def _outputs_in(self, stage: str) -> dict[tuple[tuple[str, ...], str], str]:
        """As a job of this stage names them."""
        found: dict[tuple[tuple[str, ...], str], str] = {}
        for run in self.runs:
            where = ("dependencies", run.job) if run.stage == stage else ("stageDependencies", run.stage, run.job)
            found |= {(where, name): value for name, value in run.outputs.items()}
        return found

    def _outputs_of_stages(self) -> dict[tuple[tuple[str, ...], str], str]:
        """As a stage's condition names them."""
        return {
            (("dependencies", run.stage), f"{run.job}.{name}"): value
            for run in self.runs
            for name, value in run.outputs.items()
        }


def _with_parameters(text: str, values: Mapping[str, str]) -> str:
    """Template expressions are filled in before anything is read."""
    defaults = {p["name"]: str(p["default"]) for p in yaml.safe_load(text)["parameters"] if "default" in p}
    known = defaults | dict(values)
    return re.sub(r"\$\{\{\s*parameters\.(\w+)\s*\}\}", lambda found: known[found[1]], text)


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    """With ``$(name)`` replaced; what is no variable stays as it is."""
    if isinstance(value, dict):
        return {key: _filled(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, variables) for inner in value]
    if isinstance(value, str):
        return _MACRO.sub(lambda found: variables.get(found[1], found[0]), value)
    return value


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
