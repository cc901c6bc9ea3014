"""What goes wrong around the Secrets in mid-pass: etcd, the API servers, the network; and what is in memory then.

KMS v2 is on and every Secret lies in etcd as it was before that: plain. The list has three pages.
"""

from __future__ import annotations

import base64
import os
import re
import time

import pytest

from tests.az import Az
from tests.e2e.rewriting import (
    again_and_again,
    answered,
    assert_proven,
    counted,
    extra_secrets,
    rewrite,
    rewrite_and_meanwhile,
    stored_plain,
    wait_until,
)
from tests.lab.model import StoredForm
from tests.lab.seeding import MARKER, MARKER_SIGHTINGS, sightings

pytestmark = [pytest.mark.az, pytest.mark.real]

SECRETS = 1150
V2 = StoredForm.KMS_V2
BARE = "kmslab-bare-value-"


LAB = {"name": "outages", "kubernetes": "1.27.1", "kms": False, "secrets": SECRETS, "extra": {"proxy": "on"}}


def test_etcd_is_compacted_in_the_middle_of_the_list(az: Az) -> None:
    before = answered(az.lab, code=410, verb="LIST")
    with again_and_again(lambda: az.lab.fault("compact"), 0.2):
        done = rewrite(az)
    assert answered(az.lab, code=410, verb="LIST") > before, "no continue token expired"
    assert_proven(done, az.lab, V2)


def test_connections_are_reset_again_and_again(az: Az) -> None:
    cuts: list[None] = []

    def meanwhile() -> None:
        for _ in range(8):
            az.lab.fault("connections", "cut")
            cuts.append(None)
            time.sleep(0.25)

    assert_proven(rewrite_and_meanwhile(az, V2, meanwhile), az.lab, V2)
    assert len(cuts) == 8


def test_no_connection_at_all_for_some_seconds(az: Az) -> None:
    def meanwhile() -> None:
        az.lab.fault("connections", "reset")
        time.sleep(5)
        az.lab.fault("connections", "ok")

    assert_proven(rewrite_and_meanwhile(az, V2, meanwhile), az.lab, V2)


def test_an_api_server_is_killed(az: Az) -> None:
    try:
        done = rewrite_and_meanwhile(az, V2, lambda: az.lab.fault("replica", "kill 0"))
        assert_proven(done, az.lab, V2)
    finally:
        az.lab.fault("replica", "start 0")


def test_an_api_server_goes_back_to_plain_text_for_some_seconds(az: Az) -> None:
    def meanwhile() -> None:
        az.lab.fault("replica-config", "0 identity-first")
        time.sleep(2)
        az.lab.fault("replica", "restart 0")
        az.lab.fault("connections", "ok")

    az.lab.fault("connections", "slow:60")
    assert_proven(rewrite_and_meanwhile(az, V2, meanwhile), az.lab, V2)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the memory of another process")
def test_no_value_is_in_the_memory_of_the_process(az: Az) -> None:
    """A Secret with kubectl's last-applied annotation has its value there: it is dropped, and not looked for."""
    bare = {
        f"default/bare-{number:05d}": stored_plain(f"default/bare-{number:05d}", value=BARE) for number in range(60)
    }
    with extra_secrets(az.lab, bare):
        az.lab.fault("connections", "slow:20")
        process = az.begin("rewrite-secrets", "--yes", "--settle-seconds", "1")
        try:
            dumps = 0
            for rewritten in (50, 600):
                wait_until(lambda n=rewritten: counted(az.lab).get(V2.value, 0) > n, "Secrets are rewritten")  # type: ignore[misc]
                memory = _memory_of(process.pid)
                assert re.search(rb"[a-z]-\d{5}", memory), "this is not the memory of a process that rewrites Secrets"
                assert not any(sighting.encode() in memory for sighting in sightings(BARE))
                assert [number for number in _values_in(memory) if number % 3] == []
                dumps += process.poll() is None
            assert dumps, "the process was over before its memory could be read"
        finally:
            _, stderr = process.communicate()
        assert process.returncode == 0, stderr


def test_the_search_finds_a_value_in_whatever_form_it_is() -> None:
    value = f"{MARKER}00041-abcdefghijklmnopqrstuvwxyz"
    for lead in range(3):
        text = base64.b64encode(b"x" * lead + value.encode())
        assert _values_in(b"\x00" * 7 + text + b"\x00") == [41]
    assert _values_in(value.encode()) == [41]


def _values_in(memory: bytes) -> list[int]:
    """The numbers of the seeded Secrets whose values are there, plain or in base64 at any alignment."""
    number = re.compile(re.escape(MARKER).encode() + rb"(\d{5})")
    found = [int(match[1]) for match in number.finditer(memory)]
    _, *encoded = (sighting.encode() for sighting in MARKER_SIGHTINGS)
    for lead, sighting in enumerate(encoded):
        for match in re.finditer(re.escape(sighting), memory):
            begin = match.start() - (0, 2, 3)[lead]
            # What was freed may have been written over before the number.
            if inside := number.search(_decoded(memory[begin : begin + 36])):
                found.append(int(inside[1]))
    return found


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""


def _memory_of(pid: int) -> bytes:
    """All that a process may write to, as it is at this moment."""
    parts = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            begin, end = (int(edge, 16) for edge in span.split("-"))
            try:
                memory.seek(begin)
                parts.append(memory.read(end - begin))
            except (OSError, ValueError, OverflowError):
                continue  # given back meanwhile, or not memory at all (vvar)
    return b"\0".join(parts)
