"""The unmodified az with the extension installed from its wheel, typed as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.client import LabClient

AZ = Path(sys.executable).with_name("az")
PATIENCE = 900  # seconds; only so that a hanging command fails


@dataclass(frozen=True)
class Typed:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """stdout, which has to be exactly one JSON document."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict)
        return document


class Az:
    """``az`` in the environment of one lab."""

    def __init__(self, lab: LabClient, extensions: Path, program: Path = AZ) -> None:
        self.lab, self.program = lab, program
        self.environment = os.environ | lab.environment() | {"AZURE_EXTENSION_DIR": str(extensions)}

    def migrate(self, *words: str) -> Typed:
        """``az aks kms-migrate WORDS -g lab -n NAME``; no traceback may reach the user."""
        done = self.type("aks", "kms-migrate", *words, "-g", "lab", "-n", self.lab.name)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def start(self, *words: str) -> Typed:
        return self.migrate("start", "--yes", "--settle-seconds", "3", *words)

    def type(self, *words: str) -> Typed:
        done = subprocess.run(
            [str(self.program), *words],
            env=self.environment,
            # az runs as "python -m", which looks into the working directory first: never the checkout's own package.
            cwd=self.lab.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        return Typed(done.returncode, done.stdout, done.stderr)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Type a migration command and let it run."""
        command = [str(self.program), "aks", "kms-migrate", *words, "-g", "lab", "-n", self.lab.name]
        return subprocess.Popen(
            command,
            env=self.environment,
            cwd=self.lab.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
