"""Ctrl-C, SIGTERM, SIGHUP and --timeout, on az as a process: where it stops, how fast, and that it goes on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pexpect
import pytest

from tests.az import AZ, Az, Typed
from tests.lab.administrator import administrator
from tests.lab.client import LabClient
from tests.labs import UpLab

SECONDS = 5.0
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/aks-kms-migrate"


def _begin(az: Az, *words: str) -> subprocess.Popen[str]:
    return az.begin("start", "--yes", "--settle-seconds", "0", *words)


def _wait_until(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.05)


def _ended(process: subprocess.Popen[str]) -> tuple[Typed, float]:
    began = time.monotonic()
    stdout, stderr = process.communicate(timeout=60)
    assert "Traceback" not in stderr, stderr
    return Typed(process.returncode, stdout, stderr), time.monotonic() - began


def _operating(lab: LabClient, change: str) -> bool:
    return any(one["status"] == "InProgress" and one["change"] == change for one in lab.operations())


def _holder(lab: LabClient) -> str:
    with administrator(lab.endpoint()) as api:
        return str(api.get(LEASE)["spec"].get("holderIdentity") or "")


def _journal(lab: LabClient) -> dict[str, Any]:
    with administrator(lab.endpoint()) as api:
        found = api.get("/api/v1/namespaces/kube-system/configmaps/aks-kms-migrate")
    document: dict[str, Any] = json.loads(found["data"]["journal.json"])
    return document


def _goes_on(az: Az) -> None:
    az.lab.fault("release")
    done = az.migrate("start", "--yes", "--settle-seconds", "0")
    assert done.code == 0, done.stderr
    forms = az.lab.etcd()
    assert forms["kms-v2"] == sum(forms.values()), forms


@pytest.mark.az
@pytest.mark.parametrize(
    ("number", "cause", "operation"),
    [
        (signal.SIGINT, "Ctrl-C", "disable-kms"),
        (signal.SIGTERM, "SIGTERM", "disable-kms"),
        (signal.SIGINT, "Ctrl-C", "upgrade"),
        (signal.SIGTERM, "SIGTERM", "upgrade"),
        (signal.SIGHUP, "SIGHUP", "upgrade"),
        (signal.SIGINT, "Ctrl-C", "enable-kms"),
        (signal.SIGTERM, "SIGTERM", "enable-kms"),
    ],
)
def test_a_signal_in_an_operation_stops_safely_and_the_same_command_goes_on(
    up: UpLab, operation: str, number: int, cause: str
) -> None:
    az = up("embedded", secrets=5)
    az.lab.fault("operation", f"{operation} hang")
    process = _begin(az)
    _wait_until(lambda: _operating(az.lab, operation), process)
    process.send_signal(number)
    done, seconds = _ended(process)
    assert (done.code, done.document["state"]) == (20, "Stopped")
    assert seconds < SECONDS
    assert done.document["problem"]["code"] == "KMSM901"
    assert cause in done.document["problem"]["what"]
    assert operation in done.document["problem"]["what"]
    assert "az aks kms-migrate start" in done.document["nextCommand"]
    assert _holder(az.lab) == ""
    _goes_on(az)


@pytest.mark.az
def test_a_terminal_that_closes_stops_it_safely_though_nothing_can_be_said_any_more(up: UpLab) -> None:
    """The kernel sends SIGHUP, and every write to what was the terminal fails from then on."""
    az = up("embedded", secrets=5)
    az.lab.fault("operation", "upgrade hang")
    words = [str(AZ), "aks", "kms-migrate", "start", "--yes", "--settle-seconds", "0", "-g", "lab", "-n", az.lab.name]
    process = pexpect.spawn(words[0], words[1:], env=az.environment, cwd=str(az.lab.directory), timeout=60)
    until = time.monotonic() + 120
    while not _operating(az.lab, "upgrade"):
        assert time.monotonic() < until
        with contextlib.suppress(pexpect.TIMEOUT):
            process.read_nonblocking(65536, timeout=0.2)
    began = time.monotonic()
    os.close(process.child_fd)  # the terminal's other end
    _, status = os.waitpid(process.pid, 0)
    assert time.monotonic() - began < SECONDS
    assert os.WIFEXITED(status), "it was ended, and did not end"
    assert _holder(az.lab) == ""
    assert _journal(az.lab)["lastProblem"].startswith("stopped: the terminal or connection closed")
    _goes_on(az)


@pytest.mark.az
def test_under_nohup_it_goes_on_when_the_terminal_closes(up: UpLab) -> None:
    az = up("embedded", secrets=5)
    az.lab.fault("operation", "disable-kms hang")
    words = ["nohup", str(AZ), "aks", "kms-migrate", "start", "--yes", "--settle-seconds", "0"]
    process = subprocess.Popen(
        [*words, "-g", "lab", "-n", az.lab.name],
        env=az.environment,
        cwd=az.lab.directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _wait_until(lambda: _operating(az.lab, "disable-kms"), process)
    process.send_signal(signal.SIGHUP)
    time.sleep(1.0)
    assert process.poll() is None
    az.lab.fault("release")
    done, _ = _ended(process)
    assert done.code == 0, done.stderr
    assert '"state": "Completed"' in done.stdout


@pytest.mark.az
def test_a_time_that_is_over_stops_as_a_signal_does(up: UpLab) -> None:
    az = up("embedded", secrets=5)
    az.lab.fault("operation", "upgrade hang")
    done, _ = _ended(_begin(az, "--timeout", "0.1"))
    assert (done.code, done.document["state"]) == (20, "Stopped")
    assert "--timeout 0.1" in done.document["problem"]["what"]
    _goes_on(az)


@pytest.mark.az
def test_a_second_ctrl_c_ends_it_at_once(up: UpLab) -> None:
    az = up("embedded", secrets=5)
    az.lab.fault("operation", "upgrade hang")
    process = _begin(az)
    _wait_until(lambda: _operating(az.lab, "upgrade"), process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    done, seconds = _ended(process)
    assert done.code in (130, -signal.SIGINT, 20)  # 20 where it was gone already
    assert seconds < SECONDS


@pytest.mark.az
@pytest.mark.parametrize("gone", ["stop", "cut"])
def test_an_api_server_that_does_not_answer_keeps_nobody(up: UpLab, gone: str) -> None:
    """The API servers are away, or their network lets nothing through, just when the user wants to be gone."""
    az = up("embedded", secrets=5, extra={"proxy": "yes"})
    az.lab.fault("operation", "disable-kms hang")
    process = _begin(az)
    _wait_until(lambda: _operating(az.lab, "disable-kms"), process)
    if gone == "stop":
        for index in ("0", "1"):
            az.lab.fault("replica", f"stop {index}")
    else:
        az.lab.fault("connections", "cut")
    process.send_signal(signal.SIGTERM)
    done, seconds = _ended(process)
    assert (done.code, done.document["state"]) == (20, "Stopped")
    assert seconds < SECONDS


@pytest.mark.parametrize("minutes", ["0", "-1", "inf", "nan"])
def test_a_time_that_is_none_is_refused(up: UpLab, minutes: str) -> None:
    done = up("embedded").migrate("start", "--yes", f"--timeout={minutes}")
    assert done.code == 1
    assert "KMSM525" in done.stderr
