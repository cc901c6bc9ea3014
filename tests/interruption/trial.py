"""One trial: a migration that is interrupted at one of its calls, and the same command typed again."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tests.az import Az, Typed
from tests.interruption.calls import KILLED, Call, Interruption, Run, run
from tests.interruption.end_state import EndState, end_state, lease_holder

QUICK = ("--yes", "--settle-seconds", "0")
AGAIN = 3  # times that the command may have to be typed again


@dataclass(frozen=True)
class Survival:
    """What came of a trial. ``struck`` is None when the run was over before the call that was to be interrupted.

    ``waited``: the command was typed without ``--take-over`` while the dead process's Lease was still held.
    """

    interruption: Interruption
    struck: Call | None
    codes: tuple[int, ...]
    waited: bool
    seconds: float


def undisturbed(az: Az) -> tuple[Run, EndState]:
    """A migration that nothing interrupts."""
    whole = run(az, "start", *QUICK)
    assert whole.typed.code == 0, whole.typed.stderr
    return whole, end_state(az.lab)


def survived(az: Az, interruption: Interruption, model: EndState, *, patient: bool = False) -> Survival:
    """Interrupt a migration and type the command again until it is done.

    ``patient``: the Lease of a killed process is outwaited, a minute long, rather than broken with ``--take-over``.
    Raises AssertionError when it ends in another state than ``model``, which an undisturbed run has left.
    """
    began, before = time.monotonic(), az.lab.fingerprints()
    first = run(az, "start", *QUICK, interruption=interruption)
    if first.struck and interruption.how.kills:
        assert first.typed.code == KILLED, (str(interruption), first.typed)
    typed, waited = [first.typed], False
    while typed[-1].code != 0:
        assert len(typed) <= AGAIN, _told(interruption, typed)
        held = typed[-1].code == KILLED and lease_holder(az.lab) != ""
        waited = waited or (held and patient)
        typed.append(az.migrate("start", *QUICK, *(["--take-over"] if held and not patient else [])))
    told = _told(interruption, typed)
    found = end_state(az.lab)
    assert found == model, (found.difference(model), told)
    # A run that finds nothing to do takes no Lease, and leaves that of the dead one to its end.
    assert typed[-1].document["state"] == "NothingToDo" or lease_holder(az.lab) == "", told
    assert az.lab.fingerprints() == before, told
    verified = az.migrate("verify", "--settle-seconds", "0")
    assert verified.code == 0, (verified.stderr, told)
    assert verified.document["verified"], told
    assert end_state(az.lab) == model, told
    codes = tuple(one.code for one in typed)
    return Survival(interruption, first.struck, codes, waited, time.monotonic() - began)


def _told(interruption: Interruption, typed: list[Typed]) -> str:
    return f"{interruption}: {[(one.code, one.stderr[-500:]) for one in typed]}"
