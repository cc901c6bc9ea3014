"""Whole migrations whose upgrade meets budgets, drains, nodes left behind and the user's override."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.plan import Goal
from azext_kmsmigrate.results import RunState
from tests.sim.azure import Trouble
from tests.sim.cluster import SimCluster
from tests.unit.runs import assert_completes, assert_fails


def forced(sim: SimCluster, hours: float = 1.0) -> Request:
    return Request(Goal(force_until=sim.clock.now() + timedelta(hours=hours)))


def test_a_budget_that_lets_no_pod_go_stops_the_upgrade_with_its_name_and_force_passes_over_it() -> None:
    sim = SimCluster()
    sim.azure.budgets = ["shop/cart"]
    stopped = sim.start()
    assert_fails(stopped, "KMSM231", 1)
    assert stopped.problem is not None
    assert "shop/cart" in stopped.problem.what
    assert "--force-upgrade-until" in stopped.problem.fix
    result = sim.start(forced(sim))
    assert result.state is RunState.COMPLETED
    assert sim.puts[-1] == "end-force"
    assert sim.azure.show().forced_until == ""
    assert sim.journal.forced_until == ""


def test_a_forced_upgrade_that_begins_too_late_is_not_begun() -> None:
    sim = SimCluster()
    assert_fails(sim.start(forced(sim, hours=0.001)), "KMSM243", 1)
    assert not [put for put in sim.puts if "upgrade" in put]


def test_an_override_is_taken_away_by_the_run_that_goes_on() -> None:
    sim = SimCluster()
    sim.azure.trouble["enable-kms"] = [Trouble()]
    sim.azure.trouble["reconcile"] = [Trouble()]
    assert sim.start(forced(sim)).state is RunState.FAILED
    assert sim.azure.show().forced_until
    assert sim.start().state is RunState.COMPLETED
    assert sim.azure.show().forced_until == ""


def test_an_override_of_somebody_elses_stays() -> None:
    sim = SimCluster()
    sim.meddle(lambda facts: replace(facts, forced_until="2030-01-01T00:00:00Z"))
    assert sim.start().state is RunState.COMPLETED
    assert "end-force" not in sim.puts


def test_an_override_that_cannot_be_taken_away_is_told_and_harms_nothing() -> None:
    sim = SimCluster()
    sim.azure.trouble["end-force"] = [Trouble()]
    assert sim.start(forced(sim)).state is RunState.COMPLETED
    assert any("--disable-force-upgrade" in said for said in sim.said)


def test_an_upgrade_that_ends_in_a_drain_names_the_node_and_the_same_command_goes_on() -> None:
    sim = SimCluster()
    detail = "Drain of node aks-user-1 did not complete pods [web-0]: PDB shop/cart blocks"
    sim.azure.trouble["upgrade 1.27.1"] = [Trouble(code="PodDrainFailure", detail=detail)]
    stopped = sim.start()
    assert_fails(stopped, "KMSM232", 1)
    assert stopped.problem is not None
    assert "aks-user-1, shop/cart" in stopped.problem.what


def test_nodes_left_behind_are_asked_for_once_more_and_the_run_goes_on_when_they_follow() -> None:
    sim = SimCluster()
    sim.lagging_kubelets = 1
    assert_completes(sim)
    assert [put for put in sim.puts if "upgrade" in put] == [
        "upgrade 1.27.1",
        "upgrade-pool system 1.27.1",
        "upgrade-pool user 1.27.1",
    ]


def test_nodes_left_cordoned_are_told_and_left_so() -> None:
    sim = SimCluster()
    sim.cordoned = {"user-1"}
    result = sim.start()
    assert result.state is RunState.COMPLETED
    assert any("user-1" in said and "kubectl uncordon" in said for said in sim.said)
    upgrade = next(step for step in result.steps if step.id == "upgrade")
    assert upgrade.detail.endswith("left cordoned: user-1")
