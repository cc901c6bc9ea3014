"""A command of az as a process, and every request that it makes; one of them may be interrupted."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.az import Az, Typed

_HOOK = Path(__file__).with_name("hook")
KILLED = -9


class How(str, enum.Enum):
    """What happens at a call: the process is killed before it or after it, or its answer is lost."""

    BEFORE = "before"
    ANSWERED = "answered"
    DROPPED = "dropped"

    @property
    def kills(self) -> bool:
        return self is not How.DROPPED


@dataclass(frozen=True)
class Call:
    """One request of the process, in order. ``path`` is without its query."""

    number: int
    method: str
    path: str

    @property
    def changes(self) -> bool:
        """Whether it changes anything, an own canary included; what only asks for a decision is sent by POST too."""
        return self.method != "GET" and not self.path.endswith(("reviews", "/checkAccess"))

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Interruption:
    """The call's number, from 1, and what happens at it."""

    call: int
    how: How

    def __str__(self) -> str:
        return f"{self.how.value} {self.call}"


@dataclass(frozen=True)
class Run:
    """What the command left behind, what it had called by its end, and the calls that were interrupted."""

    typed: Typed
    calls: tuple[Call, ...]
    struck: tuple[Call, ...]


def run(az: Az, *words: str, interruptions: Sequence[Interruption] = ()) -> Run:
    """Type ``az aks kms-migrate WORDS``, interrupted or not."""
    log = az.lab.directory / "calls"
    log.unlink(missing_ok=True)
    hooked = Az(az.lab, Path(az.environment["AZURE_EXTENSION_DIR"]))
    hooked.environment |= {"PYTHONPATH": str(_HOOK), "AKS_CALLS": str(log)}
    hooked.environment["AKS_INTERRUPT"] = ",".join(f"{one.call}:{one.how.value}" for one in interruptions)
    typed = hooked.migrate(*words)
    lines = [line.split(" ", 3) for line in log.read_text().splitlines()] if log.exists() else []
    made = {int(words[0]): _call(words) for words in lines if len(words) > 2}
    return Run(typed, tuple(made.values()), tuple(made[int(words[0])] for words in lines if len(words) == 2))


def _call(words: list[str]) -> Call:
    number, method, _, path = words
    return Call(int(number), method, path.partition("?")[0])
