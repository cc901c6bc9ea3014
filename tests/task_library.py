"""Microsoft's own parser of logging commands: ``taskcommand`` of azure-pipelines-task-lib, run by node.

Fetched from the npm registry (``tests.npm``).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.npm import fetched

VERSION = "5.281.0"
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
    library = TaskLibrary(fetched("azure-pipelines-task-lib", VERSION))
    yield library
    library.close()
