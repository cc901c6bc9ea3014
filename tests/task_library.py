"""Microsoft's own parser of logging commands: ``taskcommand`` of azure-pipelines-task-lib, run by node.

Fetched from the npm registry once, into build/. Where that cannot be, tests are skipped with the reason; under
``CI=true`` they fail.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.client import ROOT

VERSION = "5.281.0"
_HOME = ROOT / "build" / f"task-library-{VERSION}"
_PARSER = """
const {commandFromString} = require('azure-pipelines-task-lib/taskcommand');
require('readline').createInterface({input: process.stdin}).on('line', given => {
    const read = JSON.parse(given).map(line => {
        const c = commandFromString(line);
        return {command: c.command, properties: c.properties, message: c.message};
    });
    console.log(JSON.stringify(read));
});
"""


@dataclass(frozen=True)
class Read:
    """A command as the library understood it."""

    command: str
    properties: dict[str, str]
    message: str


class TaskLibrary:
    """One node process; a line of JSON in, a line of JSON out."""

    def __init__(self, home: Path) -> None:
        self._node = subprocess.Popen(
            ["node", "-e", _PARSER], cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )

    def parsed(self, lines: list[str]) -> list[Read]:
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.write(json.dumps(lines) + "\n")
        self._node.stdin.flush()
        return [Read(**found) for found in json.loads(self._node.stdout.readline())]

    def close(self) -> None:
        assert self._node.stdin is not None
        self._node.stdin.close()
        self._node.wait(timeout=10)


@pytest.fixture(scope="module")
def task_library() -> Iterator[TaskLibrary]:
    if missing := _fetched():
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    library = TaskLibrary(_HOME)
    yield library
    library.close()


def _fetched() -> str:
    """Why the library is not there; empty when it is."""
    if not (shutil.which("node") and shutil.which("npm")):
        return "Microsoft's parser of logging commands needs node and npm"
    _HOME.mkdir(parents=True, exist_ok=True)
    with (_HOME / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (_HOME / ".whole").exists():
            return ""
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", str(_HOME)]
        try:
            done = subprocess.run(
                [*command, f"azure-pipelines-task-lib@{VERSION}"], capture_output=True, text=True, timeout=120
            )
        except subprocess.TimeoutExpired:
            return "the npm registry gave no azure-pipelines-task-lib within two minutes"
        if done.returncode:
            return f"the npm registry gave no azure-pipelines-task-lib: {done.stderr.strip().splitlines()[:1]}"
        (_HOME / ".whole").touch()
    return ""
