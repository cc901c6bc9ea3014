"""The store against a plain model: every revision that is not compacted reads as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.embedded.store import CompactedError, FutureRevisionError, Page, Store

KEYS = [f"/r/s/{name}" for name in "abcde"] + ["/r/t/a"]
STEPS = st.lists(st.tuples(st.sampled_from(["put", "delete", "compact"]), st.sampled_from(KEYS)), max_size=40)


def shown(page: Page) -> list[tuple[str, bytes]]:
    return [(item.key, item.value) for item in page.items]


@given(STEPS, st.integers(0, 6), st.sampled_from(["", "/r/s/b", "/r/s/b\0", "/r/s/z"]))
def test_every_readable_revision_is_a_snapshot(steps: list[tuple[str, str]], limit: int, start: str) -> None:
    store, now, snapshots = Store(), dict[str, bytes](), dict[int, dict[str, bytes]]()
    compactions: list[int] = []
    for number, (action, key) in enumerate(steps):
        if action == "put":
            now[key] = str(number).encode()
            store.put(key, now[key])
        elif action == "delete":
            assert (store.delete(key) is None) is (now.pop(key, None) is None)
        else:
            store.compact()
            compactions.append(store.revision)
        snapshots[store.revision] = dict(now)
    readable, cached = ([0, 0, *compactions])[-1], ([0, 0, *compactions])[-2]
    for revision, content in snapshots.items():
        expected = sorted(item for item in content.items() if item[0].startswith("/r/s/") and item[0] >= start)
        query: dict[str, Any] = {"start": start, "limit": limit, "revision": revision}
        if revision < readable:
            with pytest.raises(CompactedError):
                store.page("/r/s/", **query)
        if revision < cached:
            continue
        page = store.page("/r/s/", **query, cached_since=0)
        assert shown(page) == (expected[:limit] if limit else expected)
        assert (page.count, page.revision) == (len(expected), revision)


def test_writes_are_compare_and_put() -> None:
    store = Store()
    assert store.put("/k", b"1", expected=5) is None
    first = store.put("/k", b"1", expected=0)
    assert first is not None
    assert store.put("/k", b"2", expected=0) is None
    second = store.put("/k", b"2", expected=first)
    assert second == first + 1
    assert store.delete("/k", expected=first) is None
    assert store.delete("/k", expected=second) == second + 1
    assert store.delete("/k") is None
    with pytest.raises(FutureRevisionError):
        store.page("/k", revision=store.revision + 1)


def test_watchers_see_each_put_until_they_end() -> None:
    store, seen = Store(), list[tuple[str, bytes]]()
    end = store.watch(lambda key, value: seen.append((key, value)))
    store.put("/a", b"1")
    end()
    store.put("/a", b"2")
    assert seen == [("/a", b"1")]
