"""The process behind one lab: starts it, answers on a Unix socket, ends with it.

One JSON document a line: ``{"do": WORD, "with": {...}}`` is answered by ``{"ok": value}`` or
``{"error": "one line"}``; the words are in ``Daemon``. Started by ``LabClient.up``, which hands over the
lab's directory and reads from standard output one such answer: the lab is ready, or why it is not.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import signal
import socketserver
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.lab import faults
from tests.lab.laboratory import Laboratory
from tests.lab.model import SECRETS_PREFIX
from tests.lab.premises import Premises


class Daemon:
    """Serves one laboratory until it is told ``down``, gets SIGTERM, or loses its owner."""

    def __init__(self, premises: Premises) -> None:
        self._premises = premises
        self._lab = Laboratory(premises.directory, premises.options())
        self._over = threading.Event()
        self._words: dict[str, Callable[[dict[str, Any]], object]] = {
            "etcd": lambda _: self._lab.etcd(),
            "etcd-raw": lambda _: self._etcd_raw(),
            "etcd-revisions": lambda _: dict(self._lab.host.revisions(SECRETS_PREFIX)),
            "history": lambda _: self._lab.history(),
            "requests": lambda _: self._lab.azure.requests(),
            "operations": lambda _: self._lab.azure.operations(),
            "cluster": lambda _: self._lab.azure.cluster(),
            "resource": lambda given: self._lab.azure.resource(given["id"]),
            "key-id": lambda given: self._lab.azure.key_id(given["key"]),
            "federated-token": lambda given: self._lab.azure.federated_token(given["seconds"]),
            "login": lambda _: self._lab.azure.login_command(),
            "mentions": lambda given: self._lab.azure.mentions(*(one.encode() for one in given["texts"])),
            "fault": lambda given: faults.inflict(self._lab, given["kind"], given["arg"]),
            "process-id": lambda _: os.getpid(),
            "fresh-environment": lambda given: self._lab.azure.fresh_environment(Path(given["directory"])),
            "open-cloud-shell": lambda given: self._lab.azure.open_cloud_shell(Path(given["directory"])),
            "cloud-shell-asked": lambda _: self._lab.azure.cloud_shell_asked(),
            "environment": lambda _: self._lab.environment(),
            "endpoint": self._endpoint,
            "down": lambda _: self._over.set(),
        }

    def run(self, ready: Callable[[], None]) -> None:
        """Start the lab, say so, and serve to the end; nothing is left running or lying about."""
        signal.signal(signal.SIGTERM, lambda *_: self._over.set())
        self._lab.start()
        try:
            with _Server(str(self._premises.socket), self.answer) as server:
                threading.Thread(target=server.serve_forever, name="control", daemon=True).start()
                ready()
                self._over.wait()
                server.shutdown()
        finally:
            self._lab.stop()
            self._premises.remove()

    def end(self) -> None:
        self._over.set()

    def answer(self, line: bytes) -> dict[str, object]:
        """One request, one answer; a failure is said in one line and in full in the log."""
        try:
            request = json.loads(line)
            return {"ok": self._words[request["do"]](request.get("with", {}))}
        except faults.BadFault as error:
            return {"error": str(error)}
        except Exception as error:
            traceback.print_exc()
            return {"error": _one_line(error)}

    def _etcd_raw(self) -> dict[str, str]:
        raw = self._lab.host.raw(SECRETS_PREFIX)
        return {key: base64.b64encode(value).decode() for key, value in raw.items()}

    def _endpoint(self, given: dict[str, Any]) -> dict[str, str]:
        replica = given.get("replica")
        return asdict(self._lab.plane.endpoint() if replica is None else self._lab.host.replica_endpoint(replica))


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, answer: Callable[[bytes], dict[str, object]]) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                for line in self.rfile:
                    self.wfile.write(json.dumps(answer(line)).encode() + b"\n")

        super().__init__(path, Handler)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__


def _end_with_owner(daemon: Daemon) -> None:
    """Standard input is a pipe that the owner holds open; its end is the owner's end."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        daemon.end()

    threading.Thread(target=watch, name="owner", daemon=True).start()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.daemon")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--tethered", action="store_true", help="end when standard input ends")
    given = parser.parse_args()

    def say(answer: dict[str, object]) -> None:
        # Whoever waits for the lab reads one line and no more.
        print(json.dumps(answer), flush=True)  # noqa: T201 - standard output is the answer
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)

    try:
        premises = Premises(given.directory)
        premises.occupy()
        daemon = Daemon(premises)
        if given.tethered:
            _end_with_owner(daemon)
        daemon.run(lambda: say({"ok": True}))
    except Exception as error:
        traceback.print_exc()
        say({"error": _one_line(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
