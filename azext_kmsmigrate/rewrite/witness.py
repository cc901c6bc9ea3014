"""Reads the API servers' own counters before and after a pass: what each says it read from etcd, and in what form.

Each API server is held on a connection of its own, told apart by the start time of its process. What cannot be read
is simply not there: the judgement says what that costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from azext_kmsmigrate.migration.secret import Counters
from azext_kmsmigrate.ports import Connection, Secrets
from azext_kmsmigrate.rewrite.settling import form_of_prefix

_LOOKS = 8  # connections tried, to meet every API server behind a load balancer
_LOOKS_AGAIN = 24  # to meet the same ones again, when connections were lost meanwhile


@dataclass
class Testimony:
    """Filled in when the pass is over: values read from etcd by form, and API servers that began anew."""

    reads: Mapping[str, int] = field(default_factory=dict)
    restarted: int = 0


@contextmanager
def counters_around(secrets: Secrets) -> Iterator[Testimony]:
    """Hold a connection to every API server that can be told apart for as long as the ``with`` lasts."""
    held: dict[float, tuple[Connection, Counters]] = {}
    testimony = Testimony()
    try:
        _meet(secrets, held)
        yield testimony
        again = _meet_again(secrets, held)
        testimony.reads, testimony.restarted = compare([(before, again.get(s)) for s, (_, before) in held.items()])
    finally:
        for connection, _ in held.values():
            connection.close()


def compare(readings: list[tuple[Counters, Counters | None]]) -> tuple[dict[str, int], int]:
    """Values read by form between two readings, over all API servers, and how many of them began anew meanwhile.

    Secrets that a provider of another kind encrypts (aescbc and the like) count under its own prefix.
    """
    reads: dict[str, int] = {}
    restarted = 0
    for before, after in readings:
        if after is None or after.process_start != before.process_start:
            restarted += 1
            continue
        for prefix, count in after.from_storage.items():
            grown = round(count - before.from_storage.get(prefix, 0.0))
            if grown > 0:
                form = form_of_prefix(prefix)
                name = form.value if form else prefix
                reads[name] = reads.get(name, 0) + grown
    return reads, restarted


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
