"""Where labs live on this machine: a directory each, and a lock that tells a living lab from a dead one.

``$KMS_LAB_HOME``, or ``kms-lab-<uid>`` in the temporary directory, holds one directory a lab:
``control.sock`` (the daemon listens), ``lock`` (held while the daemon lives), ``options.json``, ``log``,
``kubeconfig``, and what the rooms of the lab keep.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.lab.model import LabOptions

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
# sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included.
_SOCKET_PATH_LIMIT = 103


class LabError(Exception):
    """What a lab could not do, in one line for the one who asked."""


def home() -> Path:
    """The directory of all labs, made on demand and for this user only."""
    chosen = os.environ.get("KMS_LAB_HOME")
    directory = Path(chosen) if chosen else Path(tempfile.gettempdir()) / f"kms-lab-{os.getuid()}"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_uid != os.getuid():
        raise LabError(f"{directory} belongs to another user: set KMS_LAB_HOME")
    return directory


class Premises:
    """One lab's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "control.sock"
        self.log = directory / "log"
        self._options = directory / "options.json"
        self._lock = directory / "lock"

    @classmethod
    def named(cls, name: str) -> Premises:
        if not _NAME.fullmatch(name):
            raise LabError(f"{name!r} cannot be a lab's name: small letters, digits and hyphens, at most 40")
        premises = cls(home() / name)
        if len(os.fsencode(premises.socket)) > _SOCKET_PATH_LIMIT:
            raise LabError(f"{premises.socket} is too long for a socket: set KMS_LAB_HOME to a shorter path")
        return premises

    @property
    def name(self) -> str:
        return self.directory.name

    def prepare(self, options: LabOptions) -> None:
        """An empty directory with the options in it. What a dead lab left is removed."""
        check(options)
        if self.occupied():
            raise LabError(f"lab {self.name} is up already: python -m tests.lab down {self.name}")
        self.remove()
        self.directory.mkdir(mode=0o700)
        self._options.write_text(json.dumps(asdict(options)))

    def options(self) -> LabOptions:
        document = json.loads(self._options.read_text())
        return LabOptions(**{**document, "offers": tuple(document["offers"])})

    def occupy(self) -> int:
        """Take the lock for the life of this process; the descriptor that holds it."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"lab {self.name} is up already") from None
        return descriptor

    def occupied(self) -> bool:
        try:
            descriptor = os.open(self._lock, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def wait_until_left(self) -> None:
        """Block until the daemon is gone."""
        try:
            descriptor = os.open(self._lock, os.O_RDWR)
        except FileNotFoundError:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)


def check(options: LabOptions) -> None:
    """Raises LabError for options that no lab can be built from."""
    offered = (part for offer in options.offers for part in offer.partition("?")[0].split(">"))
    for version in (options.kubernetes, *offered):
        if not _VERSION.fullmatch(version):
            raise LabError(f"{version!r} is not a full Kubernetes version, such as 1.26.15")
    if options.pools < 1:
        raise LabError("a cluster has at least one node pool")
    if options.replicas < 1:
        raise LabError("a control plane has at least one API server")
    if options.secrets < 0 or options.rtt_ms < 0 or options.roll_seconds < 0:
        raise LabError("numbers of Secrets, milliseconds and seconds cannot be negative")


def all_premises() -> list[Premises]:
    """Every lab's directory, dead labs' included."""
    return [Premises(path) for path in sorted(home().iterdir()) if (path / "options.json").is_file()]
