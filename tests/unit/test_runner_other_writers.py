"""Whole migrations while others write Secrets and change the cluster."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.secret import Page
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.results import CountsDocument, RunState
from azext_kmsmigrate.runner import Runner
from tests.sim.azure import disabled
from tests.sim.cluster import FAST, OTHER_KEY, SimCluster, agree, with_kms
from tests.unit.runs import DECRYPT, assert_completes, assert_fails, steps_of


def test_secrets_made_changed_and_deleted_by_others_meanwhile_all_end_right() -> None:
    sim = SimCluster()

    def others(page: Page) -> None:
        if len(page.items) < 3:
            return
        first, second = page.items[0], page.items[1]
        sim.api.change(first.namespace, first.name)
        sim.api.delete(second.namespace, second.name)
        sim.api.add(second.namespace, second.name, f"new-{page.resource_version}")

    sim.api.after_page = others
    result = sim.start()
    assert (result.state, result.problem) == (RunState.COMPLETED, None)
    assert set(sim.forms) == {"kms-v2"}
    assert result.evidence is not None
    assert sum(p.changed_meanwhile for p in result.evidence.passes) > 0


def test_a_secret_deleted_between_list_and_patch_is_gone_and_no_failure() -> None:
    sim = SimCluster()

    def delete_once(page: Page) -> None:
        if len(page.items) == 6 and sim.puts:  # not what the checks listed
            sim.api.delete(page.items[2].namespace, page.items[2].name)

    sim.api.after_page = delete_once
    result = sim.start()
    assert result.state is RunState.COMPLETED
    assert result.steps[1].secrets is not None
    assert (result.steps[1].secrets.gone, result.steps[1].secrets.rewritten) == (1, 5)


@pytest.mark.parametrize("what", ["disable-kms", "upgrade 1.27.1", "enable-kms"])
def test_somebody_elses_harmless_change_is_looked_at_and_the_run_goes_on(what: str) -> None:
    sim = SimCluster()
    meddled: list[str] = []

    def meddle(put: str) -> None:
        if put == what and not meddled:
            meddled.append(put)
            sim.meddle(lambda facts: facts)

    sim.azure.before_put = meddle
    result = sim.start()
    assert (result.state, result.problem) == (RunState.COMPLETED, None)
    assert sim.forms == {"kms-v2": 6}
    assert sim.puts == ["disable-kms", "upgrade 1.27.1", "enable-kms"]


def test_what_was_proven_before_somebody_elses_change_is_proven_again_before_the_upgrade() -> None:
    sim = SimCluster()
    meddled: list[str] = []

    def on_and_off(put: str) -> None:
        if put == "upgrade 1.27.1" and not meddled:
            meddled.append(put)
            sim.roll = [0.0]
            sim.meddle(with_kms())
            sim.api.add("ns-0", "written-meanwhile")
            sim.meddle(disabled)

    sim.azure.before_put = on_and_off
    result = sim.start()
    assert (result.state, result.problem) == (RunState.COMPLETED, None)
    assert sim.forms == {"kms-v2": 7}
    # The second time does not hide what the first one did, neither in the result nor in the journal.
    assert steps_of(result).count(DECRYPT) == 1
    decrypt = next(step.secrets for step in result.steps if step.id == DECRYPT)
    assert decrypt is not None
    assert (decrypt.total, decrypt.rewritten, decrypt.current) == (7, 7, 0)
    record = sim.journal.record_of(StepId.DECRYPT_SECRETS)
    assert record is not None
    assert record.secrets is not None
    assert CountsDocument.of(record.secrets) == decrypt


def test_somebody_who_never_stops_changing_the_cluster_ends_the_run() -> None:
    sim = SimCluster()
    sim.azure.before_put = lambda what: sim.meddle(lambda facts: facts)
    result = sim.start()
    assert_fails(result, "KMSM203", 1)
    assert (sim.puts, sim.forms) == ([], {"kms-v1": 6})
    assert result.exposure is None


@pytest.mark.parametrize("begin_with", ["on", "off"])
def test_kms_turned_on_by_somebody_after_the_first_proof_is_drift(begin_with: str) -> None:
    sim = SimCluster(kms=begin_with == "on")
    sim.roll = [0.0]
    meddled: list[str] = []

    def turn_on(put: str) -> None:
        if put == "upgrade 1.27.1" and not meddled:
            meddled.append(put)
            sim.meddle(with_kms(OTHER_KEY))
            sim.api.add("ns-0", "written-meanwhile")

    sim.azure.before_put = turn_on
    result = sim.start()
    assert_fails(result, "KMSM109", 1)
    assert "upgrade 1.27.1" not in sim.puts
    assert result.cluster.kms == "KmsV1"
    sim.azure.before_put = lambda what: None
    assert_completes(sim, secrets=7)


class Log:
    """An activity log; it keeps what it was asked."""

    def __init__(self) -> None:
        self.since: list[datetime] = []

    def writers(self, since: datetime) -> str:
        self.since.append(since)
        return "the activity log names: pipeline@example.com"


def test_drift_tells_what_changed_and_who_did_it_and_the_choices() -> None:
    sim, log = SimCluster(), Log()
    sim.roll = [0.0]
    sim.azure.before_put = lambda put: sim.meddle(with_kms(OTHER_KEY)) if put == "upgrade 1.27.1" else None
    began = sim.clock.now()
    result = Runner(replace(sim.process().world(), activity=log), FAST).run(Request(), agree)
    assert_fails(result, "KMSM109", 1)
    assert result.problem is not None
    assert f"KMS is KmsV1 with the key {OTHER_KEY}" in result.problem.what
    assert "the activity log names: pipeline@example.com" in result.problem.what
    assert "az aks kms-migrate start -g shop -n blue" in result.problem.fix
    assert "az aks kms-migrate revert -g shop -n blue" in result.problem.fix
    assert log.since == [began]
