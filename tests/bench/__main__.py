"""Measures, prints the table, and writes build/bench.json: ``python -m tests.bench [--quick] [--start-up]``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.contenders import Contest
from tests.bench.figures import Figure, Measurements, figures, table, where_time_goes
from tests.bench.neighbour import Neighbour
from tests.bench.processes import CommandFailed
from tests.bench.startup import Starting, Starts
from tests.demo.installation import BUILD, install
from tests.lab import seeding
from tests.lab.client import LabClient
from tests.lab.controlplane.real import binaries
from tests.lab.model import LabOptions
from tests.lab.premises import LabError

KUBERNETES = "1.27.1"
ROUND_TRIP_MS = 20
# About a twentieth of the Secrets, of all sizes.
PART = '-l "app.kubernetes.io/name in (app-1,app-2)" '
WORKERS = (8, 16, 32)  # of the Go client
CLUSTERS = (500, 5_000)
VERBS = ("GET", "PATCH")


@dataclass(frozen=True)
class Sizes:
    """Numbers of Secrets; how many turns are taken at round trip 0, how often the others are and az starts."""

    few: int
    middle: int
    many: int
    turns: int
    repeats: int
    starts: int


FULL, QUICK = Sizes(1_000, 10_000, 100_000, 9, 3, 21), Sizes(500, 2_000, 0, 6, 1, 9)


class Bench:
    """One run of everything on one lab."""

    def __init__(self, lab: LabClient, contest: Contest, sizes: Sizes, measured: Measurements) -> None:
        self.measured = measured
        self._lab, self._contest, self._sizes = lab, contest, sizes
        self._secrets = 0
        self._began = time.monotonic()

    def run(self) -> None:
        m, sizes, contest = self.measured, self._sizes, self._contest
        self._note("az alone: no Secrets")
        m.start = [contest.ours(0) for _ in range(2)]

        self._seed(sizes.few)
        for _ in range(sizes.repeats):
            contest.make_stale()
            m.few.append(contest.ours(self._secrets))
            self._note(f"ours, {self._secrets:,} Secrets: {_text(m.few[-1])}")

        self._seed(sizes.middle)
        self._neighbour_alone(15.0)
        # Ours and theirs in turn, so that the form that is written and the noise of the machine meet both alike.
        workers = list(WORKERS)
        for turn in (("ours", "pipe", "bare") * 3)[: sizes.turns]:
            contest.make_stale()
            # The neighbour lives beside all of them: it is a load as well.
            with self._neighbour() as neighbour:
                if turn == "bare":
                    m.near_bare.append(contest.bare(workers.pop(0)))
                    self._note(f"Go client, {m.near_bare[-1].workers} workers: {m.near_bare[-1].seconds:.1f} s")
                else:
                    self._near(turn, neighbour)

        self._lab.fault("round-trip", str(ROUND_TRIP_MS))
        part = self._part()
        for _ in range(sizes.repeats):
            contest.make_stale()
            m.far_pipe.append(contest.pipe(part, PART))
            m.far.append(contest.ours(self._secrets - part))
            self._note(f"{ROUND_TRIP_MS} ms: pipe {m.far_pipe[-1].cost.seconds:.1f} s for {part}, {_text(m.far[-1])}")
        self._lab.fault("round-trip", "0")

        if sizes.many:
            # Room for what comes: etcd takes no more than two gigabytes, old revisions included.
            self._lab.fault("compact")
            self._seed(sizes.many)
            contest.make_stale()
            self._lab.fault("compact")
            m.many.append(contest.ours(self._secrets))
            self._note(f"ours, {self._secrets:,} Secrets: {_text(m.many[-1])}")

        for clusters in CLUSTERS:
            self._lab.fault("fleet", f"10 {clusters}")
            for _ in range(sizes.repeats):
                count, cost = contest.fleet()
                m.listed.setdefault(count, []).append(cost)
            self._note(f"list of {clusters:,} clusters: {cost.seconds:.1f} s")

    def _near(self, turn: str, neighbour: Neighbour) -> None:
        m = self.measured
        if turn == "ours":
            ours = self._contest.ours(self._secrets)
            began, ended, into = ours.rewriting_began, ours.proof_ended, m.during_ours
            m.near.append(ours)
            self._note(f"ours, {self._secrets:,} Secrets: {_text(ours)}")
        else:
            pipe = self._contest.pipe(self._secrets)
            began, ended, into = pipe.cost.began, pipe.cost.ended, m.during_pipe
            m.near_pipe.append(pipe)
            self._note(f"pipe, {self._secrets:,} Secrets: {pipe.cost.seconds:.1f} s")
        for verb in VERBS:
            into.setdefault(verb, []).extend(neighbour.between(began, ended, verb))

    def _neighbour_alone(self, seconds: float) -> None:
        with self._neighbour() as neighbour:
            began = time.monotonic()
            time.sleep(seconds)
        self.measured.idle = {verb: neighbour.between(began, time.monotonic(), verb) for verb in VERBS}

    @contextmanager
    def _neighbour(self) -> Iterator[Neighbour]:
        with Neighbour([self._lab.endpoint(index) for index in (0, 1)]) as neighbour:
            yield neighbour

    def _seed(self, count: int) -> None:
        began = time.monotonic()
        seeding.seed(self._lab.endpoint(), count, begin=self._secrets)
        self._note(f"{count - self._secrets:,} Secrets made in {time.monotonic() - began:.0f} s")
        self._secrets = count

    def _part(self) -> int:
        names = ("app-1", "app-2")
        labels = (one["metadata"].get("labels", {}) for one in seeding.secrets(self._secrets))
        return sum(one.get("app.kubernetes.io/name") in names for one in labels)

    def _note(self, text: str) -> None:
        load = os.getloadavg()[0]
        sys.stderr.write(f"[{time.monotonic() - self._began:5.0f} s, load {load:4.1f}] {text}\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 Secrets, fewer repetitions")
    parser.add_argument("--start-up", action="store_true", help="only how long az takes to start; on stand-ins")
    parser.add_argument("--name", default="bench", help="the lab's and the cluster's name (%(default)s)")
    given = parser.parse_args()
    missing = [] if given.start_up else binaries.missing()
    if missing:
        sys.stderr.write("error: the benchmark needs real API servers: " + "; ".join(missing) + "\n")
        return 1
    extensions = install(Path(sys.executable).with_name("az"))
    began = time.monotonic()
    sizes, measured = QUICK if given.quick else FULL, Measurements()
    try:
        measured.starts = _started(given.name, extensions, sizes.starts)
        if not given.start_up:
            with LabClient.up(LabOptions(given.name, apiserver="real", kubernetes=KUBERNETES), tethered=True) as lab:
                Bench(lab, Contest(lab, extensions), sizes, measured).run()
    except (LabError, CommandFailed) as error:
        sys.stderr.write(f"error: {error}\n")
        broken = True
    else:
        broken = False
    found = figures(measured)
    if not found:
        return 1
    where = where_time_goes(measured.near)
    _print(found, where, time.monotonic() - began)
    _write(found, where, given.quick)
    return 0 if not broken and all(one.holds for one in found) else 1


def _started(name: str, extensions: Path, rounds: int) -> Starts:
    """On an API server that answers at once, so that what is measured is the client."""
    with LabClient.up(LabOptions(name, apiserver="embedded"), tethered=True) as lab:
        return Starting(lab, extensions).measure(rounds)


def _print(found: list[Figure], where: list[tuple[str, float]], seconds: float) -> None:
    lines = ["", table(found), ""]
    if where:
        lines.append("CPU a Secret, ms, of a whole run at round trip 0 (settling, rewriting, proof):")
    lines += [f"  {name:34}{each:8.3f}" for name, each in where]
    sys.stdout.write("\n".join([*lines, "", f"{seconds:.0f} s, {os.cpu_count()} cores"]) + "\n")


def _write(found: list[Figure], where: list[tuple[str, float]], quick: bool) -> None:
    document = {
        "kubernetes": KUBERNETES,
        "cores": os.cpu_count(),
        "quick": quick,
        "figures": [asdict(one) | {"holds": one.holds, "aimReached": one.reached} for one in found],
        "cpuMillisecondsASecret": dict(where),
    }
    (BUILD / "bench.json").write_text(json.dumps(document, indent=1) + "\n")


def _text(ours: object) -> str:
    fields = {name: getattr(ours, name) for name in ("rewriting", "proof", "together")}
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in fields.items())


if __name__ == "__main__":
    sys.exit(main())
