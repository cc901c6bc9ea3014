"""Whatever others do during the passes, the outcome says no more and no less than etcd holds afterwards.

The API servers are simulated, so that hundreds of interleavings take seconds; the engine, its threads and the proof
are the real ones. A claim is about what was written up to the resourceVersion that the evidence names.
"""

from __future__ import annotations

from collections import Counter

import pytest

from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.secret import StoredAs
from azext_kmsmigrate.results import RunResult, RunState
from azext_kmsmigrate.rewrite.rewriting import Limits
from tests.sim.apiservers import is_canary
from tests.sim.cluster import SimCluster, agree
from tests.sim.commotion import Commotion

LIMITS = Limits(grace=2.0, patience=300.0, parallel=4)
ROLLS, EXTREME = 0.004, 0.05
OLD, NEW = StoredAs.PLAIN, StoredAs.KMS_V2
GOING_BACK = pytest.mark.parametrize("how", ["reload", "restart"])


def _turned_on() -> SimCluster:
    """KMS v2 is on, and every Secret lies as before; the list comes in small pages."""
    sim = SimCluster(version="1.27.1", kms=True, secrets=40)
    for stored in sim.api.secrets.values():
        stored.form = OLD
    sim.api.most_per_page = 7
    return sim


def _go_back_by(sim: SimCluster, how: str) -> None:
    sim.api.reloads, sim.api.ends_connections = how == "reload", how == "restart"


def _in_old_form(sim: SimCluster, up_to: int | None = None) -> set[tuple[str, str]]:
    return {
        key
        for key, stored in sim.api.secrets.items()
        if not is_canary(key) and stored.form is not NEW and (up_to is None or stored.resource_version <= up_to)
    }


def _failed(result: RunResult) -> set[tuple[str, str]]:
    return {(one.namespace, one.name) for one in result.failed}


def _claims_too_much(sim: SimCluster, result: RunResult) -> set[tuple[str, str]]:
    """The Secrets that the claim is about and that do not lie as it says."""
    if result.state is not RunState.COMPLETED:
        return set()
    assert result.evidence is not None
    assert result.evidence.resource_version > 1000
    return _in_old_form(sim, result.evidence.resource_version)


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
    for one in (*result.evidence.passes, *result.evidence.closing_looks):
        counts = one.secrets
        assert counts.total == counts.rewritten + counts.current + counts.gone + counts.failed, told
    assert len(others.happened) > 10


@GOING_BACK
@pytest.mark.parametrize("seeds", range(12))
def test_with_api_servers_that_go_back_and_forth_nothing_is_claimed_that_etcd_does_not_hold(
    seeds: int, how: str
) -> None:
    states, noticed = Counter[RunState](), 0
    for seed in range(seeds * 50, seeds * 50 + 50):
        sim = _turned_on()
        _go_back_by(sim, how)
        others = Commotion(sim, seed, rolls=ROLLS)
        result = sim.runner(LIMITS).rewrite(agree)
        states[result.state] += 1
        noticed += result.state is RunState.FAILED or sum(line.startswith("Rewritten") for line in sim.said) > 1
        assert _claims_too_much(sim, result) == set(), (seed, others.happened, result.summary)
        assert {one.kind for one in result.failed} <= {"otherForm"}, (seed, others.happened, result.summary)
    assert states[RunState.COMPLETED], "the API servers go back and forth too often for any claim"
    assert noticed, "the API servers go back and forth too seldom to be noticed"


@GOING_BACK
@pytest.mark.parametrize("seeds", range(6))
def test_nor_without_counters(seeds: int, how: str) -> None:
    """An API server that goes back for seconds and returns leaves no sign then but what it wrote."""
    states: Counter[RunState] = Counter()
    for seed in range(seeds * 50, seeds * 50 + 50):
        sim, others, result = _migrated_without_counters(seed, ROLLS, how)
        states[result.state] += 1
        assert _claims_too_much(sim, result) == set(), (seed, others.happened, result.summary)
        if result.evidence is not None and result.state is RunState.COMPLETED:
            assert result.evidence.grade == "behavioural"
            assert result.evidence.closing_looks
    assert states[RunState.COMPLETED], "the API servers go back and forth too often for any claim"


@GOING_BACK
@pytest.mark.parametrize("seeds", range(4))
def test_nor_when_the_api_servers_hardly_ever_agree(seeds: int, how: str) -> None:
    for seed in range(seeds * 50, seeds * 50 + 50):
        sim, others, result = _migrated_without_counters(seed, EXTREME, how)
        assert _claims_too_much(sim, result) == set(), (seed, others.happened, result.summary)


def _migrated_without_counters(seed: int, rolls: float, how: str) -> tuple[SimCluster, Commotion, RunResult]:
    sim = SimCluster(secrets=40)
    sim.api.most_per_page, sim.api.metrics = 7, False
    _go_back_by(sim, how)
    others = Commotion(sim, seed, rolls=rolls)
    return sim, others, sim.runner(LIMITS).run(Request(), agree)
