"""The commands beside ``start``: verify, show, rewrite-secrets."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import AzureError, ClusterError
from azext_kmsmigrate.exit_codes import exit_code
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.secret import Failure, FailureClass, Page, StoredAs
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.results import RunState, Verification
from azext_kmsmigrate.runner import Runner
from tests.sim.azure import disabled
from tests.sim.cluster import FAST, SimCluster, agree, encryption_of, with_kms
from tests.unit.runs import DECRYPT, ENABLE, ENCRYPT, UPGRADE, assert_completes


def test_verify_proves_the_end_and_changes_no_secret() -> None:
    sim = SimCluster()
    sim.start()
    writes, version = sim.api.writes, sim.journal_version
    found = sim.runner().verify()
    assert (found.verified, found.stored_as, found.evidence.missing) == (True, "kms-v2", [])
    assert exit_code(found) == 0
    assert (sim.api.writes, sim.journal_version, sim.api.find_canary()) == (writes, version, None)


@pytest.mark.parametrize("metrics", [True, False])
@pytest.mark.parametrize("step", [StepId.DISABLE_KMS, StepId.DECRYPT_SECRETS, StepId.UPGRADE, StepId.ENABLE_KMS])
def test_verify_in_the_middle_does_not_keep_the_migration_from_going_on(step: StepId, metrics: bool) -> None:
    sim = SimCluster()
    sim.api.metrics = metrics
    sim.start(Request(stop_after=step))
    sim.runner().verify()
    assert_completes(sim)


def test_verify_finds_a_secret_in_another_form_and_makes_few_of_them_otherwise() -> None:
    sim = SimCluster(version="1.27.1", kms=False, secrets=40)
    sim.roll = [0.0]
    sim.meddle(with_kms())
    found = sim.runner().verify()
    assert not found.verified
    assert exit_code(found) == 11
    assert sim.api.writes <= FAST.parallel


def test_verify_that_meets_an_api_server_with_the_old_form_writes_no_secret() -> None:
    sim = SimCluster(version="1.27.1", secrets=40)

    def fall_back(page: Page) -> None:
        if len(page.items) >= 40:
            old = encryption_of(disabled(sim.azure.show()), had_v2=True)
            sim.api.replicas[1].to_come = [(sim.clock.monotonic(), old)]

    sim.api.after_page = fall_back
    found = sim.runner().verify()
    assert not found.verified
    assert sim.api.writes == 0


def test_verify_without_any_sign_says_that_nothing_is_proven() -> None:
    sim = SimCluster(version="1.27.1")
    sim.api.metrics = False
    found = sim.runner().verify()
    assert not found.verified
    assert "no sign of what the API servers write" in found.evidence.missing[0]


def test_show_names_the_next_command_and_what_is_left() -> None:
    sim = SimCluster()
    sim.start(Request(stop_after=StepId.DECRYPT_SECRETS))
    status = sim.runner().show()
    assert status.remaining == [DECRYPT, UPGRADE, ENABLE, ENCRYPT]
    assert status.next_command == "az aks kms-migrate start -g shop -n blue"


def test_show_of_a_blocked_cluster_names_what_blocks_it_and_no_wrong_command() -> None:
    sim = SimCluster()
    sim.meddle(lambda facts: replace(facts, power="Stopped"))
    status = sim.runner().show()
    assert status.blocked is not None
    assert status.blocked.code == "KMSM103"
    assert status.next_command is None


def test_rewriting_by_itself_proves_the_present_form_and_leaves_azure_alone() -> None:
    sim = SimCluster(version="1.27.1", kms=False)
    sim.roll = [0.0]
    sim.meddle(with_kms())
    result = sim.runner().rewrite(agree)
    assert (result.state, sim.forms, sim.puts) == (RunState.COMPLETED, {"kms-v2": 6}, [])
    assert sim.api.find_canary() is None


# canaries of commands


@pytest.mark.parametrize("metrics", [True, False])
def test_several_verifies_at_once_do_not_disturb_each_other(metrics: bool) -> None:
    sim = SimCluster(version="1.27.1", secrets=40)
    sim.api.metrics = metrics
    begun: list[Page] = []
    found: list[Verification] = []

    def another(page: Page) -> None:
        """At the first page of one proof another begins and ends, from its canary to its verdict."""
        if page.items and len(begun) < 2:
            begun.append(page)
            found.append(sim.runner().verify())

    alone = sim.runner().verify()
    sim.api.after_page = another
    together = [sim.runner().verify(), *found]
    assert [one.evidence.missing for one in together] == [alone.evidence.missing] * 3
    assert (sim.api.own_canaries(), sim.api.find_canary(), sim.api.writes) == ([], None, 0)


def test_verify_leaves_the_canary_of_a_migration_alone_and_is_not_tripped_by_it() -> None:
    sim = SimCluster()
    sim.start(Request(stop_after=StepId.DISABLE_KMS))
    canary = sim.api.find_canary()
    assert canary is not None
    sim.runner().verify()
    after = sim.api.find_canary()
    assert after is not None
    assert after.uid == canary.uid


@pytest.mark.parametrize("command", ["verify", "rewrite-secrets"])
@pytest.mark.parametrize("how", ["Ctrl-C", "an error", "a canary that somebody deletes"])
def test_a_command_removes_its_canary_however_it_ends(command: str, how: str) -> None:
    sim = SimCluster(version="1.27.1", secrets=40)
    process = sim.process()
    seen: list[int] = []

    def end(page: Page) -> None:
        seen.append(len(sim.api.own_canaries()))
        if how == "an error":
            sim.azure.lost["observe"] = 10**6  # for longer than anybody waits
        elif how.startswith("a canary"):
            sim.api.delete(*sim.api.own_canaries()[0])
        else:
            process.interrupt_at_tick = process.ticks + 1

    sim.api.after_page = lambda page: end(page) if page.items and not seen else None
    runner = Runner(process.world(), FAST)
    ends = pytest.raises((KeyboardInterrupt, AzureError)) if not how.startswith("a canary") else nullcontext()
    with ends:
        runner.verify() if command == "verify" else runner.rewrite(agree)
    assert seen == [1], "it had no canary to remove"
    assert sim.api.own_canaries() == []


def test_a_canary_that_a_killed_command_left_behind_is_no_secret_that_nobody_can_read_later() -> None:
    """It lies under KMS v1, as any Secret did; the migration has to rewrite it, or 1.27 could never read it."""
    sim = SimCluster()
    left = sim.api.create_own_canary(0)
    assert_completes(sim)
    assert sim.unreadable_for_good == []
    assert sim.api.secrets[left.namespace, left.name].form is StoredAs.KMS_V2


def test_a_command_whose_canary_cannot_be_removed_ends_as_it_would_and_says_so() -> None:
    sim = SimCluster(version="1.27.1")
    sim.api.delete_fails = ClusterError(errors.API_UNREACHABLE, what="delete the canary Secret", code="x")
    assert sim.runner().verify().verified
    assert any("could not be removed" in line for line in sim.said)


@pytest.mark.parametrize("command", ["verify", "rewrite-secrets", "start"])
def test_a_sign_in_that_is_refused_in_mid_pass_stops_everything_and_says_what_it_is(command: str) -> None:
    sim = SimCluster(secrets=40)
    refused = Failure(FailureClass.UNAUTHORIZED, "HTTP 401")
    for key in list(sim.api.secrets)[20:]:
        sim.api.always[key] = refused
    runner = sim.runner()
    if command == "start":
        stopped = sim.start()
        assert (stopped.state, int(exit_code(stopped))) == (RunState.STOPPED, 20)
        assert stopped.problem is not None
        assert stopped.problem.code == "KMSM310"
        assert "stored without KMS, since" in stopped.problem.why
        assert sim.journal.last_problem.startswith("stopped: KMSM310")
        assert sim.journal.running is not None
        assert sim.puts == ["disable-kms"]
    else:
        with pytest.raises(ClusterError, match="KMSM310"):
            runner.verify() if command == "verify" else runner.rewrite(agree)
    assert (sim.api.own_canaries(), sim.lease_holder) == ([], "")


def test_a_sign_in_that_is_refused_while_it_settles_is_told_long_before_patience_ends() -> None:
    sim = SimCluster(version="1.27.1")
    refused = Failure(FailureClass.UNAUTHORIZED, "HTTP 401")
    sim.api.before_patch = lambda: sim.api.always.update(dict.fromkeys(sim.api.own_canaries(), refused))
    began = sim.clock.monotonic()
    with pytest.raises(ClusterError, match="KMSM310"):
        sim.runner().verify()
    assert sim.clock.monotonic() - began < 30.0
    assert sim.api.own_canaries() == []
