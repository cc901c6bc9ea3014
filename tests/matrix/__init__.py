"""The fault matrix: every kind of request that a migration makes, times every failure that can happen there."""
