"""One way to stop, for a key, a signal and a time that is over."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from azext_kmsmigrate.stopping import Stop
from tests.sim.clock import FakeClock

SIGNALS = [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGHUP")]


class _LeftError(Exception):
    """The process would have ended here."""


def _leave(code: int) -> None:
    raise _LeftError(code)


@pytest.fixture
def stop() -> Iterator[Stop]:
    before = {number: signal.getsignal(number) for number, _ in SIGNALS}
    made = Stop(FakeClock(), leave=_leave)
    with made.heard():
        yield made
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "cause"), SIGNALS)
def test_the_first_signal_stops_and_says_which_it_was(stop: Stop, number: int, cause: str) -> None:
    called: list[str] = []
    stop.then.append(lambda: called.append("hurry"))
    with pytest.raises(KeyboardInterrupt, match=cause):
        os.kill(os.getpid(), number)
    assert called == ["hurry"]


class _Ending:
    """Gets a signal while Python ends it: what is raised there is lost."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        sum(range(1000))


def test_a_signal_that_comes_while_an_object_ends_stops_at_the_next_wait(
    stop: Stop, capfd: pytest.CaptureFixture[str]
) -> None:
    ending: _Ending | None = _Ending()
    assert ending
    ending = None
    assert stop.cause == "SIGTERM"
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        stop.due()
    stop.due()  # once
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(("number", "cause"), SIGNALS[:2])
def test_the_second_signal_ends_the_process_at_once(stop: Stop, number: int, cause: str) -> None:
    closed: list[str] = []
    stop.at_once.append(lambda: closed.append("screen"))
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(_LeftError, match=str(128 + number)):
        os.kill(os.getpid(), number)
    assert closed == ["screen"]


def test_a_terminal_that_closes_may_say_so_more_than_once(stop: Stop) -> None:
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGHUP)  # raises nothing, ends nothing


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_was_ignored_from_the_start_stays_so(number: signal.Signals) -> None:
    """As under nohup, or in the background of a script."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with Stop(FakeClock(), leave=_leave).heard():
            os.kill(os.getpid(), number)
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_handlers_of_others_are_given_back() -> None:
    before = [signal.getsignal(number) for number, _ in SIGNALS]
    with Stop(FakeClock()).heard():
        assert [signal.getsignal(number) for number, _ in SIGNALS] != before
    assert [signal.getsignal(number) for number, _ in SIGNALS] == before


def test_a_time_that_is_over_stops_once() -> None:
    clock = FakeClock()
    stop = Stop(clock, 50.0)
    clock.sleep(2999.0)
    stop.due()
    clock.sleep(1.0)
    with pytest.raises(KeyboardInterrupt, match="--timeout 50"):
        stop.due()
    stop.due()  # what is done on the way out is not stopped again


def test_without_a_time_it_is_never_over() -> None:
    clock = FakeClock()
    stop = Stop(clock)
    clock.sleep(1e9)
    stop.due()
