"""Failures that a user hardly ever meets: each is reached, and says what it has to."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from azure.cli.core.azclierror import CLIInternalError

from azext_kmsmigrate.errors import AzureError, Lost
from azext_kmsmigrate.kube.api import Api
from azext_kmsmigrate.kube.lease import KubeLease
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.facts import ClusterFacts
from azext_kmsmigrate.results import RunState
from azext_kmsmigrate.wiring import command
from tests.sim.azure import Azure
from tests.sim.clock import FakeClock
from tests.sim.cluster import SimCluster
from tests.sim.kube_system import FakeApi
from tests.unit.runs import assert_completes, assert_fails


def test_a_success_of_azures_that_the_cluster_does_not_show_is_no_success() -> None:
    sim = SimCluster()

    def unchanged(what: str) -> None:
        if what.startswith("upgrade"):
            # Azure takes the request, reports success, and leaves the cluster as it is.
            before = sim.azure.facts
            sim.azure.on_effect = _once(sim.azure, before)

    sim.azure.before_put = unchanged
    result = sim.start()
    assert_fails(result, "KMSM207", 1)
    sim.azure.before_put = lambda what: None
    assert_completes(sim)


def _once(azure: Azure, before: ClusterFacts) -> Any:
    told = azure.on_effect

    def effect(_: ClusterFacts, after: ClusterFacts, at: float) -> None:
        azure.facts = replace(after, version=before.version, wanted=before.wanted, pools=before.pools)
        azure.on_effect = told

    return effect


def test_an_offer_that_is_gone_when_the_upgrade_is_asked_for_is_planned_anew() -> None:
    sim = SimCluster(offers={"1.26.15": ["1.27.1"], "1.27.1": [], "1.27.3": []})

    def withdraw(what: str) -> None:
        if what == "upgrade 1.27.1":
            sim.azure.offers["1.26.15"] = ["1.27.3"]

    sim.azure.before_put = withdraw
    result = sim.start(Request())
    assert result.state is RunState.COMPLETED
    assert result.cluster.kubernetes_version == "1.27.3"
    assert any("no longer offers the upgrade to 1.27.1" in line for line in sim.said)  # KMSM221


def test_a_run_whose_lease_another_one_took_stops() -> None:
    api, clock = FakeApi(), FakeClock()
    mine = KubeLease(cast(Api, api), clock, "me", "blue")
    with mine.held(), KubeLease(cast(Api, api), clock, "other", "blue", take_over=True).held():
        with pytest.raises(Lost, match="KMSM307") as lost:
            mine.renew(now=True)
        assert "az aks kms-migrate show" in lost.value.fix


def test_a_bug_of_our_own_leaves_with_a_code_and_without_its_text() -> None:
    @command
    def handler(cmd: Any) -> None:
        raise ZeroDivisionError("the text of an exception may hold anything")

    with pytest.raises(CLIInternalError, match="KMSM902") as told:
        handler(SimpleNamespace(cli_ctx=None))
    assert "may hold anything" not in str(told.value)
    assert "ZeroDivisionError" in str(told.value)
    assert not isinstance(told.value, AzureError)
