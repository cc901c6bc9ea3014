"""Virtual environments besides the one of the checkout, made once and kept where the built API servers are.

Outside the checkout: ``$KMS_LAB_CACHE``, else ``$XDG_CACHE_HOME/aks-kms-migrate``, else ``~/.cache/aks-kms-migrate``.
Each is named after the Python and the packages that it was made from: a fresh clone makes none again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

_CREATED = (sys.version, sys.base_prefix)


@dataclass(frozen=True)
class Environment:
    """``packages``: as pip is given them."""

    name: str
    packages: tuple[str, ...]

    def made(self) -> Path:
        """Its folder; makes it when it is not there, which takes a minute. Raises CalledProcessError when pip fails."""
        digest = hashlib.sha256(repr((self.packages, _CREATED)).encode()).hexdigest()[:12]
        home = _cache() / "environments" / f"{self.name}-{digest}"
        home.parent.mkdir(parents=True, exist_ok=True)
        with home.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may ask at once
            ready = home / ".ready"
            if not ready.exists():
                sys.stderr.write(f"making the environment {home.name}: {' '.join(self.packages)}\n")
                # Not renamed when done: a virtual environment's programs know where they are.
                shutil.rmtree(home, ignore_errors=True)
                subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, stdout=sys.stderr)
                pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
                subprocess.run([*pip, *self.packages], check=True, stdout=sys.stderr)
                ready.touch()
        return home


def needed(environment: Environment) -> Path:
    """The environment for a test, which is skipped where no package index is reached; it fails under ``CI=true``."""
    try:
        return environment.made()
    except subprocess.CalledProcessError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"the environment {environment.name} cannot be made: {error}")


def _cache() -> Path:
    if chosen := os.environ.get("KMS_LAB_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "aks-kms-migrate"


OLDEST_AZ = Environment("az-2.85.0", ("azure-cli==2.85.0",))
AZDEV = Environment("azdev-0.2.13", ("azdev==0.2.13", "pylint==4.1.4", "flake8==7.5.0"))
"""Microsoft's developer tools. On their own, because they want older packages than az does."""
