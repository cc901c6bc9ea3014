"""What goes wrong with one migration, and when: drawn from a seed, pure."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.interruption.calls import How, Interruption
from tests.lab import seeding
from tests.lab.azure.faults import Fault
from tests.lab.azure.rules import Change

MOST_COMMANDS = 15
_OPERATIONS = (Change.DISABLE_KMS, Change.UPGRADE, Change.ENABLE_KMS)


@dataclass(frozen=True)
class Trouble:
    """A fault of the lab, as it is typed, and what ends it again; seconds since the migration began."""

    fault: str
    at: float = 0.0
    ended_by: str = ""
    lasts: float = 0.0

    def __str__(self) -> str:
        when = f" at {self.at:.0f} s" if self.at else ""
        return self.fault + when + (f" for {self.lasts:.0f} s" if self.ended_by else "")


@dataclass(frozen=True)
class Hardship:
    """``interruptions``: of each command that is typed, in order; None, and after the last: it is left alone."""

    seed: int
    troubles: tuple[Trouble, ...]
    interruptions: tuple[Interruption | None, ...]
    take_over: bool
    writers: bool

    def __str__(self) -> str:
        told = [f"start {n + 1} {one}" for n, one in enumerate(self.interruptions) if one]
        others = ["other writers"] if self.writers else []
        return "; ".join([*map(str, self.troubles), *told, *others]) or "nothing"


def drawn(seed: int, secrets: int, horizon: float) -> Hardship:
    """Two to five troubles within ``horizon`` seconds, and up to three commands that are interrupted."""
    chance = random.Random(seed)
    kinds = [chance.choice(_KINDS) for _ in range(chance.randint(2, 5))]
    troubles = [kind(chance, secrets, horizon) for kind in kinds]
    interruptions = tuple(_interruption(chance, secrets) for _ in range(chance.randint(0, 3)))
    ordered = tuple(sorted(troubles, key=lambda one: one.at))
    return Hardship(seed, ordered, interruptions, chance.random() < 0.7, chance.random() < 0.7)


def _interruption(chance: random.Random, secrets: int) -> Interruption | None:
    if chance.random() < 0.2:
        return None
    # Early calls are few and matter; the passes over the Secrets make thousands, all alike.
    most = 150 + 4 * secrets
    return Interruption(int(most ** chance.random()), chance.choice(list(How)))


def _operation(chance: random.Random, secrets: int, horizon: float) -> Trouble:
    change, how = chance.choice(_OPERATIONS), chance.choice(list(Fault))
    return Trouble(f"operation {change.value} {how.value}")


def _restarted(chance: random.Random, secrets: int, horizon: float) -> Trouble:
    return Trouble(f"replica restart {chance.randrange(2)}", chance.uniform(0, horizon))


def _killed(chance: random.Random, secrets: int, horizon: float) -> Trouble:
    return _for_a_while(chance, horizon, "replica kill {0}", "replica start {0}", chance.randrange(2))


def _stopped(chance: random.Random, secrets: int, horizon: float) -> Trouble:
    return _for_a_while(chance, horizon, "replica stop {0}", "replica start {0}", chance.randrange(2))


def _cut(chance: random.Random, secrets: int, horizon: float) -> Trouble:
    return Trouble("connections cut", chance.uniform(0, horizon))


def _reset(chance: random.Random, secrets: int, horizon: float) -> Trouble:
    return _for_a_while(chance, horizon, "connections reset", "connections ok")


def _slow_vault(chance: random.Random, secrets: int, horizon: float) -> Trouble:
    return _for_a_while(chance, horizon, "vault-delay {0}", "vault-delay 0", chance.choice((100, 400, 1500)))


def _throttling_vault(chance: random.Random, secrets: int, horizon: float) -> Trouble:
    return _for_a_while(chance, horizon, "vault-limit {0}", "vault-limit ok", chance.choice((20, 100, 400)))


def _webhook(chance: random.Random, secrets: int, horizon: float) -> Trouble:
    number = chance.randrange(secrets)
    # The Secret of this number in seeding's own first generation.
    metadata = seeding.secret(number, random.Random(f"1/{number}"))["metadata"]
    return _for_a_while(
        chance, horizon, "webhook deny {0}", "webhook allow", f"{metadata['namespace']}/{metadata['name']}"
    )


def _for_a_while(chance: random.Random, horizon: float, fault: str, end: str, arg: object = "") -> Trouble:
    lasts = chance.uniform(0.05, 0.3) * horizon
    return Trouble(fault.format(arg), chance.uniform(0, horizon), end.format(arg), lasts)


_Kind = Callable[[random.Random, int, float], Trouble]
_KINDS: tuple[_Kind, ...] = (
    *(_operation,) * 4,
    _restarted,
    _killed,
    _stopped,
    _cut,
    _reset,
    _slow_vault,
    _throttling_vault,
    _webhook,
)
