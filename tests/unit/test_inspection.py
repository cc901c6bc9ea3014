"""The checks of a run: all before the question, and before each step those that it stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from azext_kmsmigrate import errors
from azext_kmsmigrate.checks.access import DOOR, LACKING, SECRET_RIGHTS, STORAGE, Door
from azext_kmsmigrate.checks.preflight import Preflight
from azext_kmsmigrate.checks.topic import KUBERNETES, Topic, Unseen
from azext_kmsmigrate.errors import AzureError
from azext_kmsmigrate.exit_codes import exit_code
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.facts import ClusterFacts
from azext_kmsmigrate.migration.plan import Goal
from azext_kmsmigrate.migration.secret import StoredAs
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.results import CheckReport, RunState
from tests.sim.cluster import SimCluster
from tests.unit.runs import DECRYPT, DISABLE, assert_completes, assert_fails, steps_of

PATCH = next(right for right in SECRET_RIGHTS if right.verb == "patch")


def without_patch() -> SimCluster:
    sim = SimCluster()
    sim.answers[LACKING] = frozenset({PATCH})
    return sim


def outcomes(report: CheckReport) -> dict[str, str]:
    return {check.id: check.outcome for check in report.checks}


def fail_pool(facts: ClusterFacts) -> ClusterFacts:
    return replace(facts, pools=(replace(facts.pools[0], state="Failed"), *facts.pools[1:]))


@pytest.mark.parametrize("only", [None, StepId.DISABLE_KMS])
@pytest.mark.parametrize(
    ("spoil", "failing"),
    [
        (lambda sim: sim.meddle(fail_pool), "AZ-04"),
        (lambda sim: sim.meddle(lambda f: replace(f, identity="SystemAssigned")), "K-04"),
        (lambda sim: sim.answers.update({LACKING: frozenset({PATCH})}), "C-03"),
        (lambda sim: setattr(next(iter(sim.api.secrets.values())), "form", StoredAs.KMS_V2), "K-10 C-04"),
        (lambda sim: sim.api.deny("ns-0", "secret-0", "hook"), "C-04"),
    ],
)
def test_a_check_that_fails_stops_a_run_before_anything_is_changed(
    spoil: Callable[[SimCluster], None], failing: str, only: StepId | None
) -> None:
    sim = SimCluster()
    spoil(sim)

    def never(cluster: object, plan: object, found: object) -> None:
        raise AssertionError("nobody is asked about what cannot begin")

    result = sim.start(Request(only=only), never)
    assert_fails(result, "KMSM115", 11)
    assert result.problem is not None
    assert failing.split()[0] in result.problem.what
    assert [c.id for c in result.checks if c.outcome == "failed"] == failing.split()
    assert (sim.puts, sim.api.writes, sim.journal_document, sim.lease_holder) == ([], 0, "", "")
    planned = sim.runner().plan(Goal())
    assert planned.checks is not None
    if failing in ("C-04", "K-10 C-04"):  # a plan asks nothing that looks at every Secret
        assert (planned.blocked, planned.checks.failed) == (None, 0)
    else:
        assert planned.blocked is not None
        assert (planned.blocked.code, planned.checks.failed) == ("KMSM115", len(failing.split()))
    report = sim.runner().check(Goal())
    assert (report.ready, report.failed, int(exit_code(report))) == (False, len(failing.split()), 11)


@pytest.mark.parametrize(
    "door", [Door(silent="transient"), Door(refused="HTTP 401"), Unseen("did not answer within 30 s")]
)
def test_an_api_server_that_does_not_let_in_is_asked_for_nothing_else(door: Door | Unseen) -> None:
    sim = SimCluster()
    open_ = outcomes(sim.runner().check(Goal()))
    sim.answers[DOOR] = door
    sim.answers[LACKING] = frozenset({PATCH})
    found = outcomes(sim.runner().check(Goal()))
    assert (found["C-03"], found["C-04"], found["K-10"]) == ("unknown", "unknown", "unknown")
    assert {id_: word for id_, word in found.items() if id_[:2] in ("AZ", "V-")} == {
        id_: word for id_, word in open_.items() if id_[:2] in ("AZ", "V-")
    }


def test_the_question_comes_with_what_warns() -> None:
    shown: list[str] = []

    def note(cluster: object, plan: object, found: Preflight) -> None:
        shown.extend(result.check.id for result in found.warnings)

    SimCluster().start(confirm=note)
    assert shown == ["K-12"]


def test_a_check_that_could_not_look_is_told_and_stops_nothing() -> None:
    sim = SimCluster()
    before = sim.runner().check(Goal()).unknown
    sim.answers[LACKING] = Unseen("no entry", "create selfsubjectaccessreviews")
    report = sim.runner().check(Goal())
    assert (outcomes(report)["C-03"], report.unknown, report.ready) == ("unknown", before + 2, True)
    assert next(c for c in report.checks if c.id == "C-03").permission == "create selfsubjectaccessreviews"
    assert not sim.runner().check(Goal(), warnings_as_errors=True).ready
    assert_completes(sim)


def test_a_skipped_check_that_would_stop_the_run_is_kept_with_who_left_it_out_and_when() -> None:
    sim = without_patch()
    result = sim.start(Request(skipped=frozenset({"C-03", "K-12"})))
    assert result.state is RunState.COMPLETED
    (kept,) = sim.journal.skipped_checks
    assert kept.id == "C-03"
    assert kept.by.startswith("process-")
    assert [(s.id, s.by, s.at) for s in result.skipped_checks] == [(kept.id, kept.by, kept.at)]
    status = sim.runner().show()
    assert status.journal is not None
    assert status.journal.skipped_checks == result.skipped_checks


def test_a_run_that_continues_keeps_what_an_earlier_one_skipped() -> None:
    sim = without_patch()
    sim.start(Request(skipped=frozenset({"C-03"}), stop_after=StepId.DISABLE_KMS))
    sim.answers[LACKING] = frozenset()
    result = sim.start()
    assert result.state is RunState.COMPLETED
    assert [s.id for s in result.skipped_checks] == ["C-03"]


def test_what_fails_between_two_steps_stops_the_run_there() -> None:
    sim = SimCluster()

    def lose_the_right(what: str) -> None:
        sim.answers[LACKING] = frozenset({PATCH})

    sim.azure.before_put = lose_the_right
    result = sim.start()
    assert_fails(result, "KMSM115", 11)
    assert steps_of(result) == [DISABLE]
    assert result.problem is not None
    assert "'decrypt-secrets'" in result.problem.what
    assert "none is lost" in result.problem.why
    assert [c.id for c in result.checks] == ["C-03"]
    sim.azure.before_put = lambda what: None
    sim.answers[LACKING] = frozenset()
    assert sim.start().state is RunState.COMPLETED


def test_what_was_just_looked_at_is_not_looked_at_again_before_the_first_step_and_the_dear_never() -> None:
    sim = SimCluster()
    sim.start(Request(only=StepId.DISABLE_KMS))
    assert {DOOR, LACKING, STORAGE} < set(sim.looks)
    assert len(sim.looks) == len(set(sim.looks))
    sim.looks.clear()
    result = sim.start(Request(stop_after=StepId.DECRYPT_SECRETS))
    assert steps_of(result) == [DECRYPT]
    assert sim.looks.count(STORAGE) == sim.looks.count(DOOR) == 1
    sim.looks.clear()
    sim.start()
    assert sim.looks.count(STORAGE) == sim.looks.count(DOOR) == 1
    assert sim.looks.count(LACKING) > 1


def test_an_api_server_that_is_away_between_two_steps_is_waited_for_by_the_step_itself() -> None:
    sim = SimCluster()

    def go_away(what: str) -> None:
        sim.answers[DOOR] = Door(silent="transient (ConnectionError)")
        sim.answers[LACKING] = Unseen("the API server did not say")

    sim.azure.before_put = go_away
    assert sim.start().state is RunState.COMPLETED


def test_a_user_who_reads_the_plan_for_long_is_asked_about_as_it_is_then() -> None:
    sim = SimCluster()

    def slowly(cluster: object, plan: object, found: object) -> None:
        sim.clock.sleep(3600.0)
        sim.answers[LACKING] = frozenset({PATCH})

    result = sim.start(confirm=slowly)
    assert_fails(result, "KMSM115", 11)
    assert (result.steps, sim.puts) == ([], [])


def test_an_api_server_that_cannot_be_reached_is_a_finding() -> None:
    sim = SimCluster(kms=False)
    sim.answers[DOOR] = Door(silent="transient (ConnectTimeout)")
    report = sim.runner().check(Goal())
    assert outcomes(report)["C-01"] == "failed"
    assert report.ready is False


def test_a_stopped_cluster_is_not_asked_what_only_its_api_server_knows() -> None:
    sim = SimCluster()
    sim.meddle(lambda f: replace(f, power="Stopped"))
    report = sim.runner().check(Goal())
    assert KUBERNETES not in {topic.service for topic in sim.looks}
    assert outcomes(report)["AZ-02"] == "failed"
    assert outcomes(report)["K-10"] == "unknown"
    assert report.blocked is not None
    assert (report.blocked.code, int(exit_code(report))) == ("KMSM103", 11)


def test_nothing_to_do_is_ready_and_points_to_the_proof() -> None:
    sim = SimCluster(version="1.27.1")
    sim.answers[LACKING] = frozenset({PATCH})  # nobody needs it
    report = sim.runner().check(Goal())
    assert (report.ready, report.failed, report.warned, report.unknown) == (True, 0, 0, 0)
    assert report.next_command == "az aks kms-migrate verify -g shop -n blue"
    assert outcomes(report)["K-04"] == "not-applicable"


def test_a_check_changes_nothing() -> None:
    sim = SimCluster()
    for _ in range(2):
        assert sim.runner().check(Goal()).ready
    assert (sim.puts, sim.api.writes, sim.journal_document, sim.lease_holder) == ([], 0, "", "")


@pytest.mark.parametrize("topic", [DOOR, LACKING, STORAGE], ids=lambda t: t.name)
def test_a_look_that_fails_leaves_the_rest_of_the_checks_as_they_are(topic: Topic[object]) -> None:
    sim = SimCluster()
    well = outcomes(sim.runner().check(Goal()))
    sim.answers[topic] = AzureError(errors.AZURE_FORBIDDEN, what="Microsoft.X/y/read", code="AuthorizationFailed")
    spoilt = outcomes(sim.runner().check(Goal()))
    changed = {check for check in well if spoilt[check] != well[check]}
    assert changed
    assert {spoilt[check] for check in changed} == {"unknown"}


def test_a_pool_that_fails_after_kms_was_turned_off_stops_the_upgrade_and_not_the_rewrite_before_it() -> None:
    sim = SimCluster()
    sim.start(Request(stop_after=StepId.DISABLE_KMS))
    whole = sim.runner().check(Goal())
    assert outcomes(whole)["AZ-04"] == "passed"
    sim.api.after_page = lambda page: _fail_a_pool_once(sim)
    result = sim.start()
    assert_fails(result, "KMSM115", 11)
    assert steps_of(result) == [DECRYPT]
    assert result.problem is not None
    assert "'upgrade'" in result.problem.what
    assert sim.forms == {"plain": 6}


def _fail_a_pool_once(sim: SimCluster) -> None:
    """As soon as the run holds the Lease: the checks before it have been asked."""
    if sim.lease_holder and sim.azure.facts.pools[0].state != "Failed":
        sim.azure.facts = fail_pool(sim.azure.facts)
