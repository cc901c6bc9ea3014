"""``python -m tests.matrix``: run cells of the fault matrix, and write the table of their verdicts.

Verdicts are kept as they come, in ``build/fault-matrix.json``: a run that is broken off goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from tests.az import AZ
from tests.demo.installation import install
from tests.lab.client import ROOT
from tests.matrix.calls import Row
from tests.matrix.cells import cells
from tests.matrix.table import DOCUMENT, render
from tests.matrix.trial import Trials

KEPT = ROOT / "build" / "fault-matrix.json"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="cells whose name holds this text; they are shown, not kept")
    parser.add_argument("--list", action="store_true", help="name the cells and run none")
    parser.add_argument("--afresh", action="store_true", help="forget what an earlier run kept")
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.relative_to(ROOT)} when all are good")
    parser.add_argument("--tabulate", action="store_true", help="write it from what is kept, and run none")
    given = parser.parse_args()
    trials = Trials(install(AZ))
    rows = trials.rows()
    wanted = [cell for cell in cells(rows) if given.only in str(cell)]
    if given.tabulate:
        _write(rows, _kept())
        return 0
    if given.list:
        _say("\n".join(map(str, wanted)) + f"\n{len(wanted)} cells")
        return 0
    kept = _kept() if not given.afresh else {}
    bad = 0
    for number, cell in enumerate(wanted, 1):
        if str(cell) in kept and not given.only:
            continue
        began = time.monotonic()
        verdict = trials.verdict(cell)
        bad += not verdict.good
        _say(f"{number}/{len(wanted)} {time.monotonic() - began:5.1f} s  {cell}  ->  {verdict.word}  {verdict.why}")
        if verdict.good:
            kept[str(cell)] = verdict.word
            if not given.only:
                KEPT.write_text(json.dumps(kept, indent=1))
    if given.write and not bad:
        _write(rows, kept)
    return 1 if bad else 0


def _write(rows: list[Row], kept: dict[str, str]) -> None:
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(render(rows, kept), encoding="utf-8")


def _kept() -> dict[str, str]:
    return dict(json.loads(KEPT.read_text())) if KEPT.exists() else {}


if __name__ == "__main__":
    sys.exit(main())
