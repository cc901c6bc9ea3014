"""One trial: a migration that is interrupted at one of its calls, and the same command typed again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.az import Az, Typed
from tests.interruption.calls import KILLED, Call, How, Interruption, Run, run
from tests.interruption.end_state import EndState, end_state, lease_holder

QUICK = ("--yes", "--settle-seconds", "0")
AGAIN = 3  # times that the command may have to be typed again


@dataclass(frozen=True)
class Survival:
    """What came of a trial. ``struck``: the calls that were interrupted; a run may be over before one.

    ``waited``: the command was typed without ``--take-over`` while a dead process's Lease was still held.
    """

    struck: tuple[str, ...]
    codes: tuple[int, ...]
    waited: bool
    seconds: float


def undisturbed(az: Az) -> tuple[Run, EndState]:
    """A migration that nothing interrupts."""
    whole = run(az, "start", *QUICK)
    assert whole.typed.code == 0, whole.typed.stderr
    return whole, end_state(az.lab)


def survived(az: Az, commands: Sequence[Sequence[Interruption]], model: EndState, *, patient: bool = False) -> Survival:
    """Type the command, the first times with these interruptions, until it is done.

    ``patient``: the Lease of a killed process is outwaited, a minute long, rather than broken with ``--take-over``.
    Raises AssertionError when it ends in another state than ``model``, which an undisturbed run has left.
    """
    began, before = time.monotonic(), az.lab.fingerprints()
    typed: list[Typed] = []
    struck: list[str] = []
    waited, words = False, list(QUICK)
    while not typed or typed[-1].code != 0:
        assert len(typed) <= AGAIN, _told(struck, typed)
        interruptions = commands[len(typed)] if len(typed) < len(commands) else ()
        done = run(az, "start", *words, interruptions=interruptions)
        struck += [f"{_way(call, interruptions).value} {call.number} {call}" for call in done.struck]
        typed.append(done.typed)
        killed = any(_way(call, interruptions).kills for call in done.struck)
        assert killed == (done.typed.code == KILLED), _told(struck, typed)
        held = killed and lease_holder(az.lab) != ""
        waited = waited or (held and patient)
        words = [*QUICK, "--take-over"] if held and not patient else list(QUICK)
    told = _told(struck, typed)
    found = end_state(az.lab)
    assert found == model, (found.difference(model), told)
    # A run that finds nothing to do takes no Lease, and leaves that of the dead one to its end.
    assert typed[-1].document["state"] == "NothingToDo" or lease_holder(az.lab) == "", told
    assert az.lab.fingerprints() == before, told
    verified = az.migrate("verify", "--settle-seconds", "0")
    assert verified.code == 0, (verified.stderr, told)
    assert verified.document["verified"], told
    assert end_state(az.lab) == model, told
    return Survival(tuple(struck), tuple(one.code for one in typed), waited, time.monotonic() - began)


def _way(call: Call, interruptions: Sequence[Interruption]) -> How:
    return next(one.how for one in interruptions if one.call == call.number)


def _told(struck: list[str], typed: list[Typed]) -> str:
    return f"{struck}: {[(one.code, one.stderr[-500:]) for one in typed]}"
