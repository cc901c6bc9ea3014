"""Whatever goes wrong, and however often: no Secret becomes unreadable, and the same command comes to the end.

Azure fails with and without effect, connections to it are lost, processes are killed, API servers change over late,
others write Secrets and turn KMS on and off between our steps. When the troubles are used up, ``start`` completes.

Left out: without the API servers' counters a cluster whose KMS somebody else turned off. Nothing shows there what the
API servers write, so it is never proven (design, "What counts as proof", 1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from azext_kmsmigrate.errors import KmsMigrateError
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.secret import Page
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.results import RunState
from azext_kmsmigrate.runner import Runner
from tests.sim.azure import Trouble, disabled
from tests.sim.cluster import FAST, SimCluster, agree, with_kms
from tests.sim.process import Killed

_OPERATIONS = ["disable-kms", "upgrade 1.27.1", "enable-kms", "reconcile", "upgrade-pool system 1.27.1"]
_STARTS = 12


def _provable(story: Troubles) -> Troubles:
    return story if story.metrics else replace(story, kms=True, meddling={})


@dataclass(frozen=True)
class Troubles:
    """One story. ``meddling``: what somebody does right before our n-th request that changes the cluster."""

    roll: tuple[float, ...]
    metrics: bool
    supported: bool
    kms: bool
    failing: dict[str, list[bool]]
    lost: list[str]
    kills: list[int]
    writers: list[str]
    meddling: dict[int, str]
    stops: list[StepId | None]


stories = st.builds(
    Troubles,
    roll=st.lists(st.sampled_from([0.0, 1.0, 20.0, 100.0]), min_size=1, max_size=3).map(tuple),
    metrics=st.booleans(),
    supported=st.booleans(),
    kms=st.booleans(),
    failing=st.dictionaries(st.sampled_from(_OPERATIONS), st.lists(st.booleans(), max_size=2), max_size=3),
    lost=st.lists(st.sampled_from(_OPERATIONS), max_size=2),
    kills=st.lists(st.integers(1, 500), max_size=3),
    writers=st.lists(st.sampled_from(["add", "change", "delete", "again"]), max_size=6),
    meddling=st.dictionaries(st.integers(1, 6), st.sampled_from(["touch", "on", "off", "on and off"]), max_size=2),
    stops=st.lists(st.sampled_from([None, *StepId]), max_size=2),
).map(_provable)


def _world(story: Troubles) -> SimCluster:
    sim = SimCluster(secrets=5, kms=story.kms, replicas=len(story.roll), roll=story.roll, supported=story.supported)
    sim.api.metrics = story.metrics
    sim.azure.trouble = {what: [Trouble(effect=e) for e in effects] for what, effects in story.failing.items()}
    sim.azure.lost = dict.fromkeys(story.lost, 1)
    _let_others_write(sim, list(story.writers))
    _let_somebody_meddle(sim, dict(story.meddling))
    return sim


def _let_others_write(sim: SimCluster, writes: list[str]) -> None:
    def write(page: Page) -> None:
        if not page.items or not writes:
            return
        what, secret = writes.pop(), page.items[len(writes) % len(page.items)]
        if what in ("delete", "again"):
            sim.api.delete(secret.namespace, secret.name)
        if what != "delete":
            sim.api.add(secret.namespace, f"new-{len(writes)}" if what == "add" else secret.name)

    sim.api.after_page = write


def _let_somebody_meddle(sim: SimCluster, plans: dict[int, str]) -> None:
    asked = [0]

    def meddle(what: str) -> None:
        asked[0] += 1
        plan = plans.pop(asked[0], None)
        if plan is None or sim.azure.show().busy:
            return
        roll, sim.roll = sim.roll, [0.0]
        if plan == "touch":
            sim.meddle(lambda facts: facts)
        if plan.startswith("on"):
            sim.meddle(with_kms())
            sim.api.add("ns-0", f"meanwhile-{asked[0]}")
        if plan.endswith("off"):
            sim.meddle(disabled)
        sim.roll = roll

    sim.azure.before_put = meddle


def _start(sim: SimCluster, kill_at: int, stop_after: StepId | None) -> RunState | None:
    """How one ``start`` ended; None when it was killed or refused."""
    try:
        return Runner(sim.process(kill_at).world(), FAST).run(Request(stop_after=stop_after), agree).state
    except (Killed, KmsMigrateError):
        return None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stories)
def test_no_secret_becomes_unreadable_and_the_same_command_comes_to_the_end(story: Troubles) -> None:
    sim = _world(story)
    kills, stops = list(story.kills), list(story.stops)
    for _ in range(_STARTS):
        state = _start(sim, kills.pop() if kills else 0, stops.pop() if stops else None)
        assert sim.unreadable_for_good == []
        sim.after(61.0)
        if state is not None and sim.completed:
            break
    assert sim.completed
    assert set(sim.forms) <= {"kms-v2"}
    assert sim.azure.show().kms.enabled
    assert sim.runner().verify().verified or not story.metrics
