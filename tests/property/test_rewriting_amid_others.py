"""Whatever others do during the passes, the outcome says no more and no less than etcd holds afterwards.

The API servers are simulated, so that hundreds of interleavings take seconds; the engine, its threads and the proof
are the real ones.
"""

from __future__ import annotations

import pytest

from azext_kmsmigrate.migration.secret import StoredAs
from azext_kmsmigrate.results import RunResult, RunState
from azext_kmsmigrate.rewrite.rewriting import Limits
from tests.sim.apiservers import CANARY
from tests.sim.cluster import SimCluster, agree
from tests.sim.commotion import Commotion

LIMITS = Limits(grace=2.0, patience=300.0, parallel=4)
OLD, NEW = StoredAs.PLAIN, StoredAs.KMS_V2


def _turned_on(*, metrics: bool = True) -> SimCluster:
    """KMS v2 is on, and every Secret lies as before; the list comes in small pages."""
    sim = SimCluster(version="1.27.1", kms=True, secrets=40)
    for stored in sim.api.secrets.values():
        stored.form = OLD
    sim.api.metrics = metrics
    sim.api.most_per_page = 7
    return sim


def _in_old_form(sim: SimCluster) -> set[tuple[str, str]]:
    return {key for key, stored in sim.api.secrets.items() if key != CANARY and stored.form is not NEW}


def _failed(result: RunResult) -> set[tuple[str, str]]:
    return {(one.namespace, one.name) for one in result.failed}


@pytest.mark.parametrize("seed", range(150))
def test_every_secret_is_in_the_new_form_or_named_and_no_failure_is_false(seed: int) -> None:
    sim = _turned_on()
    others = Commotion(sim, seed, OLD, rolls=False)
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


@pytest.mark.parametrize("seed", range(150))
def test_with_api_servers_that_go_back_and_forth_nothing_is_claimed_that_etcd_does_not_hold(seed: int) -> None:
    sim = _turned_on()
    others = Commotion(sim, seed, OLD, rolls=True)
    result = sim.runner(LIMITS).rewrite(agree)
    told = (others.happened, result.summary)
    assert {name for name in _failed(result) if name != CANARY} <= others.denied | _all_named_in_another_form(result), (
        told
    )
    if result.state is RunState.COMPLETED:
        assert _in_old_form(sim) == set(), told


def _all_named_in_another_form(result: RunResult) -> set[tuple[str, str]]:
    return {(one.namespace, one.name) for one in result.failed if one.kind == "otherForm"}
