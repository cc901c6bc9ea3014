"""All checks, in the order they are shown."""

from __future__ import annotations

from azext_kmsmigrate.checks import state, writable
from azext_kmsmigrate.checks.check import Check

CHECKS: tuple[Check, ...] = (*state.CHECKS, *writable.CHECKS)
