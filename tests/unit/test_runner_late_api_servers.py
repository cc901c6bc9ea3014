"""Whole migrations with API servers that change over late, or go back."""

from __future__ import annotations

import pytest

from azext_kmsmigrate.migration.secret import Page, StoredAs
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.results import CountsDocument, RunState
from tests.sim.cluster import SimCluster, encryption_of, with_kms
from tests.unit.runs import assert_completes, assert_fails


@pytest.mark.parametrize("metrics", [True, False])
@pytest.mark.parametrize("roll", [(0.0, 60.0), (90.0, 120.0), (200.0, 0.0, 45.0)])
def test_a_replica_that_changes_over_late_leaves_no_secret_behind(roll: tuple[float, ...], metrics: bool) -> None:
    """Also when Azure said "Succeeded" long before: its operation takes 30 s here."""
    sim = SimCluster(roll=roll, replicas=len(roll))
    sim.api.metrics = metrics
    assert_completes(sim)


@pytest.mark.parametrize("metrics", [True, False])
def test_api_servers_that_never_change_over_are_never_taken_as_settled(metrics: bool) -> None:
    sim = SimCluster(roll=(5000.0,))
    sim.api.metrics = metrics
    result = sim.start()
    assert_fails(result, "KMSM305", 1)
    assert (sim.puts, sim.forms) == (["disable-kms"], {"kms-v1": 6})
    sim.roll = [0.0]
    assert_completes(sim.after(5000.0))


@pytest.mark.parametrize("metrics", [True, False])
def test_a_replica_that_falls_back_during_the_proof_is_found_and_the_secrets_rewritten(metrics: bool) -> None:
    sim = SimCluster(secrets=40)
    sim.api.metrics = metrics
    fell: list[int] = []

    def fall_back(page: Page) -> None:
        if len(page.items) == 40 and str(sim.azure.show().version) == "1.26.15" and len(fell) < 2:
            fell.append(1)
            if len(fell) == 2:  # the proof's list
                now = sim.clock.monotonic()
                old = encryption_of(with_kms()(sim.azure.show()))
                sim.api.replicas[1].to_come = [(now, old), (now + 30.0, sim.api.replicas[1].encryption)]

    sim.api.after_page = fall_back
    first = sim.start()
    assert set(sim.forms) <= {"kms-v2", "plain", "kms-v1"}
    if first.state is not RunState.COMPLETED:
        assert_fails(first, "KMSM402", 11)
        assert "upgrade 1.27.1" not in sim.puts
        first = sim.start()
    assert (first.state, sim.forms) == (RunState.COMPLETED, {"kms-v2": 40})


def test_a_secret_written_in_the_old_form_behind_the_proof_is_found_without_counters() -> None:
    """The API server wrote the old form for that one request and left no other sign."""
    sim = SimCluster(secrets=40)
    sim.api.metrics = False
    wrote: list[str] = []

    def write_behind() -> None:
        proving = any("Now the proof" in line for line in sim.said) and sim.azure.show().kms.enabled
        if proving and not wrote:
            asked.append(1)
            if len(asked) == 35:
                wrote.append("ns-0/secret-0")
                sim.api.change_in_form("ns-0", "secret-0", StoredAs.PLAIN)

    asked: list[int] = []
    sim.said.clear()

    def only_the_last(put: str) -> None:
        if put == "enable-kms":
            sim.said.clear()

    sim.azure.before_put = only_the_last
    sim.api.before_patch = write_behind
    result = sim.start()
    assert wrote
    assert any("The proof met a Secret in another form (ns-0/secret-0)" in line for line in sim.said)
    assert (result.state, sim.forms) == (RunState.COMPLETED, {"kms-v2": 40})
    assert result.evidence is not None
    assert [look.secrets.total for look in result.evidence.closing_looks] == [0]


def test_the_counts_of_a_step_are_those_of_all_its_rounds() -> None:
    sim = SimCluster(secrets=40)
    sim.api.metrics = False
    rounds: list[int] = []

    def tamper() -> None:
        """In the first two rounds somebody's write of the old form comes between the rewriting and the proof."""
        if sim.puts and sim.azure.show().kms.enabled and sim.said[-1].startswith("Rewritten") and len(rounds) < 2:
            rounds.append(1)
            sim.api.change_in_form("ns-0", f"secret-{3 * len(rounds)}", StoredAs.PLAIN)

    sim.api.before_page = tamper
    result = sim.start()
    assert (result.state, len(rounds)) == (RunState.COMPLETED, 2)
    encrypt = result.steps[-1].secrets
    assert encrypt is not None
    assert (encrypt.rewritten, encrypt.total) == (42, 42)
    assert encrypt.total == encrypt.rewritten + encrypt.current + encrypt.gone + encrypt.failed
    record = sim.journal.record_of(StepId.ENCRYPT_SECRETS)
    assert record is not None
    assert record.secrets is not None
    assert CountsDocument.of(record.secrets) == encrypt


def test_an_api_server_that_begins_anew_during_a_proof_makes_it_be_made_again() -> None:
    sim = SimCluster(secrets=40)
    begun: list[float] = []

    def begin_anew() -> None:
        if sim.said and "Now the proof" in sim.said[-1] and not begun:
            begun.append(sim.clock.monotonic())
            sim.api.replicas[0].started = 1000.0 + begun[0]

    sim.api.before_patch = begin_anew
    result = sim.start()
    assert begun
    assert any("began anew during the proof. Settling" in line for line in sim.said)
    assert (result.state, result.problem, sim.forms) == (RunState.COMPLETED, None, {"kms-v2": 40})
