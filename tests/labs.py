"""Fixtures: labs, and az with the extension installed from its wheel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.az import AZ, Az
from tests.demo.installation import install
from tests.lab.client import LabClient
from tests.lab.model import LabOptions

BOTH = ["embedded", pytest.param("real", marks=pytest.mark.real)]

UpLab = Callable[..., Az]


@pytest.fixture(scope="session")
def extensions() -> Path:
    """The directory in which ``az extension add`` has installed the built wheel."""
    return install(AZ)


@pytest.fixture
def up(extensions: Path, request: pytest.FixtureRequest) -> Iterator[UpLab]:
    """Brings labs up for one test: ``up("real", secrets=100)``; they end with it."""
    labs: list[LabClient] = []

    def bring_up(apiserver: str, **options: Any) -> Az:
        name = f"t{abs(hash(request.node.nodeid)) % 10**8}{len(labs)}"
        lab = LabClient.up(LabOptions(name, apiserver=apiserver, **options), tethered=True)
        labs.append(lab)
        return Az(lab, extensions)

    yield bring_up
    for lab in labs:
        lab.down()
