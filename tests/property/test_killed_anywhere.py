"""A run that dies at any point is continued by the same command, and nothing is lost or done twice.

Every point at which the process touches the world is tried, before and after the effect; in a request that Azure has
accepted also in the middle of its operation, which goes on without the process.
"""

from __future__ import annotations

from collections import Counter

import pytest

from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.step import StepId, StepStatus
from azext_kmsmigrate.results import RunState
from azext_kmsmigrate.runner import Runner
from tests.sim.cluster import FAST, SimCluster, agree
from tests.sim.process import Killed

_PLENTY = 2000  # points; a run has a few hundred


def _world(kind: str) -> SimCluster:
    if kind == "control plane first":
        return SimCluster(secrets=3, supported=True)
    sim = SimCluster(secrets=3)
    sim.api.metrics = kind != "no metrics"
    return sim


def _start_until_killed(sim: SimCluster, point: int) -> bool:
    """Whether the run was killed; otherwise it came to its end."""
    try:
        Runner(sim.process(kill_at=point).world(), FAST).run(Request(), agree)
    except Killed:
        return True
    return False


def _killed_and_continued(kind: str, point: int) -> bool:
    sim = _world(kind)
    killed = _start_until_killed(sim, point)
    again = sim.after(61.0).start()
    told = f"killed at point {point}"
    assert again.state in (RunState.COMPLETED, RunState.NOTHING_TO_DO), (told, again.problem)
    assert sim.forms == {"kms-v2": 3}, told
    assert again.evidence is None or not again.evidence.missing, (told, again.evidence)
    assert sim.journal.completed_at, told
    assert {record.status for record in sim.journal.steps} == {StepStatus.DONE}, (told, sim.journal.steps)
    assert sim.api.find_canary() is None, told
    assert all(n == 1 for n in Counter(p.what for p in sim.changing_puts).values()), (told, sim.puts)
    assert sim.azure.show().kms.enabled, told
    return killed


@pytest.mark.parametrize("kind", ["whole cluster", "control plane first", "no metrics"])
def test_whatever_point_it_is_killed_at_the_same_command_completes(kind: str) -> None:
    killed_at = 0
    for point in range(1, _PLENTY):
        if not _killed_and_continued(kind, point):
            break
        killed_at = point
    assert 200 < killed_at < _PLENTY - 1


def _revert_until_killed(sim: SimCluster, point: int) -> bool:
    try:
        Runner(sim.process(kill_at=point).world(), FAST).run(Request(back=True), agree)
    except Killed:
        return True
    return False


@pytest.mark.parametrize("step", [StepId.DISABLE_KMS, StepId.DECRYPT_SECRETS])
@pytest.mark.parametrize("metrics", [True, False])
def test_whatever_point_a_revert_is_killed_at_the_same_command_completes(step: StepId, metrics: bool) -> None:
    killed_at = 0
    for point in range(1, _PLENTY):
        sim = SimCluster(secrets=3)
        sim.api.metrics = metrics
        sim.start(Request(stop_after=step))
        sim.after(61.0)
        killed = _revert_until_killed(sim, point)
        again = sim.after(61.0).start(Request(back=True))
        told = f"killed at point {point}"
        assert again.state in (RunState.COMPLETED, RunState.NOTHING_TO_DO), (told, again.problem)
        assert sim.forms == {"kms-v1": 3}, told
        assert again.evidence is None or not again.evidence.missing, (told, again.evidence)
        assert sim.journal.completed_at, told
        assert [p.what for p in sim.changing_puts] == ["disable-kms", "enable-kms"], told
        if not killed:
            break
        killed_at = point
    assert 100 < killed_at < _PLENTY - 1
