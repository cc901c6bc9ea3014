"""Whole migrations again: by several upgrades, under long term support, and from a plan file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import AzureError, Refused
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.facts import SupportPlan
from azext_kmsmigrate.migration.plan import Goal
from azext_kmsmigrate.migration.plan_file import PlanFile
from azext_kmsmigrate.migration.secret import Failure, FailureClass, Page, SecretRef
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.results import RunState
from azext_kmsmigrate.runner import Runner
from tests.sim.azure import disabled
from tests.sim.cluster import FAST, OTHER_KEY, SimCluster
from tests.unit.runs import UPGRADE, assert_completes, assert_fails, steps_of
from tests.unit.situations import v

LONG_TERM = Goal(support_plan=SupportPlan.LONG_TERM, tier="premium")
COMMUNITY_ONLY, LTS_ONLY = frozenset({SupportPlan.COMMUNITY}), frozenset({SupportPlan.LONG_TERM})

# the way


def test_a_cluster_on_1_25_with_1_27_no_longer_offered_jumps() -> None:
    sim = SimCluster(version="1.25.11", offers={"1.25.11": ["1.34.4"]})
    assert_completes(sim)
    assert sim.puts == ["disable-kms", "upgrade 1.34.4", "enable-kms"]
    assert {str(pool.version) for pool in sim.azure.show().pools} == {"1.34.4"}


def test_a_version_that_disappears_between_two_hops_is_planned_around() -> None:
    sim = SimCluster(offers={"1.26.15": ["1.27.1"], "1.27.1": ["1.28.3"], "1.28.5": []})
    first = sim.runner().plan(Goal(kubernetes_version="1.28"))
    assert [h.kubernetes_version for h in first.hops] == ["1.27.1", "1.28.3"]

    def withdraw(what: str) -> None:
        if what == "upgrade 1.27.1":
            sim.azure.offers["1.27.1"] = ["1.28.5"]

    sim.azure.before_put = withdraw
    result = sim.start(Request(Goal(kubernetes_version="1.28")))
    assert result.state is RunState.COMPLETED
    assert sim.puts == ["disable-kms", "upgrade 1.27.1", "upgrade 1.28.5", "enable-kms"]


def test_a_version_that_disappears_just_before_it_is_asked_for_is_planned_around() -> None:
    sim = SimCluster(offers={"1.26.15": ["1.27.1"]})

    def withdraw(what: str) -> None:
        if what == "upgrade 1.27.1":
            sim.azure.offers["1.26.15"] = ["1.27.3"]

    sim.azure.before_put = withdraw
    result = sim.start()
    assert result.state is RunState.COMPLETED
    assert sim.puts == ["disable-kms", "upgrade 1.27.3", "enable-kms"]
    assert any("Azure no longer offers the upgrade to 1.27.1" in said for said in sim.said)
    assert sim.forms == {"kms-v2": 6}


def test_with_every_offer_gone_it_stops_and_says_what_is_offered() -> None:
    sim = SimCluster(offers={"1.26.15": ["1.27.1"]})

    def withdraw(what: str) -> None:
        if what == "upgrade 1.27.1":
            sim.azure.offers["1.26.15"] = []

    sim.azure.before_put = withdraw
    assert_fails(sim.start(), "KMSM107", 1)
    assert sim.forms == {"plain": 6}


def test_a_refusal_of_a_version_that_is_still_offered_is_told_as_azure_said_it() -> None:
    sim = SimCluster()
    refusal = AzureError(errors.AZURE_REFUSED, what="it", code="PodDisruptionBudget", detail="d", next="start")
    sim.azure.refusals["upgrade 1.27.1"] = [refusal]
    assert_fails(sim.start(), "KMSM201", 1)
    assert sim.puts == ["disable-kms"]


# long term support


def _lts(**more: object) -> SimCluster:
    sim = SimCluster(offers={"1.26.15": ["1.27.1"], "1.27.1": []}, **more)  # type: ignore[arg-type]
    sim.azure.plans = {(1, 27): LTS_ONLY, (1, 34): COMMUNITY_ONLY}
    return sim


def test_where_long_term_support_is_the_only_way_it_is_told_how_to_ask_for_it_and_nothing_is_changed() -> None:
    sim = _lts()
    with pytest.raises(Refused, match=r"KMSM121.*1.27.1") as told:
        sim.start()
    assert told.value.fix.endswith(
        "az aks kms-migrate start -g shop -n blue --tier premium --k8s-support-plan AKSLongTermSupport"
    )
    assert (sim.puts, sim.api.writes, sim.journal_document) == ([], 0, "")
    plan = sim.runner().plan(Goal())
    assert plan.blocked is not None
    assert (plan.blocked.code, plan.hops, plan.next_command) == ("KMSM121", [], None)


def test_long_term_support_goes_with_the_version_in_one_request() -> None:
    sim = _lts()
    assert_completes(sim, LONG_TERM)
    assert sim.puts == ["disable-kms", "upgrade 1.27.1", "enable-kms"]
    facts = sim.azure.show()
    assert (facts.support_plan, facts.tier, str(facts.version)) == (SupportPlan.LONG_TERM, "Premium", "1.27.1")


def test_the_premium_tier_is_not_taken_for_granted() -> None:
    sim = _lts()
    with pytest.raises(Refused, match=r"KMSM122.*tier 'Free'"):
        sim.start(Request(replace(LONG_TERM, tier="")))
    sim.meddle(lambda facts: replace(facts, tier="Premium"))
    assert_completes(sim, replace(LONG_TERM, tier=""))


def test_what_was_agreed_to_is_kept_by_the_run_that_continues() -> None:
    sim = _lts()
    sim.start(Request(LONG_TERM, stop_after=StepId.DECRYPT_SECRETS))
    assert_completes(sim)
    assert sim.azure.show().support_plan is SupportPlan.LONG_TERM


def test_a_finished_migration_has_agreed_to_nothing_more() -> None:
    sim = _lts()
    sim.start(Request(LONG_TERM, stop_after=StepId.DISABLE_KMS))
    sim.journal_document = sim.journal_document.replace('"completedAt": ""', '"completedAt": "t"')
    plan = sim.runner().plan(Goal())
    assert plan.blocked is not None
    assert plan.blocked.code == "KMSM121"


def test_under_community_support_a_version_of_long_term_support_is_passed_over() -> None:
    sim = _lts()
    sim.azure.offers["1.26.15"] = ["1.27.1", "1.34.4"]
    assert_completes(sim)
    assert str(sim.azure.show().version) == "1.34.4"
    assert sim.azure.show().support_plan is SupportPlan.COMMUNITY


# a plan from a file


def _file(sim: SimCluster, goal: Goal = Goal()) -> PlanFile:  # noqa: B008 a frozen value
    _, facts = sim.runner().plan_and_facts(goal)
    return PlanFile(goal, facts, {})


def _request(file: PlanFile, stop_after: StepId | None = None) -> Request:
    return Request(file.goal, stop_after=stop_after, plan=file, path="plan.json")


def test_a_plan_from_a_file_is_run_with_the_goal_that_is_in_it() -> None:
    sim = SimCluster()
    result = sim.start(_request(_file(sim, Goal(kubernetes_version="1.28", key_id=OTHER_KEY))))
    assert result.state is RunState.COMPLETED
    assert (str(sim.azure.show().version), sim.azure.show().kms.key_id) == ("1.28.3", OTHER_KEY)


@pytest.mark.parametrize("step", [s for s in StepId if s is not StepId.UPGRADE_NODE_POOLS])
def test_the_same_command_continues_the_run_that_it_began_and_then_does_nothing(step: StepId) -> None:
    sim = SimCluster(supported=True)
    file = _file(sim)
    assert sim.start(_request(file, step)).state is RunState.STOPPED
    assert sim.start(_request(file)).state is RunState.COMPLETED
    assert sim.start(_request(file)).state is RunState.NOTHING_TO_DO


def test_a_plan_whose_facts_have_changed_is_refused_and_the_change_is_named() -> None:
    sim = SimCluster()
    file = _file(sim)
    sim.azure.offers["1.26.15"] = ["1.27.1", "1.27.3"]
    with pytest.raises(Refused, match=r"KMSM123.*offered \(was 1.27.1, is 1.27.1, 1.27.3\)") as told:
        sim.start(_request(file))
    assert told.value.fix.endswith("az aks kms-migrate plan -g shop -n blue --out plan.json")
    assert (sim.puts, sim.api.writes, sim.journal_document) == ([], 0, "")


def test_a_change_while_the_user_is_asked_is_noticed() -> None:
    sim = SimCluster()
    file = _file(sim)

    def hesitate(cluster: object, plan: object, found: object) -> None:
        sim.meddle(disabled)

    with pytest.raises(Refused, match=r"KMSM123.*kms.enabled \(was True, is False\)"):
        sim.start(_request(file), hesitate)
    assert sim.puts == []


def test_a_plan_is_not_the_plan_of_a_run_that_somebody_began_without_it() -> None:
    sim = SimCluster()
    file = _file(sim)
    sim.start(Request(stop_after=StepId.DISABLE_KMS))
    with pytest.raises(Refused, match=r"KMSM123.*journal.startedAt"):
        sim.start(_request(file))


def test_another_plan_does_not_continue_the_run_of_a_first() -> None:
    sim = SimCluster()
    first, second = _file(sim), _file(sim, Goal(kubernetes_version="1.28"))
    sim.start(_request(first, StepId.DISABLE_KMS))
    with pytest.raises(Refused, match="KMSM123"):
        sim.start(_request(second))


def test_a_plan_made_half_way_goes_on_from_there() -> None:
    sim = SimCluster()
    sim.start(Request(stop_after=StepId.DECRYPT_SECRETS))
    result = sim.start(_request(_file(sim)))
    assert result.state is RunState.COMPLETED
    assert UPGRADE in steps_of(result)
    assert sim.azure.show().version == v("1.27.1")


class _Counting:
    """The port ``Secrets``, which remembers how much was listed, and can do nothing else."""

    def __init__(self, secrets: Any) -> None:
        self._secrets = secrets
        self.limits: list[int] = []

    def page(self, *, namespace: str = "", limit: int = 500, token: str = "") -> Page | Failure:
        self.limits.append(limit)
        found: Page | Failure = self._secrets.page(namespace=namespace, limit=limit, token=token)
        return found

    def create_canary(self) -> SecretRef:
        raise AssertionError("a plan writes nothing")


def test_making_a_plan_writes_nothing_and_lists_one_secret_twice() -> None:
    sim = SimCluster(secrets=50)
    world = sim.process().world()
    counting = _Counting(world.secrets)
    plan = Runner(replace(world, secrets=cast(Any, counting)), FAST).plan(Goal())
    assert counting.limits == [1, 1]
    assert plan.estimate is not None
    assert plan.estimate.basis[0].startswith("50 Secrets")
    assert (sim.puts, sim.api.writes, sim.journal_document) == ([], 0, "")


def test_secrets_that_cannot_be_listed_leave_the_estimate_open_and_not_the_plan() -> None:
    sim = SimCluster()
    world = sim.process().world()

    class Silent(_Counting):
        def page(self, *, namespace: str = "", limit: int = 500, token: str = "") -> Page | Failure:
            return Failure(FailureClass.FORBIDDEN, "HTTP 403")

    plan = Runner(replace(world, secrets=cast(Any, Silent(world.secrets))), FAST).plan(Goal())
    assert plan.pending
    assert plan.estimate is not None
    assert (plan.estimate.low_seconds, plan.exposure) == (None, None)
