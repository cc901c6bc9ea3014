"""Whatever others do during the passes, the outcome says no more and no less than etcd holds afterwards.

The API servers are simulated, so that hundreds of interleavings take seconds; the engine, its threads and the proof
are the real ones.
"""

from __future__ import annotations

from collections import Counter

import pytest

from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.secret import StoredAs
from azext_kmsmigrate.results import RunResult, RunState
from azext_kmsmigrate.rewrite.rewriting import Limits
from tests.sim.apiservers import CANARY
from tests.sim.cluster import SimCluster, agree
from tests.sim.commotion import Commotion

LIMITS = Limits(grace=2.0, patience=300.0, parallel=4)
ROLLS = 0.004
OLD, NEW = StoredAs.PLAIN, StoredAs.KMS_V2


def _turned_on() -> SimCluster:
    """KMS v2 is on, and every Secret lies as before; the list comes in small pages."""
    sim = SimCluster(version="1.27.1", kms=True, secrets=40)
    for stored in sim.api.secrets.values():
        stored.form = OLD
    sim.api.most_per_page = 7
    return sim


def _in_old_form(sim: SimCluster) -> set[tuple[str, str]]:
    return {key for key, stored in sim.api.secrets.items() if key != CANARY and stored.form is not NEW}


def _failed(result: RunResult) -> set[tuple[str, str]]:
    return {(one.namespace, one.name) for one in result.failed}


@pytest.mark.parametrize("seed", range(150))
def test_every_secret_is_in_the_new_form_or_named_and_no_failure_is_false(seed: int) -> None:
    sim = _turned_on()
    others = Commotion(sim, seed, denials=3)
    result = sim.runner(LIMITS).rewrite(agree)
    told = (others.happened, result.summary)
    named = _failed(result)
    assert named <= others.denied, told
    assert _in_old_form(sim) <= named, told
    assert result.state is (RunState.FAILED if named else RunState.COMPLETED), told
    assert result.evidence is not None
    for one in result.evidence.passes:
        counts = one.secrets
        assert counts.total == counts.rewritten + counts.current + counts.gone + counts.failed, told
    assert len(others.happened) > 10


@pytest.mark.parametrize("seeds", range(12))
def test_with_api_servers_that_go_back_and_forth_nothing_is_claimed_that_etcd_does_not_hold(seeds: int) -> None:
    states: Counter[RunState] = Counter()
    for seed in range(seeds * 50, seeds * 50 + 50):
        sim = _turned_on()
        others = Commotion(sim, seed, rolls=ROLLS)
        result = sim.runner(LIMITS).rewrite(agree)
        told = (seed, others.happened, result.summary)
        states[result.state] += 1
        if result.state is RunState.COMPLETED:
            assert _in_old_form(sim) == set(), told
        assert {one.kind for one in result.failed} <= {"otherForm"}, told
    assert states[RunState.COMPLETED], "the API servers go back and forth too often for any claim"
    assert states[RunState.FAILED], "the API servers go back and forth too seldom to be noticed"


@pytest.mark.parametrize("seeds", range(6))
def test_without_counters_no_secret_is_left_but_one_that_a_client_wrote_during_the_proof(seeds: int) -> None:
    """An API server that goes back for seconds and returns leaves no sign then, unless a look falls into them."""
    states: Counter[RunState] = Counter()
    for seed in range(seeds * 50, seeds * 50 + 50):
        sim = SimCluster(secrets=40)
        sim.api.most_per_page, sim.api.metrics = 7, False
        others = Commotion(sim, seed, rolls=ROLLS)
        result = sim.runner(LIMITS).run(Request(), agree)
        states[result.state] += 1
        if result.state is RunState.COMPLETED:
            assert result.evidence is not None
            assert result.evidence.grade == "behavioural"
            assert _in_old_form(sim) <= others.wrote, (seed, others.happened, result.summary)
    assert states[RunState.COMPLETED], "the API servers go back and forth too often for any claim"
