"""Packages of the npm registry that tests read: fetched once, at one version, into build/."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from tests.lab.client import ROOT


def fetched(package: str, version: str) -> Path:
    """The directory with the package in its ``node_modules``; where it cannot be had, the test is not run."""
    home = ROOT / "build" / f"{package}-{version}"
    if not (shutil.which("node") and shutil.which("npm")):
        not_here(f"{package} needs node and npm")
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (home / ".whole").exists():
            return home
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", str(home)]
        try:
            done = subprocess.run([*command, f"{package}@{version}"], capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            not_here(f"the npm registry gave no {package} within two minutes")
        if done.returncode:
            not_here(f"the npm registry gave no {package}: {done.stderr.strip().splitlines()[:1]}")
        (home / ".whole").touch()
    return home


def not_here(reason: str) -> NoReturn:
    """Skips the test with the reason; under ``CI=true`` nothing is skipped, and it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
