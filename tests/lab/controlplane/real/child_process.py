"""Programs that run for the lab and never outlive it, not even when it is killed."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# The kernel kills the program when its parent is gone; the setting survives execve, a shell trap would not.
_LEASH = ("setpriv", "--pdeathsig", "KILL", "--")
_TAIL_BYTES = 16_384


class ChildProcess:
    """One running program; what it prints goes to a log file."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path, log_begins: int) -> None:
        self.name = name
        self.log = log
        self._begins = log_begins
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def last_words(self, lines: int = 5) -> str:
        """The end of what this process, not one before it, wrote to its log."""
        with self.log.open("rb") as file:
            file.seek(max(self._begins, self.log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
        return "\n".join(text.rstrip().splitlines()[-lines:])

    def stop(self, grace: float = 10.0) -> None:
        """SIGTERM, then SIGKILL after ``grace`` seconds; returns when it is gone. Safe to call twice."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        """SIGKILL; returns when it is gone. Safe to call twice."""
        self._process.kill()
        self._process.wait()


class Nursery:
    """Starts programs; close it after the last of them has ended.

    PR_SET_PDEATHSIG fires when the *thread* that started the program ends, so all programs are started by one
    thread of the nursery's own, which lives as long as the nursery does.
    """

    def __init__(self) -> None:
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lab-nursery")

    def start(self, name: str, command: Sequence[str | Path], log: Path) -> ChildProcess:
        return self._starter.submit(_start, name, [str(word) for word in command], log).result()

    def close(self) -> None:
        self._starter.shutdown()


def _start(name: str, command: Sequence[str], log: Path) -> ChildProcess:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        begins = output.tell()
        process = subprocess.Popen(
            [*_LEASH, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C at the owner's terminal is the owner's to handle
        )
    return ChildProcess(name, process, log, begins)
