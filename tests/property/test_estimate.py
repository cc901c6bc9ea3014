"""Whatever the cluster: an estimate is a range, and more to do never takes less time."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate.migration.estimate import Estimate, Numbers, estimated
from azext_kmsmigrate.migration.facts import ClusterFacts, NodePool
from azext_kmsmigrate.migration.span import Span
from azext_kmsmigrate.migration.step import PlannedStep, StepId
from azext_kmsmigrate.migration.upgrade_path import Hop
from tests.unit.situations import cluster, v

pools = st.lists(
    st.builds(
        NodePool,
        st.sampled_from(["a", "b", "c"]),
        st.just(v("1.26.15")),
        st.just(v("1.26.15")),
        st.just("Succeeded"),
        st.integers(0, 1000),
        surge=st.sampled_from(["", "1", "5", "0", "10%", "33%", "100%", "1%", "odd"]),
    ),
    max_size=4,
).map(tuple)
clusters = st.builds(
    lambda pools, version: cluster(version, pools=pools), pools, st.sampled_from(["1.26.15", "1.27.1"])
)
numbers = st.builds(Numbers, st.integers(0, 100_000), st.floats(0, 2))
hops = st.lists(st.builds(Hop, st.just(v("1.28.3")), st.booleans()), min_size=1, max_size=4).map(tuple)
STEPS = tuple(PlannedStep(step, "r", True) for step in StepId)


def _estimate(seen: ClusterFacts, found: Numbers, way: tuple[Hop, ...]) -> Estimate:
    steps, estimate = estimated(STEPS, way, seen, found)
    assert all(step.estimate is not None for step in steps)
    return estimate


def _spans(estimate: Estimate) -> tuple[Span, Span]:
    assert estimate.total is not None
    assert estimate.exposure is not None
    return estimate.total, estimate.exposure


def _no_less(more: Estimate, less: Estimate) -> None:
    for a, b in zip(_spans(more), _spans(less), strict=True):
        assert a.low >= b.low - 1e-6
        assert a.high >= b.high - 1e-6


@given(clusters, numbers, hops)
def test_a_range_has_its_ends_in_order_and_holds_the_exposure(
    seen: ClusterFacts, found: Numbers, way: tuple[Hop, ...]
) -> None:
    total, exposure = _spans(_estimate(seen, found, way))
    for span in (total, exposure):
        assert 0 < span.low <= span.high
        assert span.low_seconds <= span.low <= span.high <= span.high_seconds
        assert span.low_seconds % 10 == span.high_seconds % 10 == 0
    assert exposure.low <= total.low
    assert exposure.high <= total.high


@given(clusters, numbers, hops, st.integers(0, 10_000))
def test_more_secrets_never_take_less_time(seen: ClusterFacts, found: Numbers, way: tuple[Hop, ...], more: int) -> None:
    assert found.secrets is not None
    _no_less(_estimate(seen, replace(found, secrets=found.secrets + more), way), _estimate(seen, found, way))


@given(clusters, numbers, hops, st.floats(0, 2))
def test_a_longer_way_to_the_api_server_never_takes_less_time(
    seen: ClusterFacts, found: Numbers, way: tuple[Hop, ...], more: float
) -> None:
    further = replace(found, round_trip=found.round_trip + more)
    _no_less(_estimate(seen, further, way), _estimate(seen, found, way))


@given(clusters, numbers, hops, st.data())
def test_more_nodes_never_take_less_time(
    seen: ClusterFacts, found: Numbers, way: tuple[Hop, ...], data: st.DataObject
) -> None:
    grown = tuple(replace(p, count=p.count + data.draw(st.integers(0, 50))) for p in seen.pools)
    _no_less(_estimate(replace(seen, pools=grown), found, way), _estimate(seen, found, way))


@given(clusters, numbers, hops, st.booleans())
def test_another_hop_takes_more_time(seen: ClusterFacts, found: Numbers, way: tuple[Hop, ...], whole: bool) -> None:
    longer = _estimate(seen, found, (*way, Hop(v("1.29.1"), whole)))
    _no_less(longer, _estimate(seen, found, way))
    assert _spans(longer)[1].low > _spans(_estimate(seen, found, way))[1].low


@given(clusters, numbers, hops)
def test_the_same_numbers_give_the_same_estimate(seen: ClusterFacts, found: Numbers, way: tuple[Hop, ...]) -> None:
    assert _estimate(seen, found, way) == _estimate(seen, found, way)
