"""A check: one question with a public id, and the pure function that answers it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.migration.step import StepId


class Severity(str, enum.Enum):
    """What a finding does: ``block`` stops before the first change, ``warn`` is told, ``info`` is good to know."""

    BLOCK = "block"
    WARN = "warn"
    INFO = "info"


class Category(str, enum.Enum):
    """What a check is about; the letters of its id."""

    AZURE = "AZ"
    KMS = "K"
    VAULT = "V"
    UPGRADE = "U"
    CLUSTER = "C"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and the command that puts it right.

    ``subject`` names the object (``vault 'kv-prod'``, ``PodDisruptionBudget shop/cart``). ``severity``: where this
    one weighs less (or more) than the check does.
    """

    subject: str
    what: str
    fix: str
    severity: Severity | None = None


@dataclass(frozen=True)
class NotApplicable:
    """The check has nothing to ask of this cluster, and why."""

    why: str


Judgement = Iterable[Finding] | NotApplicable
"""No finding: passed."""


@dataclass(frozen=True)
class Check:
    """``before``: the steps that it is asked before, again each time. ``reads``: the topics ``judge`` may ask for.

    ``judge`` is pure. It asks the scene with ``scene.of(TOPIC)``; what could not be looked at leaves it there.
    """

    id: str
    title: str
    category: Category
    severity: Severity
    why: str
    link: str
    before: frozenset[StepId]
    judge: Callable[[Scene], Judgement]
    reads: tuple[Topic[Any], ...] = field(default=())

    def __post_init__(self) -> None:
        letters, _, number = self.id.partition("-")
        if letters != self.category.value or not number.isdigit() or len(number) != 2:
            raise ValueError(f"{self.id}: an id is the letters of its category and two digits")
        if not all((self.title, self.why, self.link.startswith("https://"), self.before)):
            raise ValueError(f"{self.id}: every text is needed, and a step")
