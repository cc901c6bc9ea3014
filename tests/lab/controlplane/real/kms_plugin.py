"""KMS plugins: one process for each KMS provider of each replica, as AKS has beside each API server."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

from tests.lab.controlplane.real.child_process import ChildProcess, Nursery
from tests.lab.model import Provider, VaultAccess

_START_SECONDS = 30.0
# 108 is the kernel's limit for a Unix socket's path, its final zero byte included.
_LONGEST_SOCKET_PATH = 100


def status_version(kubernetes: str) -> str:
    """What KMS v2's Status must answer: ``v2beta1`` for 1.27 and 1.28, ``v2`` from 1.29 (measured)."""
    _, minor, *_ = kubernetes.split(".")
    return "v2beta1" if int(minor) < 29 else "v2"


class KmsPlugins:
    """Starts plugins that all use the same identity; each serves one key on one socket."""

    def __init__(self, program: Path, directory: Path, sockets: Path, vault: VaultAccess, nursery: Nursery):
        self._program = program
        self._directory = directory
        self._sockets = sockets
        self._nursery = nursery
        self._access_file = self._write_access(vault)
        self._started = 0

    def start(self, provider: Provider, kubernetes: str, name: str) -> tuple[ChildProcess, Path]:
        """A plugin that listens, and its socket. Whether the vault lets it in only its first call shows."""
        self._started += 1
        path = self._sockets / f"{self._started}.sock"
        if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
            raise ValueError(f"the path of the KMS socket is too long: {path}")
        command: list[str | Path] = [
            self._program,
            f"-access={self._access_file}",
            f"-key-id={provider.key_id}",
            f"-{provider.api_version}-socket={path}",
            f"-v2-status-version={status_version(kubernetes)}",
        ]
        process = self._nursery.start("kms-plugin", command, self._directory / f"{name}.log")
        deadline = time.monotonic() + _START_SECONDS
        while not _listens(path):
            if process.exit_code() is not None or time.monotonic() > deadline:
                process.stop()
                raise TimeoutError(f"the KMS plugin for {provider.name} did not start: {process.last_words()}")
            time.sleep(0.02)
        return process, path

    def _write_access(self, vault: VaultAccess) -> Path:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        ca_file = self._directory / "vault-ca.crt"
        ca_file.write_text(vault.ca_pem)
        path = self._directory / "access.json"
        path.touch(mode=0o600)
        content = {
            "tokenUrl": vault.token_url,
            "clientId": vault.client_id,
            "clientSecret": vault.client_secret,
            "caFile": str(ca_file),
        }
        path.write_text(json.dumps(content))
        return path


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
