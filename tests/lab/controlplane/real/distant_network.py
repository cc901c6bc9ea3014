"""A distant network before the front door: toxiproxy, which delays every byte by half a round trip each way."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.lab.controlplane.real.child_process import ChildProcess, Nursery
from tests.lab.controlplane.real.reserved_port import ReservedPort

_START_SECONDS = 30.0


class DistantNetwork:
    """One toxiproxy process before ``server`` (a URL). Opening a connection is not delayed, TLS and requests are."""

    def __init__(self, program: Path, server: str, rtt_ms: float, log: Path) -> None:
        self._program, self._upstream, self._one_way, self._log = program, urlsplit(server).netloc, rtt_ms / 2, log
        self._nursery = Nursery()
        self._port = ReservedPort()
        self._process: ChildProcess | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port.number}"

    def start(self) -> None:
        """Returns when it listens; TimeoutError with its last words when it does not."""
        command: list[str | Path] = [
            self._program,
            f"-listen=127.0.0.1:{self._port.number}",
            f"-upstream={self._upstream}",
            f"-one-way-ms={self._one_way:.0f}",
        ]
        process = self._process = self._nursery.start("toxiproxy", command, self._log)
        deadline = time.monotonic() + _START_SECONDS
        while not self._listens():
            if process.exit_code() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"toxiproxy did not start: {process.last_words()}")
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process:
            self._process.stop()
        self._port.close()
        self._nursery.close()

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port.number), timeout=1.0).close()
        except OSError:
            return False
        return True
