"""The small decisions of the rewriting: verdict, retries, pacing, inventory, settling, counters."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from azext_kmsmigrate.migration.secret import (
    Answer,
    Counters,
    Failure,
    FailureClass,
    Gone,
    Page,
    Patched,
    SecretRef,
    StoredAs,
)
from azext_kmsmigrate.rewrite.inventory import Unlisted, is_due, walk
from azext_kmsmigrate.rewrite.pacing import CEILING, START, Pacing
from azext_kmsmigrate.rewrite.settling import (
    SAMPLES,
    Settling,
    Sighting,
    collect,
    form_of_prefix,
    sighting,
    written_form,
)
from azext_kmsmigrate.rewrite.verdict import ATTEMPTS, MAX_ATTEMPTS, Verdict, pause_before_retry, verdict
from azext_kmsmigrate.rewrite.witness import Statement

LISTED = SecretRef("ns", "s", "uid", 10, signature=1)
RETRIABLE = [
    FailureClass.THROTTLED,
    FailureClass.TIMED_OUT,
    FailureClass.TRANSIENT,
    FailureClass.WEBHOOK_DOWN,
    FailureClass.KEY_UNAVAILABLE,
    FailureClass.UNAUTHORIZED,
]
FINAL = [kind for kind in FailureClass if kind not in RETRIABLE]

# verdict


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Patched("uid", 10, 1), Verdict.CURRENT),
        (Patched("uid", 11, 1), Verdict.REWRITTEN),
        (Patched("uid", 11, 2), Verdict.CHANGED),
        (Patched("another", 11, 1), Verdict.CHANGED),
        (Gone(), Verdict.GONE),
        (Failure(FailureClass.INVALID), Verdict.FAILED),
    ],
)
def test_what_an_answer_means(answer: Answer, expected: Verdict) -> None:
    assert verdict(LISTED, answer) is expected


@pytest.mark.parametrize(("kind", "attempts"), [(k, ATTEMPTS.get(k, MAX_ATTEMPTS)) for k in RETRIABLE])
def test_a_failure_that_may_pass_is_retried_up_to_a_limit(kind: FailureClass, attempts: int) -> None:
    pauses = [pause_before_retry(Failure(kind), n, random.Random(1)) for n in range(1, attempts + 1)]
    assert pauses[-1] is None
    assert all(p is not None and 0 < p <= 20.0 for p in pauses[:-1])
    assert [p for p in pauses[:-1] if p] == sorted(p for p in pauses[:-1] if p)


@pytest.mark.parametrize("answer", [Patched("u", 1, 1), Gone(), *map(Failure, FINAL)])
def test_a_final_answer_is_not_retried(answer: Answer) -> None:
    assert pause_before_retry(answer, 1, random.Random(1)) is None


def test_a_longer_retry_after_is_obeyed() -> None:
    def pause(seconds: float) -> float | None:
        return pause_before_retry(Failure(FailureClass.THROTTLED, retry_after=seconds), 1, random.Random(1))

    assert pause(17.0) == 17.0
    shortest = pause(0.001)
    assert shortest is not None
    assert shortest > 0.2


# pacing


def _answered(pacing: Pacing, seconds: float, count: int = 200) -> Pacing:
    for _ in range(count):
        pacing.answered(seconds, pushed_back=False)
    return pacing


def _at_work(pacing: Pacing, round_trip: float, each: float, count: int) -> Pacing:
    """Answers of a server that works on one request at a time, ``each`` seconds, ``round_trip`` away."""
    for _ in range(count):
        pacing.answered(max(round_trip + each, pacing.limit * each), pushed_back=False)
    return pacing


def test_pacing_doubles_while_nobody_waits_and_stops_at_its_ceiling() -> None:
    assert _answered(Pacing(), 0.01, 8).limit == 2 * START
    assert _answered(Pacing(), 0.01, 5000).limit == CEILING
    assert _answered(Pacing(ceiling=1), 0.01).limit == 1


@pytest.mark.parametrize("round_trip", [0.0, 0.005, 0.02, 0.04])
def test_pacing_keeps_a_server_busy_at_any_distance_with_a_few_requests_waiting(round_trip: float) -> None:
    pacing = _at_work(Pacing(), round_trip, 0.001, 20_000)
    needed = (round_trip + 0.001) / 0.001
    assert needed <= pacing.limit <= (needed + 7) * 4 / 3


def test_a_push_back_halves_it_and_never_below_one() -> None:
    pacing = Pacing(limit=9)
    limits = []
    for _ in range(5):
        pacing.answered(0.01, pushed_back=True)
        limits.append(pacing.limit)
    assert limits == [4, 2, 1, 1, 1]


def test_after_a_push_back_it_comes_up_again_however_far_the_server_is() -> None:
    pacing = _at_work(Pacing(), 0.02, 0.001, 20_000)
    before = pacing.limit
    for _ in range(10):
        pacing.answered(0.02, pushed_back=True)
    assert pacing.limit == 1
    assert _at_work(pacing, 0.02, 0.001, 20_000).limit >= before - 4


def test_a_server_in_trouble_halves_it() -> None:
    pacing = _answered(Pacing(limit=8), 0.01, 16)
    before = pacing.limit
    _answered(pacing, 1.0, 2 * before)
    assert pacing.limit == before // 2


def test_a_network_that_became_longer_is_learned() -> None:
    pacing = _at_work(Pacing(), 0.001, 0.001, 20_000)
    assert pacing.limit < 12
    assert _at_work(pacing, 0.03, 0.001, 20_000).limit >= 25


# inventory


def _page(*names: str, token: str = "") -> Page:
    return Page(tuple(SecretRef("ns", n, n, 1, 0) for n in names), 5, token)


def _walked(pages: dict[tuple[str, str], Page | Failure], *namespaces: str) -> list[str]:
    found = []
    for page in walk(lambda namespace, token, limit: pages[namespace, token], namespaces):
        found += [f"failed {page.failure}"] if isinstance(page, Unlisted) else [s.name for s in page.items]
    return found


def test_every_page_is_walked_to_the_end() -> None:
    assert _walked({("", ""): _page("a", token="t"), ("", "t"): _page("b")}) == ["a", "b"]


def test_every_namespace_asked_for_is_walked_also_after_one_that_fails() -> None:
    pages: dict[tuple[str, str], Page | Failure] = {
        ("x", ""): Failure(FailureClass.FORBIDDEN, "HTTP 403"),
        ("y", ""): _page("b"),
    }
    assert _walked(pages, "x", "y") == ["failed forbidden (HTTP 403)", "b"]


def test_an_expired_list_goes_on_from_the_token_in_the_error() -> None:
    pages: dict[tuple[str, str], Page | Failure] = {
        ("", ""): _page("a", token="old"),
        ("", "old"): Failure(FailureClass.EXPIRED, token="new"),
        ("", "new"): _page("b"),
    }
    assert _walked(pages) == ["a", "b"]


@pytest.mark.parametrize("token", ["", "old"])
def test_an_expired_list_that_gives_no_new_token_is_not_the_end_of_the_list(token: str) -> None:
    pages: dict[tuple[str, str], Page | Failure] = {
        ("", ""): _page("a", token="old"),
        ("", "old"): Failure(FailureClass.EXPIRED, token=token),
    }
    assert _walked(pages) == ["a", "failed expired"]


def test_what_was_written_at_or_below_the_barrier_is_due() -> None:
    assert [is_due(replace(LISTED, resource_version=rv), 10) for rv in (9, 10, 11)] == [True, True, False]


# settling


def _settled(*seen: Sighting, grace: float = 0.0, every: float = 1.0) -> Settling:
    state = Settling(grace)
    for number, what in enumerate(seen):
        state = state.after(what, number * every)
    return state


SAME, MOVED, SILENT, UNREADABLE = Sighting.SAME, Sighting.MOVED, Sighting.SILENT, Sighting.UNREADABLE


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (Patched("u", 5, 0), SAME),
        (Patched("u", 6, 0), MOVED),
        (Gone(), UNREADABLE),
        (Failure(FailureClass.UNDECRYPTABLE), UNREADABLE),
        (Failure(FailureClass.ADMISSION_DENIED), UNREADABLE),
        (Failure(FailureClass.TRANSIENT), SILENT),
        (Failure(FailureClass.THROTTLED), SILENT),
    ],
)
def test_what_a_sample_of_the_canary_shows(answer: Answer, seen: Sighting) -> None:
    assert sighting(5, answer) is seen


def test_it_is_still_after_enough_samples_in_a_row_and_not_before() -> None:
    assert not _settled(*[SAME] * (SAMPLES - 1)).still(1000.0)
    assert _settled(*[SAME] * SAMPLES).still(1000.0)


@pytest.mark.parametrize("disturbance", [MOVED, UNREADABLE, SILENT])
def test_anything_else_starts_the_count_again(disturbance: Sighting) -> None:
    assert not _settled(*[SAME] * SAMPLES, disturbance).still(1000.0)
    assert not _settled(*[SAME] * (SAMPLES - 1), disturbance, SAME).still(1000.0)
    assert _settled(disturbance, *[SAME] * SAMPLES).still(1000.0)


def test_the_grace_counts_from_the_last_disagreement() -> None:
    state = _settled(SAME, MOVED, *[SAME] * SAMPLES, grace=60.0)
    assert not state.still(2.0 + 59.0)
    assert state.still(2.0 + 60.0)


def test_a_silent_replica_does_not_start_the_grace_again_but_has_to_be_heard() -> None:
    state = _settled(SAME, SILENT, *[SAME] * SAMPLES, grace=10.0)
    assert state.still(10.0)


def test_moves_are_counted() -> None:
    state = _settled(MOVED, SAME, MOVED, UNREADABLE)
    assert (state.samples, state.moves, state.changed) == (4, 2, True)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (_settled(), "no API server has answered yet"),
        (_settled(UNREADABLE), "cannot read the new form yet"),
        (_settled(SILENT), "does not answer"),
        (replace(_settled(SAME), inherited=True), "no API server has changed over, in 1 looks"),
        (_settled(SAME), "no API server disagreed, in 1 looks"),
        (_settled(MOVED, SAME), "the canary changed 1 times in 2 looks, last 1 looks ago"),
    ],
)
def test_the_signs_in_words(state: Settling, words: str) -> None:
    assert words in state.describe()


# counters

V1, V2 = "k8s:enc:kms:v1:azurekmsprovider:", "k8s:enc:kms:v2:azurekmsproviderv2:"


@pytest.mark.parametrize(
    ("prefix", "form"),
    [
        ("", StoredAs.PLAIN),
        ("identity", StoredAs.PLAIN),
        (V1, StoredAs.KMS_V1),
        (V2, StoredAs.KMS_V2),
        ("k8s:enc:aescbc:v1:key1:", None),
        ("unknown", None),
    ],
)
def test_the_form_behind_a_prefix(prefix: str, form: StoredAs | None) -> None:
    assert form_of_prefix(prefix) is form


def _written(before: dict[str, float], after: dict[str, float], *, restarted: bool = False) -> StoredAs | None:
    return written_form(Counters(1.0, before, {}), Counters(2.0 if restarted else 1.0, after, {}))


def test_the_prefix_that_grew_is_the_form_written() -> None:
    assert _written({V1: 7}, {V1: 7, "": 1}) is StoredAs.PLAIN
    assert _written({V1: 7}, {V1: 9}) is StoredAs.KMS_V1
    assert _written({}, {V2: 1}) is StoredAs.KMS_V2


def test_no_growth_two_forms_a_restart_or_another_provider_tell_nothing() -> None:
    assert _written({V1: 7}, {V1: 7}) is None
    assert _written({}, {V1: 1, "": 1}) is None
    assert _written({}, {V2: 1}, restarted=True) is None
    assert _written({}, {"k8s:enc:aescbc:v1:key1:": 1}) is None


def test_readings_are_collected_replica_by_replica() -> None:
    def reading(start: float, prefix: str) -> tuple[Counters | None, Answer, Counters | None]:
        return Counters(start, {}, {}), Patched("u", 1, 0), Counters(start, {prefix: 1.0}, {})

    signs = collect([reading(1.0, V2), reading(2.0, ""), reading(1.0, V2)])
    assert signs.forms == {1.0: StoredAs.KMS_V2, 2.0: StoredAs.PLAIN}
    assert signs.replicas == 2
    assert signs.disagreeing(StoredAs.KMS_V2) == ("plain",)
    assert signs.disagreeing(StoredAs.KMS_V1) == ("kms-v2", "plain")


def test_a_reading_without_counters_or_without_a_write_tells_nothing() -> None:
    read = Counters(1.0, {}, {})
    grown = Counters(1.0, {V2: 1.0}, {})
    assert collect([(None, Patched("u", 1, 0), grown)]).replicas == 0
    assert collect([(read, Patched("u", 1, 0), None)]).replicas == 0
    assert collect([(read, Failure(FailureClass.TRANSIENT), grown)]).replicas == 0


# statement


def _heard(before: Counters, after: Counters | None) -> Statement:
    statement = Statement()
    statement.hear(before, after)
    return statement


def test_what_an_api_server_read_and_wrote_between_two_readings_is_told_by_form() -> None:
    told = _heard(Counters(1.0, {V2: 5.0}, {V2: 7.0}), Counters(1.0, {V2: 6.0, "": 2.0}, {V2: 17.0, "identity": 1.0}))
    assert told == Statement(reads={"kms-v2": 10, "plain": 1}, writes={"kms-v2": 1, "plain": 2}, witnesses=1)


@pytest.mark.parametrize("after", [None, Counters(2.0, {}, {})])
def test_an_api_server_that_began_anew_or_was_not_met_again_is_no_witness(after: Counters | None) -> None:
    assert _heard(Counters(1.0, {}, {}), after) == Statement(restarted=1)
