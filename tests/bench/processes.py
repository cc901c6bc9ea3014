"""Runs a command and says what it cost; reads from /proc what other processes cost meanwhile."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_LOOK_SECONDS = 0.02


class CommandFailed(Exception):
    """A command of the benchmark did not end as it should have: nothing measured with it counts."""


@dataclass(frozen=True)
class Cost:
    """One command that has ended. ``cpu`` in seconds, user and system; ``peak`` resident memory in bytes.

    ``said``: the lines of stderr, each with the monotonic time at which it came.
    """

    code: int
    began: float
    ended: float
    cpu: float
    peak: int
    stdout: str
    said: list[tuple[float, str]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def run(command: list[str], environment: Mapping[str, str], directory: Path) -> Cost:
    """Run a command to its end. CPU counts the children that it waited for; the peak is the largest process's.

    :param directory: where it runs. Not the checkout: az would take the extension's code from there (``python -m``)
    """
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        env=dict(environment),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said: list[tuple[float, str]] = []
    out: list[str] = []
    assert process.stdout is not None
    assert process.stderr is not None
    stdout, stderr = process.stdout, process.stderr
    listeners = [
        threading.Thread(target=lambda: said.extend((time.monotonic(), line.rstrip()) for line in stderr)),
        threading.Thread(target=lambda: out.append(stdout.read())),
    ]
    for listener in listeners:
        listener.start()
    peak = 0
    while True:
        # Not the kernel's account of the peak: it counts what this process had when it forked.
        peak = max(peak, _family_peak(process.pid))
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(_LOOK_SECONDS)
    ended = time.monotonic()
    process.returncode = os.waitstatus_to_exitcode(status)
    for listener in listeners:
        listener.join()
    return Cost(process.returncode, began, ended, usage.ru_utime + usage.ru_stime, peak, "".join(out), said)


@dataclass(frozen=True)
class Clocks:
    """CPU seconds so far: of the children of one process by program, of this process, and of the whole machine."""

    programs: Mapping[str, float]
    own: float
    busy: float
    idle: float

    @classmethod
    def of(cls, parent: int) -> Clocks:
        programs: dict[str, float] = {}
        for pid in children(parent):
            name, seconds = _program(pid)
            programs[name] = programs.get(name, 0.0) + seconds
        user, nice, system, idle, wait, *rest = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
        own = os.times()
        return cls(
            programs, own.user + own.system, (user + nice + system + sum(rest[:2])) / _TICK, (idle + wait) / _TICK
        )

    def since(self, before: Clocks) -> Clocks:
        """What was used between two readings; a process that ended in between counts nothing."""
        used = {name: max(0.0, s - before.programs.get(name, 0.0)) for name, s in self.programs.items()}
        return Clocks(used, self.own - before.own, self.busy - before.busy, self.idle - before.idle)


def children(parent: int) -> list[int]:
    return [
        int(word) for thread in Path(f"/proc/{parent}/task").glob("*") for word in _text(thread / "children").split()
    ]


def _program(pid: int) -> tuple[str, float]:
    text = _text(Path(f"/proc/{pid}/stat"))
    if not text:
        return "", 0.0
    name, _, rest = text.partition("(")[2].rpartition(")")
    user, system = rest.split()[11:13]
    return name, (int(user) + int(system)) / _TICK


def _family_peak(pid: int) -> int:
    return max([_peak(pid), *map(_peak, children(pid))])


def _peak(pid: int) -> int:
    text = _text(Path(f"/proc/{pid}/status"))
    kilobytes = next((line.split()[1] for line in text.splitlines() if line.startswith("VmHWM:")), "0")
    return int(kilobytes) * 1024


def _text(path: Path) -> str:
    """Empty when the process or thread has ended."""
    try:
        return path.read_text()
    except OSError:
        return ""
