"""A migration that is killed, or loses an answer, at any request it makes ends right when it is typed again.

``EVERY_CALL=1`` interrupts each request in each way, an hour or more (``python -m tests.interruption`` can be stopped
and goes on); ``REAL_CALLS=40`` takes so many on real API servers. ``SEED=`` makes the same choice again.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.interruption.calls import How
from tests.interruption.sweep import Choice, Sweep, again_and_again, all_calls, sample
from tests.lab.model import LabOptions

EVERY = os.environ.get("EVERY_CALL") == "1"
REAL_CALLS = int(os.environ.get("REAL_CALLS", "3"))
SAMPLE = 12
SEED = int(os.environ.get("SEED") or random.randrange(10**6))
pytestmark = [pytest.mark.az, pytest.mark.slow]


def _survives(extensions: Path, options: LabOptions, choose: Choice, *, least: int, enough: int = 0) -> None:
    sweep = Sweep(extensions, options)
    wrong = sweep.interrupt(choose, enough)
    assert not wrong, f"SEED={SEED}\n" + "\n".join(line.wrong for line in wrong)
    assert len(sweep.struck) >= least, f"SEED={SEED}: {sweep.struck}"


def test_interrupted_at_any_call_it_ends_as_an_undisturbed_run(extensions: Path) -> None:
    options = LabOptions(f"calls-{os.getpid()}", secrets=4)
    choose = all_calls(How, SEED) if EVERY else sample(How, SEED, SAMPLE)
    _survives(extensions, options, choose, least=SAMPLE * 2 // 3)


@pytest.mark.real
def test_interrupted_again_and_again_on_real_api_servers_it_ends_as_an_undisturbed_run(extensions: Path) -> None:
    options = LabOptions(f"calls-real-{os.getpid()}", apiserver="real", secrets=24)
    # A trial is three kills, and the answers lost between them; fewer where the last ones are not reached.
    _survives(extensions, options, again_and_again(SEED, REAL_CALLS), least=REAL_CALLS, enough=REAL_CALLS)
