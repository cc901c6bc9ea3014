"""All checks, in the order they are shown."""

from __future__ import annotations

from azext_kmsmigrate.checks import grant, identity, key, lock, management, network, policy, rights, state, vault
from azext_kmsmigrate.checks.check import Check

CHECKS: tuple[Check, ...] = (
    *state.CHECKS,
    *rights.CHECKS,
    *lock.CHECKS,
    *policy.CHECKS,
    *management.CHECKS,
    *identity.CHECKS,
    *key.CHECKS,
    *vault.CHECKS,
    *grant.CHECKS,
    *network.CHECKS,
)
