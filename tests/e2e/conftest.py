"""The labs of the rewriting tests: a module says in ``LAB`` which one it needs, and ends with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.az import Az
from tests.e2e.rewriting import counted, real_lab, turn_kms_v2_on


@pytest.fixture(scope="module")
def lab_az(extensions: Path, request: pytest.FixtureRequest) -> Iterator[Az]:
    """The module's lab on real API servers, as it comes up."""
    with real_lab(extensions, **request.module.LAB) as az:
        yield az


@pytest.fixture(scope="module")
def encrypted(lab_az: Az) -> Az:
    """A cluster of 1.27 on which KMS v2 was turned on, and proven."""
    turn_kms_v2_on(lab_az)
    return lab_az


@pytest.fixture
def az(encrypted: Az, request: pytest.FixtureRequest) -> Iterator[Az]:
    """KMS v2 is on, and every Secret lies in etcd as it was before that: plain. The network is well again after it."""
    encrypted.lab.fault("put-raw", "all")
    assert counted(encrypted.lab) == {"plain": request.module.LAB["secrets"]}
    yield encrypted
    if "proxy" in request.module.LAB.get("extra", {}):
        encrypted.lab.fault("connections", "ok")
