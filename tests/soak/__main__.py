"""``python -m tests.soak``: so many migrations, a line about each; ends with 1 when one did not end right."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.az import AZ
from tests.demo.installation import install
from tests.lab.model import LabOptions
from tests.soak.hardship import drawn
from tests.soak.migration import migrate


def main() -> int:
    given = _parser().parse_args()
    extensions = install(AZ)
    right = 0
    for seed in range(given.seed, given.seed + given.count):
        hardship = drawn(seed, given.secrets, given.horizon)
        name = f"soak-{seed}-{os.getpid()}"
        options = LabOptions(name, apiserver=given.apiserver, secrets=given.secrets, extra={"proxy": "on"})
        try:
            verdict = migrate(extensions, options, hardship, given.settle_seconds)
            line, well = str(verdict), not verdict.wrong
            line += "".join(f"\n    lab: {text[:200]}" for text in verdict.said)
        except AssertionError as error:
            line, well = f"seed {seed}: WRONG: {error} | {hardship}", False
        right += well
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        if given.results:
            with given.results.open("a") as results:
                results.write(line + "\n")
    sys.stdout.write(f"{right} of {given.count} migrations ended right\n")
    return 0 if right == given.count else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first migration; the next ones count on")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--secrets", type=int, default=2000)
    parser.add_argument("--apiserver", choices=("embedded", "real"), default="real")
    parser.add_argument("--settle-seconds", default="3")
    parser.add_argument("--horizon", type=float, default=120.0, help="seconds in which the troubles begin")
    parser.add_argument("--results", type=Path, help="the lines are appended to this file too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
