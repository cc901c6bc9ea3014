"""Many trials, each on a lab of its own: which calls, in what order, and a line about each."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.az import Az
from tests.interruption.calls import Call, How, Interruption
from tests.interruption.trial import survived, undisturbed
from tests.lab.client import LabClient
from tests.lab.model import LabOptions

PATIENT = 16  # one call in so many: the Lease of the killed process is outwaited
_LOST_AT_ONCE = 8  # answers

Trial = tuple[tuple[Interruption, ...], ...]
"""The interruptions of each command that is typed, in order; the last one is left alone."""
Choice = Callable[[Sequence[Call]], Iterable[Trial]]


@dataclass(frozen=True)
class Line:
    """One trial as the file of results has it; ``wrong`` is empty when it ended as an undisturbed run."""

    trial: str
    struck: tuple[str, ...] = ()
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

    def interrupt(self, choose: Choice, enough: int = 0) -> list[Line]:
        """Make the trials that are chosen among the calls of an undisturbed run.

        :param enough: no further trial after so many interruptions; 0: all that are chosen
        :returns: those that went wrong
        """
        with self._lab() as az:
            whole, model = undisturbed(az)
        for trial in choose(whole.calls):
            line = Line(named(trial))
            with self._lab() as az:
                try:
                    done = survived(az, trial, model, patient=trial[0][-1].call % PATIENT == 0)
                    line = Line(line.trial, done.struck, done.codes, done.waited, round(done.seconds, 1))
                except AssertionError as error:
                    line = Line(line.trial, wrong=str(error))
            self.lines.append(line)
            self.say(line)
            if 0 < enough <= len(self.struck):
                break
        return [line for line in self.lines if line.wrong]

    @property
    def struck(self) -> list[str]:
        """Every interruption that came."""
        return [one for line in self.lines for one in line.struck]

    @contextmanager
    def _lab(self) -> Iterator[Az]:
        with LabClient.up(self.options, tethered=True) as lab:
            yield Az(lab, self.extensions)


def named(trial: Trial) -> str:
    """``before 12``; ``dropped 7 answered 90, before 30``: a comma is the next command."""
    return ", ".join(" ".join(map(str, command)) for command in trial)


def all_calls(hows: Iterable[How], seed: int) -> Choice:
    """Every call in every way: a kill is a trial, and so are some lost answers that are far from each other.

    First the kills at calls that change something; within that, an order of chance.
    """

    def choose(calls: Sequence[Call]) -> list[Trial]:
        ways, chance = list(hows), random.Random(seed)
        kills = [(call.changes, Interruption(call.number, how)) for how in ways if how.kills for call in calls]
        chance.shuffle(kills)
        killed: list[Trial] = [((one,),) for _, one in sorted(kills, key=lambda pair: not pair[0])]
        if How.DROPPED not in ways:
            return killed
        apart = -(-len(calls) // _LOST_AT_ONCE)
        lost = [
            (tuple(Interruption(call.number, How.DROPPED) for call in calls[first::apart]),) for first in range(apart)
        ]
        return [*lost, *killed]

    return choose


def sample(hows: Iterable[How], seed: int, count: int) -> Choice:
    """So many calls, one of each part of the run and one a trial, in ways that take turns."""
    ways = list(hows)

    def choose(calls: Sequence[Call]) -> list[Trial]:
        chance, last = random.Random(seed), len(calls)
        parts = [(1 + last * part // count, max(1, last * (part + 1) // count)) for part in range(count)]
        turn = chance.randrange(len(ways))
        return [
            ((Interruption(chance.randint(min(first, last), last), ways[(number + turn) % len(ways)]),),)
            for number, (first, last) in enumerate(parts)
        ]

    return choose


def again_and_again(seed: int, count: int) -> Choice:
    """Trials of three commands that are killed, two in three after an answer was lost: for labs that are dear."""

    def choose(calls: Sequence[Call]) -> list[Trial]:
        chance = random.Random(seed)
        # What is left to do of a run that was killed late is short: the later commands are killed early.
        return [
            tuple(_lost_and_killed(chance, len(calls) if first else len(calls) // 2) for first in (True, False, False))
            for _ in range(count)
        ]

    return choose


def _lost_and_killed(chance: random.Random, calls: int) -> tuple[Interruption, ...]:
    killed = Interruption(chance.randint(1, calls), chance.choice((How.BEFORE, How.ANSWERED)))
    if chance.random() < 1 / 3 or killed.call == 1:
        return (killed,)
    return Interruption(chance.randrange(1, killed.call), How.DROPPED), killed


def read(file: Path) -> list[Line]:
    """The lines of a file that ``written`` made; none when there is no file yet."""
    return [_line(json.loads(text)) for text in file.read_text().splitlines()] if file.exists() else []


def written(line: Line, file: Path) -> None:
    with file.open("a") as results:
        results.write(json.dumps(line.__dict__) + "\n")


def _line(document: dict[str, Any]) -> Line:
    return Line(**document | {"codes": tuple(document["codes"]), "struck": tuple(document["struck"])})
