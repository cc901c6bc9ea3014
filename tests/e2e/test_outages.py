"""The API servers, or Azure, or both cannot be reached for a while in mid-run: the same command comes to the end.

``OUTAGE_SECONDS=300`` makes it the five minutes that are promised. The short outage of every day is longer than what
each request tries by itself: the SDK gives a question to Azure up after about 6 s, a pass gave a Secret up after 16 s
at most. What waits beyond that waits by one number for all, ``azext_kmsmigrate.patience.PATIENCE``; that five minutes
are within it is shown by ``tests/property/test_outages.py``, on a clock of its own and from any moment on.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.az import AZ, Az
from tests.e2e.judgement import assert_all_under_kms_v2, assert_unchanged
from tests.lab.client import LabClient
from tests.labs import UpLab

pytestmark = pytest.mark.az

OUTAGE = float(os.environ.get("OUTAGE_SECONDS", "25"))
SECRETS = 30
API, AZURE = "connections", "azure-connections"
STEPS = ["disable-kms", "decrypt-secrets", "upgrade", "enable-kms", "encrypt-secrets"]

Reached = Callable[["Typing"], bool]


class Typing:
    """A ``start`` under way, with what it has said so far."""

    def __init__(self, az: Az) -> None:
        self.az, self.lab = az, az.lab
        self._out, self._err = (az.lab.directory / name for name in ("start.out", "start.err"))
        words = ["start", "--yes", "--settle-seconds", "3", "-g", "lab", "-n", az.lab.name]
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                [str(AZ), "aks", "kms-migrate", *words],
                env=az.environment,
                cwd=az.lab.directory,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def said(self) -> str:
        return self._err.read_text()

    def wait_until(self, reached: Reached) -> None:
        until = time.monotonic() + 300
        while not reached(self):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < until, f"it did not come to pass: {self.said}"
            time.sleep(0.2)

    def completed(self) -> dict[str, Any]:
        assert self.process.wait(timeout=OUTAGE + 300) == 0, self.said
        assert "Traceback" not in self.said, self.said
        document: dict[str, Any] = json.loads(self._out.read_text())
        assert document["state"] == "Completed", document
        return document


@dataclass(frozen=True)
class Outage:
    """When it begins, of what (``reset``: whoever connects is refused; ``silent``: packets are lost)."""

    begins: Reached
    of: tuple[str, ...]
    how: str = "reset"
    armed: tuple[str, str] = ("", "")
    rtt: str = ""
    roll: str = "0"


def under_way(change: str) -> Reached:
    return lambda typing: _status(typing.lab, change) == "InProgress"


def done(change: str) -> Reached:
    return lambda typing: _status(typing.lab, change) == "Succeeded"


def said(text: str) -> Reached:
    return lambda typing: text in typing.said


def stored(form: str, more_than: int) -> Reached:
    return lambda typing: typing.lab.etcd()[form] > more_than


def hangs(change: str) -> tuple[str, str]:
    return "operation", f"{change} hang"


OUTAGES = {
    "API servers, roll that turns KMS off": Outage(under_way("disable-kms"), (API,), roll="5"),
    "API servers, settling": Outage(done("disable-kms"), (API,)),
    "API servers, rewriting": Outage(stored("plain", 3), (API,), rtt="slow:300"),
    "API servers, proof": Outage(said("Now the proof"), (API,), rtt="slow:300"),
    "API servers, roll of the upgrade": Outage(under_way("upgrade"), (API,), roll="5"),
    "API servers, roll that turns KMS on": Outage(under_way("enable-kms"), (API,), roll="5"),
    "Azure, turning KMS off": Outage(under_way("disable-kms"), (AZURE,), armed=hangs("disable-kms")),
    "Azure, upgrade": Outage(under_way("upgrade"), (AZURE,), armed=hangs("upgrade")),
    "Azure, turning KMS on": Outage(under_way("enable-kms"), (AZURE,), armed=hangs("enable-kms")),
    "Azure, proof": Outage(said("Now the proof"), (AZURE,), rtt="slow:100"),
    "both, upgrade": Outage(under_way("upgrade"), (API, AZURE), armed=hangs("upgrade")),
    "both, proof": Outage(said("Now the proof"), (API, AZURE), rtt="slow:300"),
    "both lose packets, turning KMS off": Outage(
        under_way("disable-kms"), (API, AZURE), "silent", hangs("disable-kms")
    ),
    "API servers lose packets, rewriting": Outage(stored("plain", 3), (API,), "silent", rtt="slow:300"),
}


def test_it_waits_and_comes_to_the_end(up: UpLab) -> None:
    labs = {name: up("embedded", secrets=SECRETS, extra={"proxy": "on"}) for name in OUTAGES}
    with ThreadPoolExecutor(len(labs)) as pool:
        trials = {name: pool.submit(_undergo, az, OUTAGES[name]) for name, az in labs.items()}
    wrong = {name: str(trial.exception()) for name, trial in trials.items() if trial.exception()}
    assert not wrong, "\n\n".join(f"{name}: {text}" for name, text in wrong.items())


@pytest.mark.real
@pytest.mark.parametrize("name", ["API servers, roll of the upgrade"])
def test_on_real_api_servers(up: UpLab, name: str) -> None:
    _undergo(up("real", secrets=SECRETS, extra={"proxy": "on"}), OUTAGES[name])


AT_WORK = threading.Semaphore(4)
"""Outages take their time side by side; what leads to them takes the machine."""


def _undergo(az: Az, outage: Outage) -> None:
    before = az.lab.fingerprints()
    if outage.armed[0]:
        az.lab.fault(*outage.armed)
    az.lab.fault("roll-seconds", outage.roll)
    if outage.rtt:
        az.lab.fault(API, outage.rtt)
    with AT_WORK:
        typing = Typing(az)
        try:
            typing.wait_until(outage.begins)
        except BaseException:
            typing.process.kill()
            raise
    try:
        for who in outage.of:
            az.lab.fault(who, outage.how)
        time.sleep(OUTAGE)
        assert typing.process.poll() is None, typing.said
        for who in outage.of:
            az.lab.fault(who, "ok")
        az.lab.fault("release")
        result = typing.completed()
    finally:
        typing.process.kill()
        typing.process.wait()
    assert [step["id"] for step in result["steps"]] == STEPS
    assert [step["status"] for step in result["steps"]] == ["Done"] * len(STEPS)
    assert len(az.lab.puts()) == 3, az.lab.puts()
    assert_all_under_kms_v2(az.lab, SECRETS)
    assert_unchanged(before, az.lab.fingerprints())
    # A silence, or a short outage, may be over before the request that met it was given up.
    if outage.how == "reset" and OUTAGE >= 60:
        names = {API: "The cluster's API server", AZURE: "Azure"}
        assert any(f"{names[who]} has not answered since" in typing.said for who in outage.of), typing.said
        assert "answers again, after" in typing.said, typing.said


def _status(lab: LabClient, change: str) -> str:
    return next((str(one["status"]) for one in lab.operations() if one["change"] == change), "")
