"""All trials, or many, by hand: ``python -m tests.interruption --help``. Can be stopped, and goes on where it was."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from tests.az import AZ
from tests.demo.installation import install
from tests.interruption.calls import How, Interruption
from tests.interruption.sweep import Line, Sweep, all_calls, read, sample, written
from tests.lab.model import LabOptions


def main() -> int:
    given = _parser().parse_args()
    options = LabOptions(f"calls-{os.getpid()}", apiserver=given.apiserver, secrets=given.secrets)
    known = [line for line in read(given.results) if not line.wrong] if given.results else []
    done = {(line.call, line.how) for line in known}
    hows = [How(how) for how in given.how.split(",")]
    choose = sample(hows, given.seed, given.sample) if given.sample else all_calls(hows, given.seed)

    def left(calls: int) -> list[Interruption]:
        chosen = choose(calls)
        rest = [one for one in chosen if (one.call, one.how.value) not in done]
        sys.stderr.write(f"{calls} calls, {len(chosen)} trials, {len(rest)} of them to do\n")
        return rest

    def say(line: Line) -> None:
        sys.stderr.write(f"{line.how} {line.call}: {line.wrong or line.request} {line.codes} {line.seconds} s\n")
        if given.results:
            written(line, given.results)

    wrong = Sweep(install(AZ), options, say).interrupt(left)
    made = known + [line for line in read(given.results) if (line.call, line.how) not in done] if given.results else []
    sys.stderr.write(f"{dict(Counter(line.how for line in made))} trials made, {len(wrong)} went wrong now\n")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.interruption", description=__doc__)
    parser.add_argument("--apiserver", choices=("embedded", "real"), default="embedded")
    parser.add_argument("--how", default=",".join(how.value for how in How), help="before,answered,dropped")
    parser.add_argument(
        "--sample", type=int, default=0, help="so many calls, spread over the run; 0: all, in every way"
    )
    parser.add_argument("--secrets", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, help="a line of JSON for each trial; what is in it is not made again")
    return parser


if __name__ == "__main__":
    sys.exit(main())
