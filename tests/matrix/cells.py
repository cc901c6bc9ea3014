"""The cells: each row with each failure that can happen there; and a sample of them: pure."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from tests.matrix.calls import Row
from tests.matrix.failures import FAILURES, Failure


@dataclass(frozen=True)
class Cell:
    """One trial."""

    row: Row
    failure: Failure

    def __str__(self) -> str:
        return f"{self.row}: {self.failure.name}"


def cells(rows: Iterable[Row]) -> list[Cell]:
    """All of them, row by row."""
    return [Cell(row, failure) for row in rows for failure in FAILURES if failure.happens_at(row.kind)]


def sample(all_cells: list[Cell], size: int, seed: str) -> list[Cell]:
    """Some, spread evenly over the rows, the same for the same seed."""
    chance = random.Random(seed)
    step = len(all_cells) / size
    return [all_cells[min(len(all_cells) - 1, int((n + chance.random()) * step))] for n in range(size)]
