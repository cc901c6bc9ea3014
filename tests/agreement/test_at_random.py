"""Clusters and vaults with several things wrong at once: whenever ``check`` passes, the whole ``start`` succeeds.

And whenever it would not, ``check`` said so, and ``start`` changes nothing. ``KMS_AGREEMENT_SEEDS`` tries more of them.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from tests.agreement.agreement import verdict
from tests.agreement.disturbances import Disturbance
from tests.agreement.faults import FAULTS

SEEDS = range(int(os.environ.get("KMS_AGREEMENT_SEEDS", "16")))
_LABS: list[dict[str, Any]] = [
    {},
    {"vaults": 2},
    {"vaults": 2, "key_vault": "private"},
    {"kubernetes": "1.25.11", "offers": ("1.27.1", "1.34.4")},
    {"kubernetes": "1.25.11", "offers": ("1.25.11>1.26.15", "1.26.15>1.27.1")},
    {"supported": True, "pools": 3},
    {"offers": ("1.34.4",), "replicas": 2},
    {"kms": False},
]


def chosen(seed: int) -> tuple[dict[str, Any], dict[str, Disturbance]]:
    """A lab, and what is wrong with it: nothing, or up to three things that need no other lab; harmless ones often."""
    chance = random.Random(seed)
    options = dict(chance.choice(_LABS))
    wrong: dict[str, Disturbance] = {}
    harmless = [name for name, fault in FAULTS.items() if not fault.foretold]
    for _ in range(chance.choice((0, 1, 2, 2, 3))):
        name = chance.choice(harmless if chance.random() < 0.6 else list(FAULTS))
        fault = FAULTS[name]
        if all(options.get(key, value) == value for key, value in fault.options.items()):
            options.update(fault.options)
            wrong[name] = fault
    return options, wrong


@pytest.mark.parametrize("seed", SEEDS)
def test_what_passes_is_migrated_and_what_is_not_was_said_before(seed: int) -> None:
    options, wrong = chosen(seed)
    found = verdict(wrong.values(), **options)
    told = f"{options} with {list(wrong)}: {found}"
    assert found.begun == (), told
    assert found.passes or found.said, told
    if found.passes and not any(fault.limit for fault in wrong.values()):
        assert found.succeeds, told
