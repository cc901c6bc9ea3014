"""All trials, or many, by hand: ``python -m tests.interruption --help``. Can be stopped, and goes on where it was."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.az import AZ
from tests.demo.installation import install
from tests.interruption.calls import Call, How
from tests.interruption.sweep import Line, Sweep, Trial, again_and_again, all_calls, named, read, sample, written
from tests.lab.model import LabOptions


def main() -> int:
    given = _parser().parse_args()
    options = LabOptions(f"calls-{os.getpid()}", apiserver=given.apiserver, secrets=given.secrets)
    done = {line.trial for line in read(given.results) if not line.wrong} if given.results else set()
    hows = [How(how) for how in given.how.split(",")]
    choose = all_calls(hows, given.seed)
    if given.sample:
        choose = sample(hows, given.seed, given.sample)
    if given.again_and_again:
        choose = again_and_again(given.seed, given.again_and_again)

    def left(calls: Sequence[Call]) -> list[Trial]:
        chosen = list(choose(calls))
        rest = [one for one in chosen if named(one) not in done]
        sys.stderr.write(f"{len(calls)} calls, {len(chosen)} trials, {len(rest)} of them to do\n")
        return rest

    def say(line: Line) -> None:
        sys.stderr.write(f"{line.trial}: {line.wrong or line.struck} {line.codes} {line.seconds} s\n")
        if given.results:
            written(line, given.results)

    sweep = Sweep(install(AZ), options, say)
    wrong = sweep.interrupt(left)
    ways = dict(Counter(one.partition(" ")[0] for one in sweep.struck))
    sys.stderr.write(f"{len(sweep.lines)} trials, interrupted: {ways}; {len(wrong)} trials went wrong\n")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.interruption", description=__doc__)
    parser.add_argument("--apiserver", choices=("embedded", "real"), default="embedded")
    parser.add_argument("--how", default=",".join(how.value for how in How), help="before,answered,dropped")
    parser.add_argument(
        "--sample", type=int, default=0, help="so many calls, spread over the run; 0: all, in every way"
    )
    parser.add_argument(
        "--again-and-again", type=int, default=0, help="so many trials of three commands that are killed"
    )
    parser.add_argument("--secrets", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, help="a line of JSON for each trial; what is in it is not made again")
    return parser


if __name__ == "__main__":
    sys.exit(main())
