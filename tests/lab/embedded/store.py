"""What etcd does for one API server cluster: keys with revisions, history, compaction, compare-and-put."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass


class CompactedError(Exception):
    """The asked revision is older than the last compaction."""


class FutureRevisionError(Exception):
    """The asked revision does not exist yet."""


@dataclass(frozen=True)
class StoredValue:
    key: str
    value: bytes
    revision: int


@dataclass(frozen=True)
class Page:
    """A slice of a range: ``count`` is how many live keys the range had from the asked start on."""

    items: list[StoredValue]
    revision: int
    count: int


@dataclass(frozen=True)
class _Version:
    revision: int
    value: bytes | None


class Store:
    """Multi-version keys in one revision sequence. Thread-safe; reads of old revisions see a snapshot.

    A range costs what it returns, not what the store holds: living keys are kept sorted, and creations
    and deletions are logged so that counts at an older revision need only the changes since.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._history: dict[str, list[_Version]] = {}
        self._keys: list[str] = []
        self._living: list[str] = []
        self._appearances: list[tuple[int, str, int]] = []
        self._revision = 1
        self._compacted = 0
        # A compaction ends the one before: history since that stays for the watch caches' snapshots.
        self._gone = 0
        self._watchers: list[Callable[[str, bytes], None]] = []

    @property
    def revision(self) -> int:
        return self._revision

    def watch(self, watcher: Callable[[str, bytes], None]) -> Callable[[], None]:
        """Call ``watcher`` with each value put from now on, until the returned function is called."""
        with self._lock:
            self._watchers.append(watcher)

        def end() -> None:
            with self._lock:
                if watcher in self._watchers:
                    self._watchers.remove(watcher)

        return end

    def get(self, key: str) -> StoredValue | None:
        with self._lock:
            return self._at(key, self._revision)

    def put(self, key: str, value: bytes, *, expected: int | None = None) -> int | None:
        """Write and return the new revision; None when ``expected`` (0: absent) is not the key's"
        " revision."""
        with self._lock:
            current = self._at(key, self._revision)
            if expected is not None and expected != (current.revision if current else 0):
                return None
            self._revision += 1
            if key not in self._history:
                self._history[key] = []
                bisect.insort(self._keys, key)
            self._history[key].append(_Version(self._revision, value))
            if current is None:
                bisect.insort(self._living, key)
                self._appearances.append((self._revision, key, 1))
            revision, watchers = self._revision, tuple(self._watchers)
        for watcher in watchers:
            watcher(key, value)
        return revision

    def delete(self, key: str, *, expected: int | None = None) -> int | None:
        """Remove and return the new revision; None when the key is not there at the expected revision."""
        with self._lock:
            current = self._at(key, self._revision)
            if current is None or (expected is not None and expected != current.revision):
                return None
            self._revision += 1
            self._history[key].append(_Version(self._revision, None))
            del self._living[bisect.bisect_left(self._living, key)]
            self._appearances.append((self._revision, key, -1))
            return self._revision

    def page(
        self,
        prefix: str,
        *,
        start: str = "",
        limit: int = 0,
        revision: int = 0,
        cached_since: int | None = None,
    ) -> Page:
        """Up to ``limit`` living values (0: all) from ``start`` on, as of ``revision`` (0: now).

        ``cached_since`` is the first revision that the reader keeps snapshots of by itself: those outlive one
        compaction, as the API server's watch cache does.
        """
        with self._lock:
            self._check(revision, cached_since)
            revision = revision or self._revision
            low, end = max(prefix, start), prefix[:-1] + chr(ord(prefix[-1]) + 1)
            keys = self._living if revision == self._revision else self._keys
            items: list[StoredValue] = []
            for index in range(bisect.bisect_left(keys, low), len(keys)):
                if keys[index] >= end or (limit and len(items) >= limit):
                    break
                found = self._at(keys[index], revision)
                if found:
                    items.append(found)
            return Page(items, revision, self._count(low, end, revision))

    def values(self, prefix: str) -> Mapping[str, bytes]:
        with self._lock:
            return {item.key: item.value for item in self.page(prefix).items}

    def compact(self) -> None:
        """Make every revision before now unreadable."""
        with self._lock:
            self._gone, self._compacted = self._compacted, self._revision
            self._appearances = [change for change in self._appearances if change[0] > self._gone]
            for key, versions in list(self._history.items()):
                old = [index for index, version in enumerate(versions) if version.revision <= self._gone]
                kept = versions[old[-1] :] if old else versions
                if kept[0].value is None and kept[0].revision <= self._gone:
                    kept = kept[1:]
                if kept:
                    self._history[key] = kept
                else:
                    del self._history[key]
            self._keys = sorted(self._history)

    def _check(self, revision: int, cached_since: int | None) -> None:
        cached = cached_since is not None and revision >= max(cached_since, self._gone)
        if revision and revision < self._compacted and not cached:
            raise CompactedError(revision)
        if revision > self._revision:
            raise FutureRevisionError(revision)

    def _at(self, key: str, revision: int) -> StoredValue | None:
        for version in reversed(self._history.get(key, ())):
            if version.revision <= revision:
                return None if version.value is None else StoredValue(key, version.value, version.revision)
        return None

    def _count(self, low: str, end: str, revision: int) -> int:
        count = bisect.bisect_left(self._living, end) - bisect.bisect_left(self._living, low)
        for changed, key, step in reversed(self._appearances):
            if changed <= revision:
                break
            if low <= key < end:
                count -= step
        return count
