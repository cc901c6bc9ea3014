"""What happens to the lab's programs when their owner ends."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.lab.controlplane.real.child_process import ChildProcess, Nursery
from tests.lab.model import VaultAccess
from tests.unit.lab.real.fake_vault import FakeVault

pytestmark = pytest.mark.real

_OWNER = """
import sys, time
from pathlib import Path
from tests.lab.controlplane.real.host import RealReplicaHost
from tests.lab.model import IDENTITY, VaultAccess, kms_v1
token_url, key_id, secret, ca_file, directory = sys.argv[1:]
vault = VaultAccess(token_url, "lab-identity", secret, Path(ca_file).read_text())
host = RealReplicaHost(Path(directory), 1, vault)
host.start()
host.run_replica(0, "1.26.15", [kms_v1(key_id), IDENTITY])
print(*host.process_ids(), flush=True)
time.sleep(600)
"""


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_kill_9_of_the_owner_leaves_no_process(machine: None, vault: FakeVault, tmp_path: Path) -> None:
    access: VaultAccess = vault.access
    ca_file = tmp_path / "ca.crt"
    ca_file.write_text(access.ca_pem)
    arguments = [access.token_url, vault.key_id, access.client_secret, str(ca_file), str(tmp_path / "host")]
    owner = subprocess.Popen([sys.executable, "-c", _OWNER, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        assert len(pids) == 4  # etcd, HAProxy, the API server and its plugin
        assert all(is_running(pid) for pid in pids)
    finally:
        owner.kill()
        owner.wait()
    deadline = time.monotonic() + 60
    while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if is_running(pid)] == []


def test_a_program_outlives_the_thread_that_asked_for_it(machine: None, tmp_path: Path) -> None:
    nursery, started = Nursery(), list[ChildProcess]()

    def ask() -> None:
        started.append(nursery.start("sleeper", ["sleep", "600"], tmp_path / "log"))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    time.sleep(0.2)
    assert started[0].exit_code() is None
    started[0].stop()
    nursery.close()
    assert started[0].exit_code() is not None


def test_last_words_are_those_of_this_process(machine: None, tmp_path: Path) -> None:
    nursery = Nursery()
    for word in ("first", "second"):
        child = nursery.start("speaker", ["sh", "-c", f"echo {word}"], tmp_path / "log")
        while child.exit_code() is None:
            time.sleep(0.01)
    assert child.last_words() == "second"
    nursery.close()
