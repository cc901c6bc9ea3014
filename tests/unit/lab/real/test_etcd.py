from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.controlplane.real import binaries
from tests.lab.controlplane.real.child_process import Nursery
from tests.lab.controlplane.real.etcd import Etcd

pytestmark = pytest.mark.real


@pytest.fixture
def etcd(machine: None, tmp_path: Path) -> Iterator[Etcd]:
    nursery = Nursery()
    etcd = Etcd(binaries.etcd(), tmp_path, nursery)
    etcd.start()
    yield etcd
    etcd.stop()
    nursery.close()


def test_values_below_a_prefix_are_complete_and_raw(etcd: Etcd) -> None:
    wanted = {f"/registry/secrets/ns/{index:05}": bytes([index % 256, 0, 255]) for index in range(1_234)}
    for key, value in wanted.items():
        etcd.put(key, value)
    etcd.put("/registry/secretsx", b"a neighbour")
    etcd.put("/registry/secrets0", b"the first key past the prefix")
    etcd.put("/registry/empty", b"")
    assert etcd.values("/registry/secrets/") == wanted
    assert etcd.values("/registry/empty") == {"/registry/empty": b""}
    assert etcd.values("/registry/nothing") == {}
    assert len(etcd.values("")) == 1_237


def test_a_revision_moves_at_every_write_even_of_the_same_value(etcd: Etcd) -> None:
    for key in ("/key/a", "/key/b"):
        etcd.put(key, b"1")
    before = etcd.revisions("/key/")
    etcd.put("/key/a", b"1")
    after = etcd.revisions("/key/")
    assert after["/key/a"] > before["/key/b"] == after["/key/b"] > before["/key/a"]


def test_compacting_with_nothing_written_since_is_no_error(etcd: Etcd) -> None:
    etcd.put("/key", b"1")
    etcd.compact()
    etcd.compact()
    assert etcd.values("/key") == {"/key": b"1"}
