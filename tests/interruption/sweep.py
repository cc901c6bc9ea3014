"""Many trials, each on a lab of its own: which calls, in what order, and a line about each."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.az import Az
from tests.interruption.calls import How, Interruption
from tests.interruption.trial import survived, undisturbed
from tests.lab.client import LabClient
from tests.lab.model import LabOptions

PATIENT = 16  # one call in so many: the Lease of the killed process is outwaited


@dataclass(frozen=True)
class Line:
    """One trial as the file of results has it; ``wrong`` is empty when it ended as an undisturbed run."""

    how: str
    call: int
    request: str = ""
    codes: tuple[int, ...] = ()
    waited: bool = False
    seconds: float = 0.0
    wrong: str = ""


@dataclass
class Sweep:
    """Trials on labs of these options. ``extensions``: where az has the extension; ``say`` is given each line."""

    extensions: Path
    options: LabOptions
    say: Callable[[Line], None] = lambda line: None
    lines: list[Line] = field(default_factory=list)

    def interrupt(self, choose: Callable[[int], Iterable[Interruption]]) -> list[Line]:
        """Make the trials that are chosen among the calls of an undisturbed run, 1 to so many.

        :returns: those that went wrong
        """
        with self._lab() as az:
            whole, model = undisturbed(az)
        for interruption in choose(len(whole.calls)):
            line = Line(interruption.how.value, interruption.call)
            with self._lab() as az:
                try:
                    done = survived(az, interruption, model, patient=interruption.call % PATIENT == 0)
                    request = f"{done.struck.method} {done.struck.path}" if done.struck else "not reached"
                    line = Line(line.how, line.call, request, done.codes, done.waited, round(done.seconds, 1))
                except AssertionError as error:
                    line = Line(line.how, line.call, wrong=str(error))
            self.lines.append(line)
            self.say(line)
        return [line for line in self.lines if line.wrong]

    @contextmanager
    def _lab(self) -> Iterator[Az]:
        with LabClient.up(self.options, tethered=True) as lab:
            yield Az(lab, self.extensions)


def all_calls(hows: Iterable[How], seed: int) -> Callable[[int], list[Interruption]]:
    """Every call in every way, in an order of chance: what goes wrong anywhere shows early."""

    def choose(calls: int) -> list[Interruption]:
        chosen = [Interruption(call, how) for how in hows for call in range(1, calls + 1)]
        random.Random(seed).shuffle(chosen)
        return chosen

    return choose


def sample(hows: Iterable[How], seed: int, count: int) -> Callable[[int], list[Interruption]]:
    """So many calls, one of each part of the run, in ways that take turns."""
    ways = list(hows)

    def choose(calls: int) -> list[Interruption]:
        chance = random.Random(seed)
        parts = [(1 + calls * part // count, max(1, calls * (part + 1) // count)) for part in range(count)]
        turn = chance.randrange(len(ways))
        return [
            Interruption(chance.randint(min(first, last), last), ways[(number + turn) % len(ways)])
            for number, (first, last) in enumerate(parts)
        ]

    return choose


def read(file: Path) -> list[Line]:
    """The lines of a file that ``written`` made; none when there is no file yet."""
    return [_line(json.loads(text)) for text in file.read_text().splitlines()] if file.exists() else []


def written(line: Line, file: Path) -> None:
    with file.open("a") as results:
        results.write(json.dumps(line.__dict__) + "\n")


def _line(document: dict[str, Any]) -> Line:
    return Line(**document | {"codes": tuple(document["codes"])})
