"""The table in the documentation says what happens: a sample of its cells, or with EVERY_CELL=1 all, an hour long.

The sample is another one each day; ``MATRIX_SEED=2026-01-31`` repeats that of a day.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.matrix.cells import Cell, cells, sample
from tests.matrix.table import DOCUMENT, NOT_RUN, name, read
from tests.matrix.trial import Trials

EVERY = os.environ.get("EVERY_CELL") == "1"
SEED = os.environ.get("MATRIX_SEED") or f"{datetime.now(timezone.utc):%Y-%m-%d}"
SAMPLE, AT_LEAST = 30, 8  # cells
SECONDS = 70.0  # after which no further cell of a sample is begun


@pytest.mark.slow
@pytest.mark.az
def test_every_request_has_its_row_and_every_failure_its_verdict(extensions: Path) -> None:
    trials = Trials(extensions)
    everything = cells(trials.rows())
    table = read(DOCUMENT.read_text(encoding="utf-8"))
    assert {name(cell) for cell in everything} == set(table), "make fault-matrix"
    began = time.monotonic()
    differing = []
    for number, cell in enumerate(everything if EVERY else sample(everything, SAMPLE, SEED)):
        if not EVERY and number >= AT_LEAST and time.monotonic() - began > SECONDS:
            break
        if found := _difference(trials, cell, table[name(cell)]):
            differing.append(found)
    assert not differing, "\n".join([f"MATRIX_SEED={SEED}", *differing])


def _difference(trials: Trials, cell: Cell, word: str) -> str:
    """What is wrong with a cell. Whether it was asked again before it ended well is a matter of time."""
    verdict = trials.verdict(cell)
    same = word == NOT_RUN or _end(word) == _end(verdict.word)
    return "" if verdict.good and same else f"{cell}: {verdict.word} {verdict.why}, in the table: {word}"


def _end(word: str) -> str:
    return "ended well" if word in ("continued", "retried") else word
