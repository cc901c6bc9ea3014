"""The log of whole runs on a simulated cluster and clock: never silent for long, and never long."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest

from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.kms_v1 import KMS_V1_CACHE
from azext_kmsmigrate.migration.plan import Goal
from azext_kmsmigrate.migration.secret import StoredAs
from azext_kmsmigrate.ports import Observer
from azext_kmsmigrate.report.azure_devops import AzureDevOpsProgress
from azext_kmsmigrate.report.plain import PlainProgress
from azext_kmsmigrate.results import RunState
from azext_kmsmigrate.rewrite.rewriting import Limits
from azext_kmsmigrate.runner import Runner
from tests.sim.cluster import SimCluster, agree
from tests.unit.stages import Stage

MINUTE = 60.0


def observer_on(stage: Stage, sim: SimCluster, form: type[PlainProgress] | type[AzureDevOpsProgress]) -> Observer:
    output = stage.output
    return PlainProgress(output, sim.clock) if form is PlainProgress else AzureDevOpsProgress(output, sim.clock, "")


def log_of(sim: SimCluster, form: type[PlainProgress] | type[AzureDevOpsProgress]) -> list[str]:
    stage = Stage()
    world = replace(sim.process().world(), observer=observer_on(stage, sim, form))
    result = Runner(world, Limits(grace=60.0, patience=1200.0, parallel=2)).run(Request(), agree)
    assert (result.state, result.problem) == (RunState.COMPLETED, None)
    assert sim.forms == {StoredAs.KMS_V2.value: 40}
    return stage.lines


def seconds_of(line: str) -> float | None:
    found = re.match(r"\[ *(?:(\d+):)?(\d+):(\d+)\]", line)
    return 3600.0 * int(found[1] or 0) + 60.0 * int(found[2]) + float(found[3]) if found else None


@pytest.mark.parametrize("form", [PlainProgress, AzureDevOpsProgress])
@pytest.mark.parametrize("minutes", [40.0, 120.0])
def test_a_long_run_is_never_silent_for_a_minute_and_its_log_is_short(
    form: type[PlainProgress] | type[AzureDevOpsProgress], minutes: float
) -> None:
    sim = SimCluster(secrets=40)
    sim.azure.operation_seconds = minutes * MINUTE / 3 - 80.0
    lines = log_of(sim, form)
    ended = sim.clock.monotonic()
    assert ended >= minutes * MINUTE * 0.9
    times = [t for line in lines if (t := seconds_of(line)) is not None]
    gaps = [b - a for a, b in zip([0.0, *times], [*times, ended], strict=True)]
    assert max(gaps) <= MINUTE
    assert len(lines) < 200 * max(1.0, minutes / 40)


@pytest.mark.parametrize("form", [PlainProgress, AzureDevOpsProgress])
def test_a_check_that_tries_many_secrets_is_never_silent_for_a_minute(
    form: type[PlainProgress] | type[AzureDevOpsProgress],
) -> None:
    sim, stage = SimCluster(secrets=KMS_V1_CACHE + 8000), Stage()
    observer = observer_on(stage, sim, form)
    report = Runner(replace(sim.process().world(), observer=observer), Limits(parallel=2)).check(Goal())
    assert report.failed == 0
    times = [t for line in stage.lines if (t := seconds_of(line)) is not None]
    ended = sim.clock.monotonic()
    assert ended > 2 * MINUTE
    assert max(b - a for a, b in itertools.pairwise([0.0, *times, ended])) <= MINUTE
    assert sum("  Trying, " in line for line in stage.lines) >= 3


def test_the_log_tells_each_step_its_place_and_its_end() -> None:
    lines = log_of(SimCluster(secrets=40), PlainProgress)
    begun = [line.split("] ")[1].split(",")[0] for line in lines if "] Step " in line]
    assert begun == [f"Step {number} of 5" for number in range(1, 6)]
    assert sum(": done after " in line for line in lines) == 5
