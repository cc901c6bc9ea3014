"""One pass over the Secrets of a simulated cluster."""

from __future__ import annotations

import itertools
from collections import deque

import pytest

from azext_kmsmigrate.migration.events import Counting, Moment, Phase
from azext_kmsmigrate.migration.secret import Failure, FailureClass, Page, StoredAs
from azext_kmsmigrate.ports import Tick
from azext_kmsmigrate.rewrite.engine import Engine
from azext_kmsmigrate.rewrite.passes import Pass, PassResult, Purpose
from tests.sim.apiservers import CANARY, Encryption
from tests.sim.cluster import SimCluster
from tests.sim.process import Killed


def quiet(moment: Moment) -> None:
    """Nobody looks."""


def turned_off(secrets: int, replicas: int = 1) -> SimCluster:
    """A cluster whose Secrets lie under KMS v1 and whose API servers write plain text."""
    sim = SimCluster(secrets=secrets, replicas=replicas)
    sim.api.configure(0.0, [0.0], Encryption.of(StoredAs.PLAIN, StoredAs.KMS_V1))
    return sim


def run(sim: SimCluster, wanted: Pass, parallel: int = 4, tick: Tick = quiet) -> PassResult:
    return Engine(sim.process().world().secrets, sim.clock, parallel).run(wanted, tick)


ALL = Pass(barrier=10**9)


@pytest.mark.parametrize("secrets", [0, 1, 499, 500, 501, 1500])
def test_every_secret_is_rewritten_however_the_pages_fall(secrets: int) -> None:
    sim = turned_off(secrets)
    result = run(sim, ALL)
    assert (result.rewritten, result.counts.total, result.failed) == (secrets, secrets, [])
    assert sim.forms == ({"plain": secrets} if secrets else {})
    assert result.expected == secrets


def test_a_second_pass_finds_everything_current_and_writes_nothing() -> None:
    sim = turned_off(30)
    run(sim, ALL)
    writes = sim.api.writes
    result = run(sim, Pass(purpose=Purpose.PROOF))
    assert (result.current, result.rewritten, result.tripped) == (30, 0, [])
    assert sim.api.writes == writes


def test_what_was_written_above_the_barrier_is_skipped_when_rewriting_and_looked_at_when_proving() -> None:
    sim = turned_off(10)
    result = run(sim, Pass(barrier=0))
    assert (result.current, sim.api.writes) == (10, 0)
    assert run(sim, Pass(barrier=0, purpose=Purpose.PROOF)).tripped


def test_a_proof_stops_at_the_first_secret_that_moves_one_a_worker_at_most() -> None:
    sim = turned_off(600)
    result = run(sim, Pass(purpose=Purpose.PROOF), parallel=3)
    assert 1 <= len(result.tripped) <= 3
    assert sim.api.writes == len(result.tripped)


def test_the_canary_goes_first_and_stops_a_proof_before_any_secret_moves() -> None:
    sim = turned_off(600)
    canary = sim.api.create_canary(0)
    run(sim, ALL)
    sim.api.configure(0.0, [0.0], Encryption.of(StoredAs.KMS_V1, StoredAs.PLAIN))
    writes = sim.api.writes
    result = run(sim, Pass(purpose=Purpose.PROOF, canary=canary), parallel=3)
    assert {(s.namespace, s.name, s.kind.value) for s in result.tripped} == {
        ("kube-system", "aks-kms-migrate-canary", "otherForm")
    }
    assert sim.api.writes == writes


def test_a_canary_that_lies_still_lets_the_proof_go_on() -> None:
    sim = turned_off(30)
    run(sim, ALL)
    assert run(sim, Pass(purpose=Purpose.PROOF, canary=sim.api.create_canary(0))).current == 30


def test_a_closing_look_is_about_what_was_written_above_and_counts_nothing_else() -> None:
    sim = turned_off(30)
    first = run(sim, ALL)
    above = run(sim, Pass(purpose=Purpose.PROOF)).resource_version
    assert above >= first.resource_version
    sim.api.add("ns-1", "new-1", "new-2")
    told: list[Moment] = []
    result = run(sim, Pass(purpose=Purpose.PROOF, above=above), tick=told.append)
    assert {moment.phase for moment in told if isinstance(moment, Counting)} == {Phase.CLOSING}
    assert (result.counts.total, result.current, result.tripped) == (2, 2, [])
    assert run(sim, Pass(purpose=Purpose.PROOF, above=result.resource_version)).counts.total == 0


def test_a_closing_look_stops_at_a_secret_that_moves() -> None:
    sim = turned_off(30)
    run(sim, ALL)
    above = run(sim, Pass(purpose=Purpose.PROOF)).resource_version
    sim.api.change_in_form("ns-0", "secret-3", StoredAs.KMS_V1)
    tripped = run(sim, Pass(purpose=Purpose.PROOF, above=above)).tripped
    assert [(one.namespace, one.name) for one in tripped] == [("ns-0", "secret-3")]


@pytest.mark.parametrize(("how", "every"), [("restart", 0.05), ("reload", 0.2)])
def test_a_secret_is_current_only_while_the_canary_is_too(how: str, every: float) -> None:
    """The API servers go to another form, in which ten Secrets lie just then, and are back before the pass ends.

    They begin anew without a word between two requests, for half a second, or take it on as they are, for two. Only the
    canary shows that these ten were found current for the wrong reason.
    """
    sim = turned_off(30, replicas=2)
    sim.api.ends_connections, sim.api.reloads = how == "restart", how == "reload"
    run(sim, ALL)
    sim.clock.sleep(100.0)
    canary = sim.api.create_canary(0)
    for key in sorted(key for key in sim.api.secrets if key != CANARY)[10:20]:
        sim.api.secrets[key].form = StoredAs.KMS_V1
    asked = iter(range(1000))

    def go_and_come_back() -> None:
        before = next(asked)
        if before == 11:  # the canary and ten Secrets
            for replica in sim.api.replicas:
                now, own = sim.clock.monotonic(), replica.encryption
                other = Encryption.of(StoredAs.KMS_V1, StoredAs.PLAIN)
                replica.to_come = [(now, other), (now + 10.5 * every, own)]
        sim.clock.sleep(every if before >= 11 else 0.0)

    sim.api.before_patch = go_and_come_back
    result = run(sim, Pass(purpose=Purpose.PROOF, canary=canary), parallel=1)
    assert [one.name for one in result.tripped] == [CANARY[1]]


def test_the_canary_goes_last_too() -> None:
    sim = turned_off(5)
    run(sim, ALL)
    canary = sim.api.create_canary(0)
    asked = iter(range(1000))

    def switch() -> None:
        if next(asked) == 5:  # the last Secret: it lies as the API server writes from now on
            sim.api.replicas[0].to_come = [(0.0, Encryption.of(StoredAs.KMS_V1, StoredAs.PLAIN))]
            for key in sim.api.secrets:
                sim.api.secrets[key].form = StoredAs.PLAIN if key == CANARY else StoredAs.KMS_V1

    sim.api.before_patch = switch
    assert [one.name for one in run(sim, Pass(purpose=Purpose.PROOF, canary=canary), parallel=1).tripped] == [CANARY[1]]


def test_a_canary_of_another_command_may_move_and_is_left_in_the_right_form() -> None:
    sim = turned_off(4)
    run(sim, ALL)
    other = sim.api.create_own_canary(0)
    sim.api.secrets[other.namespace, other.name].form = StoredAs.KMS_V1
    result = run(sim, Pass(purpose=Purpose.PROOF))
    assert (result.tripped, result.changed, result.current) == ([], 1, 4)
    assert sim.api.secrets[other.namespace, other.name].form is StoredAs.PLAIN


def test_a_sign_in_that_stays_refused_ends_the_pass_at_the_first_secret_that_meets_it() -> None:
    sim = turned_off(300)
    for key in list(sim.api.secrets):
        sim.api.always[key] = Failure(FailureClass.UNAUTHORIZED, "HTTP 401")
    result = run(sim, ALL)
    assert result.systemic is not None
    assert result.systemic.kind is FailureClass.UNAUTHORIZED
    assert 1 <= len(result.failed) <= 4  # one a worker


def test_a_sign_in_that_is_refused_for_some_seconds_fails_no_secret() -> None:
    sim = turned_off(5)
    sim.api.answers["ns-0", "secret-0"] = deque([Failure(FailureClass.UNAUTHORIZED, "HTTP 401")] * 3)
    assert run(sim, ALL).rewritten == 5


def test_only_the_namespaces_asked_for_are_touched() -> None:
    sim = turned_off(9)
    assert run(sim, Pass(("ns-0", "ns-2"), barrier=10**9)).rewritten == 6
    assert sim.forms == {"plain": 6, "kms-v1": 3}


def test_a_bad_secret_stops_nothing_and_is_named() -> None:
    sim = turned_off(50)
    sim.api.deny("ns-0", "secret-3", "hook")
    sim.api.always["ns-1", "secret-4"] = Failure(FailureClass.INVALID, "type")
    result = run(sim, ALL)
    assert result.rewritten == 48
    assert sorted((f.name, f.kind.value, f.detail) for f in result.failed) == [
        ("secret-3", "admissionDenied", "webhook hook"),
        ("secret-4", "invalid", "type"),
    ]
    assert result.systemic is None


def test_a_failure_that_passes_is_tried_again_on_the_same_secret() -> None:
    sim = turned_off(5)
    sim.api.answers["ns-0", "secret-0"] = deque([Failure(FailureClass.TRANSIENT, "reset")] * 3)
    assert run(sim, ALL).rewritten == 5


def test_a_failure_that_stays_is_given_up_and_counted_once() -> None:
    sim = turned_off(5)
    sim.api.always["ns-0", "secret-0"] = Failure(FailureClass.TRANSIENT, "reset")
    result = run(sim, ALL)
    assert (result.rewritten, [f.name for f in result.failed]) == (4, ["secret-0"])


@pytest.mark.parametrize("kind", [FailureClass.FORBIDDEN, FailureClass.UNDECRYPTABLE])
def test_many_failures_of_one_class_in_a_row_are_the_servers_and_stop_the_pass(kind: FailureClass) -> None:
    sim = turned_off(300)
    for key in list(sim.api.secrets):
        sim.api.always[key] = Failure(kind, "HTTP 4xx")
    result = run(sim, ALL)
    assert result.systemic is not None
    assert result.systemic.kind is kind
    assert 25 <= len(result.failed) < 130  # one namespace may be locked, two are not all of them


@pytest.mark.parametrize(
    "kind",
    [FailureClass.ADMISSION_DENIED, FailureClass.WEBHOOK_DOWN, FailureClass.INVALID, FailureClass.TOO_LARGE],
)
def test_many_failures_that_are_the_objects_own_do_not_stop_the_pass(kind: FailureClass) -> None:
    sim = turned_off(100)
    for number in range(60):
        sim.api.add("a-first", f"bad-{number}")
        sim.api.always["a-first", f"bad-{number}"] = Failure(kind, "its own")
    result = run(sim, ALL)
    assert (len(result.failed), result.rewritten, result.systemic) == (60, 100, None)


@pytest.mark.parametrize("bad", [(0,), (7,), (349,), (350,), (699,), (0, 1, 2), (3, 400, 698)])
@pytest.mark.parametrize("namespaces", [(), ("ns",)])
def test_a_secret_that_nobody_can_read_is_named_and_hides_no_other(
    bad: tuple[int, ...], namespaces: tuple[str, ...]
) -> None:
    sim = turned_off(0)
    names = [f"s-{number:03}" for number in range(700)]
    sim.api.add("ns", *names)
    for number in bad:
        sim.api.secrets["ns", names[number]].form = StoredAs.KMS_V2
    result = run(sim, Pass(namespaces, barrier=10**9))
    assert [(f.namespace, f.name, f.kind.value) for f in result.failed] == [
        ("ns", names[number], "undecryptable") for number in bad
    ]
    assert result.counts.total == 700


def test_a_list_that_cannot_be_read_at_all_is_a_failure_and_no_end_of_list() -> None:
    sim = turned_off(3)
    sim.api.page_answers.append(Failure(FailureClass.FORBIDDEN, "HTTP 403"))
    assert [(f.namespace, f.name, f.kind.value) for f in run(sim, ALL).failed] == [("*", "*", "forbidden")]


def test_a_limit_of_secrets_a_second_is_kept() -> None:
    sim = turned_off(50)
    began = sim.clock.monotonic()
    run(sim, Pass(barrier=10**9, per_second=10.0), parallel=1)
    assert sim.clock.monotonic() - began == pytest.approx(4.9)


def test_a_secret_that_no_key_decrypts_is_found_in_its_page_and_the_list_goes_on_behind_it() -> None:
    sim = turned_off(40)
    bad = sim.api.make_unreadable("ns-1", "secret-1"), sim.api.make_unreadable("ns-0", "secret-9")
    result = run(sim, ALL)
    assert [(f.namespace, f.name) for f in result.failed] == sorted(bad)
    assert {f.kind for f in result.failed} == {FailureClass.UNDECRYPTABLE}
    assert result.rewritten == 38


def test_a_page_that_fails_without_a_name_leaves_the_rest_unknown() -> None:
    sim = turned_off(3)
    sim.api.page_answers.extend([Failure(FailureClass.UNDECRYPTABLE, "no key")] * 9)
    result = run(sim, ALL)
    assert [(f.namespace, f.name) for f in result.failed] == [("*", "*")]
    assert result.rewritten == 0


def test_a_vault_that_is_away_for_half_a_minute_fails_no_secret() -> None:
    sim = turned_off(40)
    away = Failure(FailureClass.KEY_UNAVAILABLE, "Key Vault did not decrypt it", secret="ns-0/secret-0")
    sim.api.before_page = lambda: sim.api.page_answers.append(away) if sim.clock.monotonic() < 30 else None
    result = run(sim, ALL)
    assert result.failed == []
    assert result.rewritten == 40


def test_a_secret_whose_key_version_the_vault_refuses_is_named_and_the_list_goes_on_behind_it() -> None:
    sim = turned_off(12)
    refused = Failure(FailureClass.KEY_UNAVAILABLE, "Key Vault did not decrypt it", secret="ns-0/secret-3")
    sim.api.page_refusals["ns-0", "secret-3"] = refused
    result = run(sim, ALL)
    assert [(f.namespace, f.name, f.kind) for f in result.failed] == [("ns-0", "secret-3", refused.kind)]
    assert result.rewritten == 11


def test_a_vault_that_stays_away_ends_the_list_soon() -> None:
    sim = turned_off(40)
    for key in sim.api.secrets:
        sim.api.page_refusals[key] = Failure(FailureClass.KEY_UNAVAILABLE, secret="/".join(key))
    result = run(sim, ALL)
    named = [(f.namespace, f.name) for f in result.failed]
    assert named == [*sorted(sim.api.secrets)[:2], ("*", "*")]
    assert sim.clock.monotonic() < 400


def test_a_secret_changed_or_made_anew_after_the_list_is_not_taken_for_a_stale_one() -> None:
    sim = turned_off(6)
    run(sim, ALL)

    def others(page: Page) -> None:
        sim.api.change("ns-0", "secret-0")
        sim.api.delete("ns-1", "secret-1")
        sim.api.add("ns-1", "secret-1")
        sim.api.delete("ns-2", "secret-2")

    sim.api.after_page = others
    result = run(sim, Pass(purpose=Purpose.PROOF))
    assert (result.changed, result.gone, result.current, result.tripped) == (2, 1, 3, [])


def test_whatever_a_tick_raises_ends_the_workers_and_comes_out() -> None:
    sim = turned_off(600)

    def interrupt(moment: Moment) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(sim, ALL, tick=interrupt)
    assert run(sim, ALL).counts.total == 600


def test_a_worker_that_breaks_ends_the_pass_and_its_error_comes_out() -> None:
    sim = turned_off(50)
    process = sim.process(kill_at=20)
    with pytest.raises(Killed):
        Engine(process.world().secrets, sim.clock, 2).run(ALL, quiet)


def test_no_more_connections_are_opened_than_allowed() -> None:
    sim = turned_off(400)
    replicas_before = sim.api.next_replica()
    opened: list[int] = []
    secrets = sim.process().world().secrets
    connect = secrets.connect

    class Counted:
        """Counts the connections that are asked for."""

        page, create_canary = secrets.page, secrets.create_canary
        find_canary, delete_canary = secrets.find_canary, secrets.delete_canary

        def connect(self) -> object:
            opened.append(1)
            return connect()

    Engine(Counted(), sim.clock, 3).run(ALL, quiet)  # type: ignore[arg-type]
    assert 1 <= len(opened) <= 3
    assert replicas_before == 0


def test_progress_counts_up_to_what_is_expected() -> None:
    sim = turned_off(700)
    told: list[Moment] = []
    run(sim, ALL, tick=told.append)
    counted = [moment for moment in told if isinstance(moment, Counting)]
    assert counted == told
    assert {moment.of for moment in counted} == {700}
    assert [moment.done for moment in counted] == sorted(moment.done for moment in counted)


def test_a_list_that_is_put_off_is_waited_for_with_signs_of_life() -> None:
    sim = turned_off(10)
    sim.api.page_answers = deque([Failure(FailureClass.THROTTLED, "HTTP 429", retry_after=45.0)])
    told: list[float] = []
    run(sim, ALL, tick=lambda moment: told.append(sim.clock.monotonic()))
    waits = [b - a for a, b in itertools.pairwise(told)]
    assert sim.clock.monotonic() >= 45.0
    assert max(waits) <= 10.0
