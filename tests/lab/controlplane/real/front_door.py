"""The front door: HAProxy in TCP mode, round robin over the replicas whose ``/readyz`` is exactly ``ok``."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from pathlib import Path

from tests.lab.controlplane.real.child_process import ChildProcess, Nursery
from tests.lab.controlplane.real.reserved_port import ReservedPort

_START_SECONDS = 30.0
_RUNTIME_SECONDS = 10.0
_BACKEND = "replicas"

_CONFIGURATION = """\
global
    stats socket {socket} mode 600 level admin
    nbthread 1
defaults
    mode tcp
    balance roundrobin
    retries 3
    option redispatch 1
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout check 10s
frontend door
    bind 127.0.0.1:{port}
    default_backend {backend}
backend {backend}
    option httpchk
    http-check send meth GET uri /readyz
    http-check expect rstring ^ok$
{servers}
"""
# Certificates are for the clients behind the door to check: it only passes bytes on.
_SERVER = "    server r{index} 127.0.0.1:{port} check check-ssl verify none inter 500 rise 1 fall 4 disabled"


class FrontDoor:
    """One listening port; replicas are let in and taken out of rotation over HAProxy's runtime socket."""

    def __init__(self, program: Path, directory: Path, sockets: Path, nursery: Nursery) -> None:
        self._program = program
        self._directory = directory
        self._nursery = nursery
        self._runtime = sockets / "door.sock"
        self._port = ReservedPort()
        self.process: ChildProcess | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port.number}"

    def start(self, replica_ports: Sequence[int]) -> None:
        """Open with every replica out of rotation."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        servers = "\n".join(_SERVER.format(index=index, port=port) for index, port in enumerate(replica_ports))
        file = self._directory / "haproxy.cfg"
        file.write_text(
            _CONFIGURATION.format(socket=self._runtime, port=self._port.number, backend=_BACKEND, servers=servers)
        )
        # -db: one process in the foreground, so that it ends with us.
        command: list[str | Path] = [self._program, "-db", "-f", file]
        self.process = self._nursery.start("haproxy", command, self._directory / "haproxy.log")
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self.process.exit_code() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"HAProxy did not start: {self.process.last_words()}")
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process:
            self.process.stop()
        self._port.close()

    def withdraw(self, index: int, patience: float) -> None:
        """Send nothing new to a replica, then wait up to ``patience`` seconds for its connections to end."""
        self._set(index, "state drain")
        deadline = time.monotonic() + patience
        while self._field(index, "scur") != "0" and time.monotonic() < deadline:
            time.sleep(0.02)
        self._set(index, "state maint")

    def admit(self, index: int) -> None:
        """Let a replica in as soon as its ``/readyz`` says ok; it goes out again when four checks fail."""
        # In one line: between the two it would count as up.
        self._set(index, "state ready", "health down")

    def serves(self, index: int) -> bool:
        """Whether new connections may reach it now."""
        return self._field(index, "status").startswith("UP")

    def _answers(self) -> bool:
        try:
            return "Name: HAProxy" in self._command("show info")
        except OSError:
            return False

    def _set(self, index: int, *changes: str) -> None:
        answer = self._command("; ".join(f"set server {_BACKEND}/r{index} {change}" for change in changes))
        if answer.strip():
            raise OSError(f"HAProxy refused {changes} for replica {index}: {answer.strip()}")

    def _field(self, index: int, name: str) -> str:
        header, *rows = self._command(f"show stat {_BACKEND} 4 -1").strip().splitlines()
        names = header.lstrip("# ").split(",")
        for row in rows:
            entry = dict(zip(names, row.split(","), strict=False))
            if entry["svname"] == f"r{index}":
                return entry[name]
        raise OSError(f"HAProxy knows no replica {index}")

    def _command(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_RUNTIME_SECONDS)
            connection.connect(str(self._runtime))
            connection.sendall(f"{command}\n".encode())
            parts = []
            while part := connection.recv(65_536):
                parts.append(part)
        return b"".join(parts).decode()
