"""Reads the API servers' own counters before and after a pass: what each says it read from etcd, and in what form.

Each API server is held on a connection of its own, told apart by the start time of its process. What cannot be read
is simply not there: the judgement says what that costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from azext_kmsmigrate.migration.secret import Counters
from azext_kmsmigrate.ports import Connection, Secrets, Tick
from azext_kmsmigrate.rewrite.reach import Reach
from azext_kmsmigrate.rewrite.settling import form_of_prefix

_WHAT = "read the API servers' counters"
_LOOKS = 8  # connections tried, to meet every API server behind a load balancer
_LOOKS_AGAIN = 24  # to meet the same ones again, when connections were lost meanwhile


@dataclass
class Statement:
    """What the API servers say of a pass, when it is over: values read from etcd and written to it, by form.

    Reads alone would not do: an API server that takes on another form without beginning anew writes it, and nobody may
    read that Secret before the end. Values that a provider of another kind encrypts (aescbc and the like) count under
    its own prefix. ``witnesses``: API servers whose counters say it; ``restarted``: those whose counters began anew.
    """

    reads: dict[str, int] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)
    witnesses: int = 0
    restarted: int = 0

    def hear(self, before: Counters, after: Counters | None) -> None:
        """Two readings of one API server; ``after`` is None when it was not met again."""
        if after is None or after.process_start != before.process_start:
            self.restarted += 1
            return
        self.witnesses += 1
        _add_growth(self.reads, before.from_storage, after.from_storage)
        _add_growth(self.writes, before.to_storage, after.to_storage)


@contextmanager
def counters_around(secrets: Secrets, reach: Reach, tick: Tick) -> Iterator[Statement]:
    """Hold a connection to every API server that can be told apart for as long as the ``with`` lasts.

    API servers that do not answer, before or after, are waited for as long as ``reach`` has patience.
    """
    held: dict[float, tuple[Connection, Counters]] = {}
    statement = Statement()
    try:
        _meet(secrets, held)
        while not held and reach.outwaited(_WHAT, tick):
            _meet(secrets, held)
        yield statement
        again = _meet_again(secrets, held)
        while held.keys() - again.keys() and reach.outwaited(_WHAT, tick):
            again |= _meet_again(secrets, held)
        for start, (_, before) in held.items():
            statement.hear(before, again.get(start))
    finally:
        for connection, _ in held.values():
            connection.close()


def _add_growth(sums: dict[str, int], before: Mapping[str, float], after: Mapping[str, float]) -> None:
    for prefix, count in after.items():
        grown = round(count - before.get(prefix, 0.0))
        if grown > 0:
            form = form_of_prefix(prefix)
            name = form.value if form else prefix
            sums[name] = sums.get(name, 0) + grown


def _meet_again(secrets: Secrets, held: Mapping[float, tuple[Connection, Counters]]) -> dict[float, Counters]:
    """What the same API servers say now: on the connections held, else on fresh ones.

    A load balancer drops a connection that is idle for minutes, and the next request on it may reach another server:
    that alone is no sign that one of them began anew.
    """
    found: dict[float, Counters] = {}

    def ask(connection: Connection) -> None:
        if counters := connection.counters():
            found[counters.process_start] = counters

    for connection, _ in held.values():
        ask(connection)
    for _ in range(_LOOKS_AGAIN):
        if not held.keys() - found.keys():
            break
        with closing(secrets.connect()) as connection:
            ask(connection)
    return found


def _meet(secrets: Secrets, held: dict[float, tuple[Connection, Counters]]) -> None:
    for _ in range(_LOOKS):
        connection = secrets.connect()
        counters = connection.counters()
        if counters is None:
            connection.close()
            return
        if counters.process_start in held:
            connection.close()
        else:
            held[counters.process_start] = (connection, counters)
