"""How long a run waits for who does not answer, and what it says of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from azext_kmsmigrate.migration.events import Event, Note, Waiting, Warned
from azext_kmsmigrate.patience import PATIENCE, Patience
from tests.sim.clock import FakeClock


def _patience() -> tuple[Patience, FakeClock, list[Event]]:
    clock, told = FakeClock(), list[Event]()
    return Patience(clock, told.append), clock, told


def test_an_outage_of_five_minutes_is_well_within_it() -> None:
    assert PATIENCE >= 2 * 300.0


def test_nobody_is_waited_for_before_a_run_has_begun_nor_after_it() -> None:
    patience, _, told = _patience()
    assert not patience.azure.missed("reading")
    with patience.of_a_run():
        assert patience.azure.missed("reading")
    assert not patience.azure.missed("reading")
    assert told == []


def test_it_is_told_once_after_some_seconds_and_again_at_the_end() -> None:
    patience, clock, told = _patience()
    with patience.of_a_run():
        for _ in range(60):
            assert patience.azure.missed("reading the cluster")
            patience.azure.pause()
        patience.azure.heard()
        patience.azure.heard()
    texts = [event.text for event in told if isinstance(event, (Warned, Note))]
    assert texts == [
        "Azure has not answered since 09:00:00Z (reading the cluster). Waiting for it, 15 min at most.",
        "Azure answers again, after 5 min.",
    ]
    assert sum(isinstance(event, Waiting) for event in told) > 200
    assert clock.monotonic() == pytest.approx(300.0)


def test_what_passes_at_once_is_no_news() -> None:
    patience, _, told = _patience()
    with patience.of_a_run():
        assert patience.api_servers.missed("reading")
        patience.api_servers.pause()
        patience.api_servers.heard()
    assert told == []


def test_the_patience_ends_and_begins_anew_with_an_answer() -> None:
    patience, clock, _ = _patience()
    with patience.of_a_run():
        assert patience.azure.missed("a")
        clock.sleep(PATIENCE)
        assert not patience.azure.missed("b")
        patience.azure.heard()
        assert patience.azure.missed("c")


def test_who_wants_to_be_gone_waits_for_nobody() -> None:
    patience, _, _ = _patience()
    called: list[str] = []
    patience.then.append(lambda: called.append("api"))
    with patience.of_a_run():
        patience.hurry()
        assert not patience.azure.missed("reading")
    with patience.of_a_run():
        assert not patience.azure.missed("reading")
    assert called == ["api"]


def test_a_command_whose_time_is_over_ends_in_the_midst_of_a_pause() -> None:
    clock = FakeClock()

    def due() -> None:
        if clock.monotonic() >= 2.0:
            raise KeyboardInterrupt

    pause: Callable[[], None] = Patience(clock, due=due).azure.pause
    with pytest.raises(KeyboardInterrupt):
        pause()
    assert clock.monotonic() < 3.0
