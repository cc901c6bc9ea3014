"""Azure or the API servers are away for five minutes, from any moment on: one command comes to the end all the same.

Time is simulated, so that the five minutes are real ones to everything that waits.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.patience import PATIENCE
from azext_kmsmigrate.results import RunState
from tests.sim.cluster import SimCluster
from tests.unit.runs import assert_completes

OUTAGE = 300.0
_LONGEST = 260.0  # seconds that an undisturbed migration takes here


def _sim(metrics: bool = True) -> SimCluster:
    sim = SimCluster(secrets=6, roll=(0.0, 20.0))
    sim.api.metrics = metrics
    return sim


def test_an_undisturbed_migration_is_over_by_then() -> None:
    sim = _sim()
    assert_completes(sim)
    assert 60.0 < sim.clock.monotonic() < _LONGEST


@settings(max_examples=60, deadline=None)
@given(begins=st.floats(1.0, _LONGEST), metrics=st.booleans())
def test_api_servers_that_are_away_for_five_minutes(begins: float, metrics: bool) -> None:
    sim = _sim(metrics)
    sim.api.away_from, sim.api.away_until = begins, begins + OUTAGE
    assert_completes(sim)


@settings(max_examples=60, deadline=None)
@given(begins=st.floats(1.0, _LONGEST))
def test_azure_that_is_away_for_five_minutes(begins: float) -> None:
    sim = _sim()
    sim.azure.away_from, sim.azure.away_until = begins, begins + OUTAGE
    assert_completes(sim)


@settings(max_examples=60, deadline=None)
@given(begins=st.floats(1.0, _LONGEST), after=st.floats(0.0, 60.0))
def test_both(begins: float, after: float) -> None:
    sim = _sim()
    sim.api.away_from, sim.api.away_until = begins, begins + OUTAGE
    sim.azure.away_from, sim.azure.away_until = begins + after, begins + after + OUTAGE
    assert_completes(sim)


def test_who_is_away_for_good_is_given_up_and_the_same_command_goes_on() -> None:
    sim = _sim()
    sim.azure.operation_seconds = 60.0
    sim.api.away_from, sim.api.away_until = 50.0, 50.0 + 3 * PATIENCE
    result = sim.start(Request())
    assert (result.state, result.problem and result.problem.code) == (RunState.FAILED, "KMSM301")
    assert PATIENCE < sim.clock.monotonic() < 2 * PATIENCE
    sim.after(3 * PATIENCE)
    assert sim.start(Request()).state is RunState.COMPLETED
    assert sim.forms == {"kms-v2": 6}


@pytest.mark.parametrize("who", ["api", "azure"])
def test_it_says_who_is_away_since_when_and_that_he_is_back(who: str) -> None:
    sim = _sim()
    away = sim.api if who == "api" else sim.azure
    away.away_from, away.away_until = 35.0, 35.0 + OUTAGE
    assert_completes(sim)
    name = "The cluster's API server" if who == "api" else "Azure"
    assert any(text.startswith(f"{name} has not answered since 09:0") for text in sim.said), sim.said
    assert any(text.startswith(f"{name} answers again, after ") for text in sim.said), sim.said
