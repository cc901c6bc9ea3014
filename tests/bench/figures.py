"""Decides what the measurements mean: the figures, each with what it must be, and the table. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.bench.contenders import SETTLE_SECONDS, Bare, Ours, Pipe
from tests.bench.processes import Cost
from tests.bench.startup import OURS, THEIRS, Starts

MEGABYTE = 1_000_000
OTHERS = "others on this machine"


@dataclass(frozen=True)
class Figure:
    """One line of the table. ``limit``: it must be at least (``up``) or at most this; ``samples`` in ``unit``."""

    name: str
    value: float
    unit: str
    limit: float
    up: bool
    aim: float | None
    basis: str
    samples: dict[str, list[float]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return self.value >= self.limit if self.up else self.value <= self.limit

    @property
    def reached(self) -> bool:
        """Whether the aim, where there is one, is reached too."""
        if self.aim is None:
            return self.holds
        return self.value >= self.aim if self.up else self.value <= self.aim


@dataclass
class Measurements:
    """Everything that was measured; latencies in seconds, by verb."""

    start: list[Ours] = field(default_factory=list)
    few: list[Ours] = field(default_factory=list)
    near: list[Ours] = field(default_factory=list)
    near_pipe: list[Pipe] = field(default_factory=list)
    near_bare: list[Bare] = field(default_factory=list)
    far: list[Ours] = field(default_factory=list)
    far_pipe: list[Pipe] = field(default_factory=list)
    many: list[Ours] = field(default_factory=list)
    idle: dict[str, list[float]] = field(default_factory=dict)
    during_ours: dict[str, list[float]] = field(default_factory=dict)
    during_pipe: dict[str, list[float]] = field(default_factory=dict)
    listed: dict[int, list[Cost]] = field(default_factory=dict)
    """``list`` by the number of clusters."""
    starts: Starts = field(default_factory=Starts)


def figures(m: Measurements) -> list[Figure]:
    """All that can be told from what was measured so far."""
    found = _starting(m.starts)
    if m.near and m.near_pipe:
        found.append(
            _ratio("rewrite pass against the pipe, round trip 0", m.near_pipe, m.near, _rewriting(m.near), 3, 4)
        )
    if m.near and m.near_bare:
        found.append(_against_bare(m))
    if m.far and m.far_pipe:
        scaled = f"; pipe from {m.far_pipe[0].secrets} Secrets, scaled by count"
        found.append(
            _ratio("rewrite pass against the pipe, 20 ms", m.far_pipe, m.far, _rewriting(m.far), 15, 20, scaled)
        )
        together = [one.together / one.secrets for one in m.far]
        name = "settle + rewrite + proof against the pipe alone, 20 ms"
        fixed = f"{scaled}; without the fixed wait of {SETTLE_SECONDS} s"
        found.append(_ratio(name, m.far_pipe, m.far, together, 8, 12, fixed))
    runs = [*m.few, *m.near, *m.far, *m.many]
    if runs:
        found += _memory(m)
    if m.idle and m.during_ours and m.during_pipe:
        found += _neighbour(m)
    if m.near and m.start:
        start = statistics.median(one.cost.cpu for one in m.start)
        each = [(one.cost.cpu - start) / (2 * one.secrets) * 1000 for one in m.near]
        basis = f"az whole minus {start:.1f} s start-up, over two patches a Secret, round trip 0"
        found.append(Figure("client CPU a Secret patched", _median(each), "ms", 0.5, False, 0.3, basis, {"runs": each}))
    if m.few and (largest := m.many or m.near):
        found.append(_growth(m.few, largest))
    if m.listed:
        found += _listing(m.listed)
    return found


def where_time_goes(runs: Sequence[Ours]) -> list[tuple[str, float]]:
    """CPU milliseconds a Secret, for a whole run of ours (settling, rewriting, proof), by who used it."""
    rows: dict[str, float] = {}
    secrets = sum(one.secrets for one in runs)
    for one in runs:
        used = {"client (az)": one.cost.cpu, **one.used.programs, "the benchmark and its neighbour": one.used.own}
        for name, seconds in {**used, OTHERS: _others(one), "idle": one.used.idle}.items():
            rows[name] = rows.get(name, 0.0) + seconds / secrets * 1000
    return sorted(((name, each) for name, each in rows.items() if each > 0.001), key=lambda row: -row[1])


def taken_by_others(runs: Sequence[Ours | Pipe | Bare]) -> float:
    """The share of the machine's CPU time that processes had which are no part of the benchmark."""
    return sum(map(_others, runs)) / sum(one.used.busy + one.used.idle for one in runs)


def _others(one: Ours | Pipe | Bare) -> float:
    return max(0.0, one.used.busy - one.used.own - one.cost.cpu - sum(one.used.programs.values()))


def table(found: Sequence[Figure]) -> str:
    rows = [["measure", "must", "aim", "is", "", "basis"]]
    for one in found:
        sign = ">=" if one.up else "<="
        verdict = ("aim reached" if one.reached else "holds") if one.holds else "NOT MET"
        aim = "" if one.aim is None else f"{sign} {one.aim:g}"
        rows.append([one.name, f"{sign} {one.limit:g}", aim, f"{one.value:.3g} {one.unit}".strip(), verdict, one.basis])
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join("  ".join([*(f"{c:{w}}" for c, w in zip(row, widths, strict=False)), row[5]]) for row in rows)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _rewriting(runs: Sequence[Ours]) -> list[float]:
    return [one.rewriting / one.secrets for one in runs]


def _ratio(
    name: str,
    pipes: Sequence[Pipe],
    runs: Sequence[Ours],
    ours: Sequence[float],
    limit: float,
    aim: float,
    more: str = "",
) -> Figure:
    theirs = [one.cost.seconds / one.secrets for one in pipes]
    basis = f"{_rates(ours)} against {_rates(theirs)}{more}; {_shares(runs, pipes)}"
    samples = {"ours, s a Secret": list(ours), "pipe, s a Secret": theirs}
    return Figure(name, _median(theirs) / _median(ours), "x", limit, True, aim, basis, samples)


def _against_bare(m: Measurements) -> Figure:
    ours, bare = _rewriting(m.near), [one.seconds / one.secrets for one in m.near_bare]
    best = min(m.near_bare, key=lambda one: one.seconds)
    basis = f"{_rates(ours)} against {_rates(bare)}, {best.workers} workers best; {_shares(m.near, m.near_bare)}"
    samples = {"ours, s a Secret": ours, "Go client, s a Secret": bare}
    name = "rewrite pass against a bare Go client at its best, round trip 0"
    return Figure(name, min(bare) / _median(ours), "x", 0.9, True, 1.0, basis, samples)


def _shares(*contenders: Sequence[Ours | Pipe | Bare]) -> str:
    return f"others took {' and '.join(f'{taken_by_others(runs):.0%}' for runs in contenders)} of the CPU"


def _rates(seconds: Sequence[float]) -> str:
    low, high = 1 / max(seconds), 1 / min(seconds)
    return f"{1 / _median(seconds):.0f}/s ({low:.0f} to {high:.0f})"


def _memory(m: Measurements) -> list[Figure]:
    runs = [one.cost.peak / MEGABYTE for one in [*m.few, *m.near, *m.far, *m.many]]
    found = [Figure("peak memory of az", max(runs), "MB", 160, False, None, "the highest of all runs", {"runs": runs})]
    small, large = (m.near, m.many) if m.many else (m.few, m.near)
    if small and large:
        few, many = (_median([one.cost.peak for one in runs]) / MEGABYTE for runs in (small, large))
        basis = f"{few:.0f} MB at {small[0].secrets:,}, {many:.0f} MB at {large[0].secrets:,} Secrets"
        found.append(Figure("peak memory, growth", (many / few - 1) * 100, "%", 15, False, None, basis))
    return found


def _neighbour(m: Measurements) -> list[Figure]:
    found = []
    for verb in m.idle:
        idle, ours, pipe = (percentile(one[verb], 0.99) for one in (m.idle, m.during_ours, m.during_pipe))
        middle = [percentile(one[verb], 0.5) for one in (m.idle, m.during_ours, m.during_pipe)]
        basis = (
            f"p99 idle {idle * 1000:.0f}, ours {ours * 1000:.0f}, pipe {pipe * 1000:.0f} ms; "
            f"p50 {', '.join(f'{one * 1000:.1f}' for one in middle)} ms; {len(m.during_ours[verb])} and "
            f"{len(m.during_pipe[verb])} requests"
        )
        name = f"neighbour's {verb}, p99"
        found.append(Figure(f"{name}: during ours over during the pipe", ours / pipe, "x", 1.0, False, None, basis))
        found.append(Figure(f"{name}: during ours over idle", ours / idle, "x", float("inf"), False, 2.0, basis))
    return found


def _starting(starts: Starts) -> list[Figure]:
    found = []
    for name, alone in starts.alone.items():
        beside = starts.beside[name]
        found.append(_slower(f"{name} with the extension over without", beside, alone, 1.05))
    if starts.shows:
        found.append(_slower(f"{OURS} over {THEIRS}", starts.shows[OURS], starts.shows[THEIRS], 1.3))
    return found


def _slower(name: str, ours: Sequence[float], theirs: Sequence[float], limit: float) -> Figure:
    of_ours, of_theirs = _median(ours), _median(theirs)
    basis = f"{of_ours * 1000:.0f} against {of_theirs * 1000:.0f} ms, medians of {len(ours)} runs in turn"
    samples = {"ours, s": list(ours), "theirs, s": list(theirs)}
    return Figure(name, of_ours / of_theirs, "x", limit, False, None, basis, samples)


def _growth(few: Sequence[Ours], many: Sequence[Ours]) -> Figure:
    small, large = ([(one.rewriting + one.proof) / one.secrets for one in runs] for runs in (few, many))
    basis = f"{_rates(small)} at {few[0].secrets:,}, {_rates(large)} at {many[0].secrets:,} Secrets, both passes"
    return Figure(
        "time a Secret, growth",
        (_median(large) / _median(small) - 1) * 100,
        "%",
        10,
        False,
        None,
        basis,
        {"few, s a Secret": small, "many, s a Secret": large},
    )


def _listing(listed: dict[int, list[Cost]]) -> list[Figure]:
    few, many = min(listed), max(listed)
    seconds = [one.seconds for one in listed[many]]
    peaks = {count: _median([one.peak / MEGABYTE for one in costs]) for count, costs in listed.items()}
    basis = f"median of {len(seconds)}, az's start included; CPU {_median([one.cpu for one in listed[many]]):.1f} s"
    each = (peaks[many] - peaks[few]) / (many - few) * 1000
    grown = f"{peaks[few]:.0f} MB at {few:,}, {peaks[many]:.0f} MB at {many:,} clusters"
    return [
        Figure(f"list of {many:,} clusters", _median(seconds), "s", 10, False, None, basis, {"runs": seconds}),
        Figure("list, memory a cluster more", each, "KB", 8, False, None, grown),
    ]


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)
