"""A migration that is killed, or loses an answer, at any request it makes ends right when it is typed again.

``EVERY_CALL=1`` interrupts each request in each way, some hours long (``python -m tests.interruption`` can be stopped
and goes on); ``REAL_CALLS=40`` takes so many on real API servers. ``SEED=`` makes the same choice again.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.interruption.calls import How
from tests.interruption.sweep import Sweep, all_calls, sample
from tests.lab.model import LabOptions
from tests.labs import BOTH

EVERY = os.environ.get("EVERY_CALL") == "1"
SAMPLES = {"embedded": 30, "real": int(os.environ.get("REAL_CALLS", "3"))}
SECRETS = {"embedded": 4, "real": 24}
SEED = int(os.environ.get("SEED") or random.randrange(10**6))


@pytest.mark.az
@pytest.mark.slow
@pytest.mark.parametrize("apiserver", BOTH)
def test_interrupted_at_any_call_it_ends_as_an_undisturbed_run(extensions: Path, apiserver: str) -> None:
    options = LabOptions(f"calls-{apiserver}-{os.getpid()}", apiserver=apiserver, secrets=SECRETS[apiserver])
    every = EVERY and apiserver == "embedded"
    choose = all_calls(How, SEED) if every else sample(How, SEED, SAMPLES[apiserver])
    sweep = Sweep(extensions, options)
    wrong = sweep.interrupt(choose)
    assert len([line for line in sweep.lines if line.request != "not reached"]) >= SAMPLES[apiserver] * 2 // 3
    assert not wrong, f"SEED={SEED}\n" + "\n".join(line.wrong for line in wrong)
