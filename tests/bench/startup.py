"""How long az takes to answer, with the extension and without it, and ``show`` beside az's own ``show``."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.az import AZ
from tests.bench.processes import CommandFailed
from tests.lab.client import LabClient

LOADING: dict[str, tuple[str, ...]] = {"az aks --help": ("aks", "--help"), "az aks list": ("aks", "list")}
"""Commands that have nothing to do with the extension, and load it all the same."""
OURS, THEIRS = "az aks kms-migrate show", "az aks show"


@dataclass
class Starts:
    """Seconds of each run: by command with and without the extension; ``shows`` by command, both with it."""

    alone: dict[str, list[float]] = field(default_factory=dict)
    beside: dict[str, list[float]] = field(default_factory=dict)
    shows: dict[str, list[float]] = field(default_factory=dict)


class Starting:
    """az on one lab, installed twice: with the extension, and without it."""

    def __init__(self, lab: LabClient, extensions: Path) -> None:
        self._lab, self._directory = lab, lab.directory
        signed_in = os.environ | lab.environment()
        self._with = signed_in | {"AZURE_EXTENSION_DIR": str(extensions)}
        # A configuration of its own: az keeps there which extension brings which commands.
        configuration, nothing = lab.directory / "azure-alone", lab.directory / "no-extensions"
        shutil.copytree(signed_in["AZURE_CONFIG_DIR"], configuration)
        nothing.mkdir()
        self._without = signed_in | {"AZURE_EXTENSION_DIR": str(nothing), "AZURE_CONFIG_DIR": str(configuration)}

    def measure(self, rounds: int) -> Starts:
        """Everything in turn, ``rounds`` times, after one time that does not count (compiled files, az's index)."""
        starts = Starts()
        self._once(Starts())
        for _ in range(rounds):
            self._once(starts)
        return starts

    def _once(self, starts: Starts) -> None:
        for name, typed in LOADING.items():
            starts.alone.setdefault(name, []).append(self._seconds(typed, self._without))
            starts.beside.setdefault(name, []).append(self._seconds(typed, self._with))
        for name in (THEIRS, OURS):
            words: tuple[str, ...] = (*name.split()[1:], "-g", "lab", "-n", self._lab.name)
            starts.shows.setdefault(name, []).append(self._seconds(words, self._with))

    def _seconds(self, words: tuple[str, ...], environment: Mapping[str, str]) -> float:
        began = time.perf_counter()
        done = subprocess.run(
            [str(AZ), *words],
            env=dict(environment),
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise CommandFailed(f"az {' '.join(words)} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
        return time.perf_counter() - began
