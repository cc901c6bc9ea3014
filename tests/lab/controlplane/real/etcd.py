"""The store: one etcd, and its key-value service over the JSON gateway."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lab.controlplane.real.child_process import ChildProcess, Nursery
from tests.lab.controlplane.real.reserved_port import ReservedPort

_PAGE = 500
_REQUEST_SECONDS = 30.0
_START_SECONDS = 60.0


class Etcd:
    """An etcd process with its data below ``directory``; client port on 127.0.0.1 without TLS."""

    def __init__(self, program: Path, directory: Path, nursery: Nursery) -> None:
        self._program = program
        self._directory = directory
        self._nursery = nursery
        self._client_port = ReservedPort()
        self._peer_port = ReservedPort()
        self.process: ChildProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._client_port.number}"

    def start(self) -> None:
        """Returns when it answers; TimeoutError with its last words when it does not."""
        peer = f"http://127.0.0.1:{self._peer_port.number}"
        command: list[str | Path] = [
            self._program,
            "--name=lab",
            f"--data-dir={self._directory / 'data'}",
            f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=lab={peer}",
        ]
        self.process = self._nursery.start("etcd", command, self._directory / "etcd.log")
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self.process.exit_code() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"etcd did not start: {self.process.last_words()}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process:
            self.process.stop()
        self._client_port.close()
        self._peer_port.close()

    def values(self, prefix: str) -> dict[str, bytes]:
        """All raw values below a prefix, as they were at one revision."""
        return {key: value for key, value, _ in self._walk(prefix.encode())}

    def revisions(self, prefix: str) -> dict[str, int]:
        """The revision at which each key below a prefix was last written."""
        return {key: revision for key, _, revision in self._walk(prefix.encode())}

    def put(self, key: str, value: bytes) -> None:
        self._call("kv/put", {"key": _text(key.encode()), "value": _text(value)})

    def compact(self) -> None:
        """Drop all history before now; returns when it is physically gone."""
        revision = self._call("kv/range", {"key": _text(b"\0")})["header"]["revision"]
        try:
            self._call("kv/compaction", {"revision": revision, "physical": True})
        except OSError as error:
            if "required revision has been compacted" not in str(error):  # nothing was written since the last time
                raise

    def _walk(self, prefix: bytes) -> Iterator[tuple[str, bytes, int]]:
        request: dict[str, Any] = {
            "key": _text(prefix or b"\0"),
            "range_end": _text(_end_of(prefix)),
            "limit": _PAGE,
        }
        while True:
            page = self._call("kv/range", request)
            for entry in page.get("kvs", ()):
                key, value = base64.b64decode(entry["key"]).decode(), base64.b64decode(entry.get("value", ""))
                yield key, value, int(entry["mod_revision"])
            if not page.get("more"):
                return
            request["revision"] = request.get("revision", page["header"]["revision"])
            request["key"] = _text(base64.b64decode(page["kvs"][-1]["key"]) + b"\0")

    def _answers(self) -> bool:
        try:
            return bool(self._call("kv/range", {"key": _text(b"\0")}))
        except (OSError, http.client.HTTPException):
            return False

    def _call(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._client_port.number, timeout=_REQUEST_SECONDS)
        try:
            connection.request("POST", f"/v3/{method}", json.dumps(body))
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise OSError(f"etcd answered {response.status} to {method}: {answer.get('message', answer)}")
        return dict(answer)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _end_of(prefix: bytes) -> bytes:
    """The first key after all that begin with ``prefix``; a zero byte means: to the end."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b"\0"
