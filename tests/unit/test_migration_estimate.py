"""How long a plan takes, by example."""

from __future__ import annotations

from dataclasses import replace

import pytest

from azext_kmsmigrate.migration.estimate import Numbers, estimated
from azext_kmsmigrate.migration.facts import NodePool
from azext_kmsmigrate.migration.plan import Goal, Plan, decide, only
from azext_kmsmigrate.migration.span import Span
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.migration.upgrade_path import Hop
from tests.unit.situations import OFF, cluster, journal, pool, situation, v

FEW = Numbers(200, 0.02)


def planned(numbers: Numbers | None = FEW, **seen: object) -> Plan:
    return decide(replace(situation(cluster(**seen)), numbers=numbers), Goal())  # type: ignore[arg-type]


def of(plan: Plan, step: StepId) -> Span:
    span = next(s.estimate for s in plan.steps if s.id is step)
    assert span is not None
    return span


def nodes(count: int, surge: str) -> NodePool:
    return replace(pool(), count=count, surge=surge)


def test_a_plan_that_was_not_measured_has_no_estimate() -> None:
    plan = planned(None)
    assert plan.estimate is None
    assert {step.estimate for step in plan.steps} == {None}


def test_steps_that_cannot_be_estimated_leave_the_whole_open_and_say_why() -> None:
    plan = planned(Numbers())
    assert plan.estimate is not None
    assert (plan.estimate.total, plan.estimate.exposure) == (None, None)
    assert plan.estimate.basis[0] == "the Secrets could not be counted"
    assert of(plan, StepId.DISABLE_KMS).low > 0


def test_the_whole_is_the_sum_and_the_exposure_leaves_out_the_pools_that_come_after_it() -> None:
    plan = planned(supported=True)
    assert plan.estimate is not None
    assert plan.estimate.total is not None
    assert plan.estimate.exposure is not None
    pools = of(plan, StepId.UPGRADE_NODE_POOLS)
    assert plan.estimate.total.low == pytest.approx(plan.estimate.exposure.low + pools.low)
    assert plan.estimate.total.high == pytest.approx(sum(of(plan, s.id).high for s in plan.steps))


def test_a_control_plane_first_upgrade_is_exposed_for_less_long_than_that_of_a_whole_cluster() -> None:
    first, whole = planned(supported=True).estimate, planned(supported=False).estimate
    assert first is not None
    assert whole is not None
    assert first.exposure is not None
    assert whole.exposure is not None
    assert first.exposure.high < whole.exposure.high


def test_more_secrets_than_kms_v1_has_keys_in_memory_are_rewritten_slowly_below_1_27_only() -> None:
    below, beyond = (planned(Numbers(n, 0.0)) for n in (1000, 1001))
    assert of(beyond, StepId.DECRYPT_SECRETS).low > of(below, StepId.DECRYPT_SECRETS).low + 10
    assert of(beyond, StepId.ENCRYPT_SECRETS).low == pytest.approx(of(below, StepId.ENCRYPT_SECRETS).low, abs=1)
    later = planned(Numbers(1001, 0.0), version="1.27.1", kms=OFF)
    assert of(later, StepId.DECRYPT_SECRETS).low < of(beyond, StepId.DECRYPT_SECRETS).low - 10


@pytest.mark.parametrize(
    ("count", "surge", "batches"),
    [(10, "1", 10), (10, "5", 2), (10, "50%", 2), (3, "10%", 3), (100, "10%", 10), (4, "0", 4), (0, "1", 0)],
)
def test_nodes_are_replaced_by_the_surge(count: int, surge: str, batches: int) -> None:
    def upgrade(pools: tuple[NodePool, ...]) -> Span:
        plan = planned(pools=pools)
        return of(plan, StepId.UPGRADE)

    without, one = upgrade(()), upgrade((nodes(1, "1"),))
    per_batch = Span(one.low - without.low, one.high - without.high)
    found = upgrade((nodes(count, surge),))
    assert found.low == pytest.approx(without.low + batches * per_batch.low)
    assert found.high == pytest.approx(without.high + batches * per_batch.high)


def test_pools_that_are_not_behind_take_no_time() -> None:
    seen = cluster("1.27.1", pools=(pool("1.27.1", name="a"), pool("1.26.15", name="b")))
    left = replace(situation(seen, kept=journal(StepId.UPGRADE)), numbers=FEW)
    both = replace(seen, pools=(pool("1.26.15", name="a"), pool("1.26.15", name="b")))
    one, two = (decide(s, Goal()) for s in (left, replace(left, cluster=both)))
    assert of(two, StepId.UPGRADE_NODE_POOLS).high == 2 * of(one, StepId.UPGRADE_NODE_POOLS).high


def test_a_step_by_itself_has_its_own_estimate_and_no_other() -> None:
    seen = replace(situation(cluster(kms=OFF)), numbers=FEW)
    plan = only(decide(seen, Goal()), StepId.UPGRADE, seen.cluster)
    assert plan.estimate is None
    assert of(plan, StepId.UPGRADE).low > 0


def test_the_basis_names_what_was_measured_and_what_is_assumed() -> None:
    _, estimate = estimated((), (Hop(v("1.27.1"), True),), cluster(), Numbers(1234, 0.021))
    counted, of_nodes, assumed = estimate.basis
    assert counted == "1,234 Secrets and a round trip of 21 ms, measured now"
    assert of_nodes == "3 nodes (system: 3 nodes, max surge by default)"
    assert "assumed" in assumed


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0, 59, "under 1 min"),
        (0, 60, "0-1 min"),
        (61, 119, "1-2 min"),
        (600, 5399, "10-90 min"),
        (3600, 9000, "1-2.5 h"),
        (900, 5400, "15 min-1.5 h"),
    ],
)
def test_a_span_in_words(low: float, high: float, words: str) -> None:
    assert str(Span(low, high)) == words
