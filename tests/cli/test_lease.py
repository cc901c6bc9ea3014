"""Several commands typed at once, also from a machine whose clock is wrong: one runs, the others say who it is.

It takes a minute and a half, for a Lease is outwaited in real time. ``LEASE_ON_REAL=1``: on real API servers too.
"""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.az import Az
from tests.e2e.judgement import assert_all_under_kms_v2
from tests.labs import BOTH, UpLab

pytestmark = pytest.mark.az

SHIFTED = Path(__file__).with_name("clock")
MINUTES_OFF = 10
SECRETS = 5


def begin(az: Az, minutes_off: int = 0) -> subprocess.Popen[str]:
    machine = Az(az.lab, Path(az.environment["AZURE_EXTENSION_DIR"]))
    if minutes_off:
        machine.environment |= {"PYTHONPATH": str(SHIFTED), "SECONDS_OFF": str(60 * minutes_off)}
    return machine.begin("start", "--yes", "--settle-seconds", "0")


@pytest.mark.parametrize("apiserver", BOTH if os.environ.get("LEASE_ON_REAL") == "1" else ["embedded"])
def test_one_runs_the_others_say_who_and_the_next_takes_over_from_one_that_was_killed(
    up: UpLab, apiserver: str
) -> None:
    az = up(apiserver, secrets=SECRETS)
    az.lab.fault("operation", "disable-kms hang")
    others = {}
    both = [begin(az), begin(az)]
    until = time.monotonic() + 180
    while all(one.poll() is None for one in both):
        assert time.monotonic() < until, "both run"
        time.sleep(0.2)
    (ended,) = [one for one in both if one.poll() is not None]
    (holder,) = [one for one in both if one is not ended]
    others["at once"] = ended
    for minutes in (MINUTES_OFF, -MINUTES_OFF):
        others[f"{minutes} minutes off"] = begin(az, minutes)
    who = f"{getpass.getuser()} on {socket.gethostname()}, process {_az(holder)}"
    for name, process in others.items():
        stdout, stderr = process.communicate(timeout=180)
        assert (process.returncode, stdout) == (1, ""), (name, stderr)
        assert "KMSM306" in stderr, (name, stderr)
        assert f"{who}, since " in stderr, (name, stderr)
    assert holder.poll() is None
    assert [one["change"] for one in az.lab.operations()] == ["disable-kms"]

    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.communicate()
    az.lab.fault("release")
    began = time.monotonic()
    next_ones = {minutes: begin(az, minutes) for minutes in (MINUTES_OFF, -MINUTES_OFF)}
    codes = {}
    for minutes, process in next_ones.items():
        _, stderr = process.communicate(timeout=400)
        codes[minutes] = (process.returncode, stderr[-800:])
    assert time.monotonic() - began > 45.0, "nobody waited for the one that was killed"
    # Whoever comes second is refused, or finds that everything is done.
    assert sorted(code for code, _ in codes.values()) in ([0, 0], [0, 1]), codes
    assert_all_under_kms_v2(az.lab, SECRETS)
    assert [one["change"] for one in az.lab.operations()] == ["disable-kms", "upgrade", "enable-kms"]


def _az(process: subprocess.Popen[str]) -> int:
    """The Python process of an az: its script may be a shell's that replaces itself, or waits for it."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0]) if children else process.pid
