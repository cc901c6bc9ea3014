"""A dry run writes nothing, and names the Secrets that the rewrite fails on afterwards: those and no other."""

from __future__ import annotations

import copy
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate.checks.writable import WRITABLE, Writable
from azext_kmsmigrate.errors import ClusterError
from azext_kmsmigrate.migration.events import Counting, Moment, Phase
from azext_kmsmigrate.migration.secret import Failure, FailureClass, StoredAs
from azext_kmsmigrate.ports import Question
from azext_kmsmigrate.rewrite.dry_run import DryRun
from azext_kmsmigrate.rewrite.engine import Engine
from azext_kmsmigrate.rewrite.passes import Pass
from azext_kmsmigrate.rewrite.rewriting import Limits, Rewriting
from tests.sim.apiservers import Encryption
from tests.sim.cluster import SimCluster
from tests.sim.commotion import Commotion

LIMITS = Limits(grace=2.0, patience=300.0, parallel=4)
LASTING = (
    FailureClass.ADMISSION_DENIED,
    FailureClass.WEBHOOK_DOWN,
    FailureClass.FORBIDDEN,
    FailureClass.INVALID,
    FailureClass.UNEXPECTED,
)
PASSING = (FailureClass.THROTTLED, FailureClass.TIMED_OUT, FailureClass.TRANSIENT)
LOST, NOT_ASKED = "lost", "not asked in a dry run"
FATES = st.sampled_from(["well", "well", "well", *LASTING, *PASSING, LOST, NOT_ASKED])


def try_all(sim: SimCluster) -> Writable:
    world = sim.process().world()
    secrets = world.secrets
    rewriting = Rewriting(secrets, world.clock, world.observer, world.cluster.observe, LIMITS, secrets.create_canary)
    return DryRun(rewriting, world.observer.tell).look(WRITABLE, Question(sim.azure.show()))


def named(seen: Writable) -> dict[str, FailureClass]:
    return {f"{one.namespace}/{one.name}": one.kind for one in seen.failed}


@given(st.lists(FATES, max_size=24), st.integers(1, 9))
def test_it_names_what_the_rewrite_fails_on_afterwards_and_writes_nothing(fates: list[object], per_page: int) -> None:
    sim = SimCluster(secrets=len(fates))
    sim.api.most_per_page = per_page
    unknown = set()
    for (namespace, name), fate in zip(list(sim.api.secrets), fates, strict=True):
        if fate == LOST:
            sim.api.make_unreadable(namespace, name)
        elif fate == NOT_ASKED:
            sim.api.deny_dry_runs(namespace, name, "old.example")
            unknown.add(f"{namespace}/{name}")
        elif fate in LASTING:
            sim.api.always[namespace, name] = Failure(FailureClass(fate), "named")
        elif fate in PASSING:
            sim.api.answers[namespace, name] = deque([Failure(FailureClass(fate), "HTTP")] * 2)
    before = copy.deepcopy(sim.api.secrets)

    seen = try_all(sim)

    assert sim.api.secrets == before
    assert sim.api.writes == 0
    assert (seen.tried, seen.stopped) == (len(fates), "")
    assert {name for name, kind in named(seen).items() if kind is FailureClass.DRY_RUN_UNSUPPORTED} == unknown

    sim.api.configure(0.0, [0.0], Encryption.of(StoredAs.PLAIN, StoredAs.KMS_V1))
    rewritten = Engine(sim.process().world().secrets, sim.clock, 4).run(Pass(barrier=10**9), lambda text: None)

    assert {f"{one.namespace}/{one.name}": one.kind for one in rewritten.failed} == {
        name: kind for name, kind in named(seen).items() if name not in unknown
    }


@pytest.mark.parametrize("seed", range(40))
def test_amid_others_at_work_it_writes_nothing_of_its_own_and_accuses_nobody_falsely(seed: int) -> None:
    sim = SimCluster(secrets=40)
    sim.api.most_per_page = 7
    others = Commotion(sim, seed, denials=3)
    sim.api.deny("ns-0", "secret-0", "policy.example")
    first = set(sim.api.secrets)
    seen = try_all(sim)
    named_keys = {(one.namespace, one.name) for one in seen.failed}
    assert sim.api.writes == sum(deed in ("_create", "_change") for deed in others.happened) + others.happened.count(
        "_make_anew"
    )
    assert named_keys <= others.denied | {("ns-0", "secret-0")}
    assert ("ns-0", "secret-0") in named_keys or ("ns-0", "secret-0") not in first & set(sim.api.secrets)
    assert len(others.happened) > 5


def test_under_kms_v1_with_more_secrets_than_keys_in_memory_it_goes_at_the_pace_of_the_rewrite() -> None:
    sim = SimCluster(secrets=1200)
    began = sim.clock.monotonic()
    seen = try_all(sim)
    assert (seen.tried, seen.failed) == (1200, ())
    assert sim.clock.monotonic() - began >= 1199 / 60.0
    assert any("60 a second at most" in line for line in sim.said)


def test_it_may_be_stopped_where_it_shows_how_far_it_is() -> None:
    sim = SimCluster(secrets=600)
    world = sim.process().world()
    secrets = world.secrets
    rewriting = Rewriting(secrets, world.clock, world.observer, world.cluster.observe, LIMITS, secrets.create_canary)

    def interrupt(moment: Moment) -> None:
        assert isinstance(moment, Counting)
        assert (moment.phase, moment.of, moment.rewritten) == (Phase.TRYING, 600, 0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DryRun(rewriting, interrupt).look(WRITABLE, Question(sim.azure.show()))


def test_when_nothing_at_all_may_be_written_it_does_not_ask_for_every_secret() -> None:
    sim = SimCluster(secrets=300)
    for key in sim.api.secrets:
        sim.api.always[key] = Failure(FailureClass.FORBIDDEN, "HTTP 4xx")
    seen = try_all(sim)
    assert FailureClass.FORBIDDEN.value in seen.stopped
    assert seen.tried < 150


def test_a_sign_in_that_stays_refused_is_no_word_about_any_secret() -> None:
    sim = SimCluster(secrets=300)
    for key in sim.api.secrets:
        sim.api.always[key] = Failure(FailureClass.UNAUTHORIZED, "HTTP 401")
    with pytest.raises(ClusterError, match="KMSM310"):
        try_all(sim)
