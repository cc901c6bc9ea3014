"""Talks to a lab's daemon: for tests, the benchmark and the command line."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.lab import seeding
from tests.lab.model import Endpoint, LabOptions
from tests.lab.premises import LabError, Premises, all_premises

ROOT = Path(__file__).resolve().parents[2]


class LabClient:
    """One lab that is up. As a context manager it takes the lab down at the end.

    Every method raises LabError with one clear line.
    """

    def __init__(self, name: str) -> None:
        """A lab that is up already."""
        self._premises = Premises.named(name)
        if not self._premises.occupied():
            raise LabError(f"there is no lab {name}: python -m tests.lab up {name}")

    @classmethod
    def up(cls, options: LabOptions, tethered: bool = False) -> LabClient:
        """Bring a lab up and wait until az and kubectl can be used.

        A ``tethered`` lab ends with this process, however it ends: for tests.
        """
        premises = Premises.named(options.name)
        premises.prepare(options)
        command = [sys.executable, "-m", "tests.lab.daemon", str(premises.directory)]
        with premises.log.open("w") as log:
            process = subprocess.Popen(
                command + (["--tethered"] if tethered else []),
                cwd=ROOT,
                stdin=subprocess.PIPE if tethered else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                text=True,
            )
        assert process.stdout is not None
        try:
            answer = process.stdout.readline()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        with contextlib.suppress(ValueError):
            problem = json.loads(answer).get("error")
            if problem is None:
                client = cls(options.name)
                # Kept, so that the pipe it holds lives as long as this process.
                client._process = process
                return client
            process.wait()
            raise LabError(f"{problem} (log: {premises.log})")
        raise LabError(f"the lab's process ended with {process.wait()} (log: {premises.log})")

    _process: subprocess.Popen[str] | None = None

    @property
    def name(self) -> str:
        return self._premises.name

    @property
    def directory(self) -> Path:
        return self._premises.directory

    def etcd(self) -> dict[str, int]:
        """Secrets by stored form, straight from etcd: ``{"kms-v1": n, "kms-v2": n, "plain": n}``."""
        return dict(self._ask("etcd"))

    def etcd_raw(self) -> dict[str, bytes]:
        """Each Secret's key in etcd and its raw value."""
        return {key: base64.b64decode(value) for key, value in self._ask("etcd-raw").items()}

    def etcd_revisions(self) -> dict[str, int]:
        """Each Secret's key in etcd and the revision at which it was last written."""
        return dict(self._ask("etcd-revisions"))

    def history(self) -> list[dict[str, Any]]:
        """Each configuration of the control plane: at, version, providers, etcd, unreadable."""
        return list(self._ask("history"))

    def requests(self) -> list[dict[str, Any]]:
        """What the local Azure was asked, oldest first: time, service, method, path, query, status, body."""
        return list(self._ask("requests"))

    def puts(self) -> list[dict[str, Any]]:
        """The PUTs that Resource Manager was sent, accepted or refused."""
        return [one for one in self.requests() if (one["service"], one["method"]) == ("arm", "PUT")]

    def mentions(self, *texts: str) -> bool:
        """Whether any request to the local Azure carried one of these texts."""
        return bool(self._ask("mentions", texts=texts))

    def operations(self) -> list[dict[str, Any]]:
        """Azure's operations so far: change, pool, status, error, and what the control plane said."""
        return list(self._ask("operations"))

    def cluster(self) -> dict[str, Any]:
        """The managed cluster as Azure shows it."""
        return dict(self._ask("cluster"))

    def resource(self, resource_id: str) -> dict[str, Any] | None:
        """Any other resource as Azure stores it; an id without a leading slash is within the lab's group."""
        found = self._ask("resource", id=resource_id)
        return None if found is None else dict(found)

    def key_id(self, key: str = "kms") -> str:
        """The id of the newest version of a key: ``kms`` or ``kms-new``, or in another vault ``lab-kv2/kms``."""
        return str(self._ask("key-id", key=key))

    def login_words(self) -> list[str]:
        """A sign-in with the operator's secret: what is typed after ``az``."""
        return list(self._ask("login"))

    def federated_token(self, seconds: int) -> str:
        """What the operator's pipeline gives a job to sign in with; it holds so many seconds."""
        return str(self._ask("federated-token", seconds=seconds))

    def fault(self, kind: str, arg: str = "") -> None:
        """Give the lab a fault: ``tests.lab.faults`` lists them."""
        self._ask("fault", kind=kind, arg=arg)

    def process_id(self) -> int:
        """The daemon's; etcd, the API servers and all else that runs for the lab are its children."""
        return int(self._ask("process-id"))

    def environment(self) -> dict[str, str]:
        """What to add to the environment of az and kubectl."""
        return dict(self._ask("environment"))

    def fresh_environment(self, directory: Path) -> dict[str, str]:
        """The same on a machine where nobody has signed in yet; its AZURE_CONFIG_DIR is made at ``directory``."""
        return dict(self._ask("fresh-environment", directory=str(directory)))

    def open_cloud_shell(self, directory: Path) -> dict[str, str]:
        """The same in Azure Cloud Shell. Only one lab of a machine can have it: its port is fixed."""
        return dict(self._ask("open-cloud-shell", directory=str(directory)))

    def cloud_shell_asked(self) -> dict[str, list[str]]:
        """The audiences that its broker gave tokens for, and the hosts that its proxy refused."""
        return dict(self._ask("cloud-shell-asked"))

    def endpoint(self, replica: int | None = None) -> Endpoint:
        """The API servers' front door, or one replica's own."""
        return Endpoint(**self._ask("endpoint", replica=replica))

    def fingerprints(self) -> dict[str, dict[str, str]]:
        """``<namespace>/<name>`` -> a digest of each field that a rewrite must leave alone."""
        return seeding.fingerprints(self.endpoint())

    def down(self) -> None:
        """End the lab and remove its directory; blocks until it is gone, and may be called twice."""
        if self._premises.occupied():
            # It may end by itself meanwhile, or before its answer is out.
            with contextlib.suppress(LabError):
                self._ask("down")
            self._premises.wait_until_left()
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process.wait()
        self._premises.remove()

    def __enter__(self) -> LabClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def _ask(self, word: str, **given: object) -> Any:
        request = json.dumps({"do": word, "with": given}).encode() + b"\n"
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(self._premises.socket))
                connection.sendall(request)
                with connection.makefile("rb") as answers:
                    line = answers.readline()
        except OSError as error:
            raise LabError(f"lab {self.name} does not answer: {error}") from error
        if not line:
            raise LabError(f"lab {self.name} ended before it answered (log: {self._premises.log})")
        answer = json.loads(line)
        if "error" in answer:
            raise LabError(answer["error"])
        return answer["ok"]


def down(name: str) -> None:
    """Take a lab down; what a dead one left behind is removed."""
    premises = Premises.named(name)
    if premises.occupied():
        LabClient(name).down()
    elif premises.directory.exists():
        premises.remove()
    else:
        raise LabError(f"there is no lab {name}")


def labs() -> list[dict[str, object]]:
    """All labs of this user: name, whether it is up, and what it was asked to be."""
    return [
        {
            "name": premises.name,
            "up": premises.occupied(),
            "apiserver": premises.options().apiserver,
            "directory": os.fspath(premises.directory),
        }
        for premises in all_premises()
    ]
