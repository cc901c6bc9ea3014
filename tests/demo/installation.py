"""Installs the built wheel as az would, once for each wheel, under build/."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tests.demo.transcript import say
from tests.lab.client import ROOT

BUILD = ROOT / "build"


def wheel() -> Path:
    """The extension that ``make wheel`` built."""
    found = sorted((BUILD / "wheel").glob("aks_kms_migrate-*.whl"))
    if len(found) != 1:
        raise SystemExit("error: there is no wheel under build/wheel: make wheel")
    return found[0]


def install(az: Path, room: str = "demo") -> Path:
    """``az extension add`` into a directory of our own; that directory, for AZURE_EXTENSION_DIR.

    ``room``: the folder under build/ that holds it, one for each az.
    """
    source = wheel()
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    extensions = BUILD / room / f"extensions-{digest}"
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "installation.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may ask at once
        return extensions if extensions.is_dir() else _install(az, source, extensions)


def _install(az: Path, source: Path, extensions: Path) -> Path:
    fresh = extensions.with_suffix(".new")
    shutil.rmtree(extensions.parent, ignore_errors=True)
    fresh.mkdir(parents=True)
    command = ["az", "extension", "add", "--yes", "--source", str(source.relative_to(ROOT))]
    say(command)
    environment = os.environ | {
        "AZURE_EXTENSION_DIR": str(fresh),
        "AZURE_CONFIG_DIR": str(extensions.parent / "azure"),
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
    }
    done = subprocess.run([str(az), *command[1:]], cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise SystemExit("error: az could not install the extension")
    # Under its final name only once it is whole.
    fresh.rename(extensions)
    return extensions
