"""Estimates how long a plan takes, from the cluster's own numbers: ranges, for nobody knows better. Pure.

Secrets are counted and the round trip is measured; what API servers did with them was measured on real ones. How long
Azure takes for an operation is assumed, for it publishes no figures: those ranges are wide on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from azext_kmsmigrate.migration.facts import ClusterFacts, NodePool
from azext_kmsmigrate.migration.kms_v1 import KMS_V1_CACHE, KMS_V1_PER_SECOND
from azext_kmsmigrate.migration.span import Span
from azext_kmsmigrate.migration.step import PlannedStep, StepId
from azext_kmsmigrate.migration.upgrade_path import Hop
from azext_kmsmigrate.migration.version import KMS_V2_FROM


@dataclass(frozen=True)
class Numbers:
    """What was measured on the cluster. ``secrets``: how many, None when it could not be learnt. Seconds."""

    secrets: int | None = None
    round_trip: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """``exposure``: from turning KMS off to the end of encrypt-secrets, or what is left of that; None when none is.

    ``basis``: what the figures stand on, in words. ``total`` is None when a step cannot be estimated.
    """

    total: Span | None
    exposure: Span | None
    basis: tuple[str, ...] = ()


# Assumed: Azure publishes no figures.
_KMS_CHANGE = Span(180, 1200)  # the control plane is updated and its API servers are replaced
_CONTROL_PLANE = Span(300, 1200)
_NODES = Span(120, 900)  # a surge of nodes is made, drained, reimaged and removed; a drain may take 30 minutes alone

# The default of --settle-seconds, and what a control plane that is slow to change over needs.
_SETTLING = Span(60, 300)

# Secrets a second on real API servers, 2 cores, 10,000 Secrets: 790 are rewritten at a round trip of 0, 730 at 20 ms
# with 64 requests at once; 1,000 are looked at. One that holds requests back is taken to be eight times slower.
_REWRITTEN, _LOOKED_AT, _AT_ONCE, _HELD_BACK = 790.0, 1000.0, 64, 8.0

# https://learn.microsoft.com/azure/aks/upgrade-aks-node-pools-rolling: 10 % from 1.32 on, one node before.
_DEFAULT_SURGE = "10%"

_EXPOSED = (StepId.DISABLE_KMS, StepId.DECRYPT_SECRETS, StepId.UPGRADE, StepId.ENABLE_KMS, StepId.ENCRYPT_SECRETS)


def estimated(
    steps: Sequence[PlannedStep], hops: Sequence[Hop], cluster: ClusterFacts, numbers: Numbers
) -> tuple[tuple[PlannedStep, ...], Estimate]:
    """The steps, each with its span where there is one, and what they come to together."""
    timed = tuple(replace(step, estimate=_span(step.id, hops, cluster, numbers)) for step in steps)
    exposed = [step for step in timed if step.id in _EXPOSED]
    exposure = _sum(exposed) if exposed and StepId.ENCRYPT_SECRETS in [s.id for s in exposed] else None
    return timed, Estimate(_sum(timed), exposure, _basis(cluster, numbers))


def _span(step: StepId, hops: Sequence[Hop], cluster: ClusterFacts, numbers: Numbers) -> Span | None:
    if step in (StepId.DISABLE_KMS, StepId.ENABLE_KMS):
        return _KMS_CHANGE
    if step in (StepId.DECRYPT_SECRETS, StepId.ENCRYPT_SECRETS):
        if numbers.secrets is None:
            return None
        under_v1 = step is StepId.DECRYPT_SECRETS and cluster.version < KMS_V2_FROM
        return _SETTLING + _rewriting(numbers.secrets, numbers.round_trip, under_v1=under_v1)
    if step is StepId.UPGRADE:
        return _sum_of(_hop(hop, cluster.pools) for hop in hops) if hops else None
    behind = (pool for pool in cluster.pools if hops or pool.version < cluster.version)
    return _sum_of(_pool(pool) for pool in behind if pool.upgradable)


def _rewriting(secrets: int, round_trip: float, *, under_v1: bool) -> Span:
    """One pass that rewrites and one that looks at all again."""
    gentle = KMS_V1_PER_SECOND if under_v1 and secrets > KMS_V1_CACHE else math.inf
    network = _AT_ONCE / round_trip if round_trip > 0 else math.inf
    fast = [min(_REWRITTEN, network, gentle), min(_LOOKED_AT, network)]
    slow = [min(min(_REWRITTEN, network) / _HELD_BACK, gentle), min(_LOOKED_AT, network) / _HELD_BACK]
    return Span(sum(secrets / rate for rate in fast), sum(secrets / rate for rate in slow))


def _hop(hop: Hop, pools: Iterable[NodePool]) -> Span:
    """The control plane, and for a whole cluster its pools: side by side at best, one after the other at worst."""
    spans = [_pool(pool) for pool in pools if pool.upgradable] if hop.whole else []
    nodes = Span(max((s.low for s in spans), default=0.0), sum(s.high for s in spans))
    return _CONTROL_PLANE + nodes


def _pool(pool: NodePool) -> Span:
    return _NODES.times(_batches(pool.count, pool.surge or _DEFAULT_SURGE), _batches(pool.count, pool.surge or "1"))


def _batches(nodes: int, surge: str) -> float:
    """How many times a surge of nodes is replaced. A percentage counts without Azure's rounding up to whole nodes."""
    try:
        at_once = nodes * float(surge[:-1]) / 100 if surge.endswith("%") else float(surge)
    except ValueError:
        at_once = 1.0
    return math.ceil(round(nodes / max(1.0, at_once), 6))


def _basis(cluster: ClusterFacts, numbers: Numbers) -> tuple[str, ...]:
    nodes = sum(pool.count for pool in cluster.pools)
    pools = ", ".join(f"{p.name}: {p.count} nodes, max surge {p.surge or 'by default'}" for p in cluster.pools)
    counted = (
        "the Secrets could not be counted"
        if numbers.secrets is None
        else f"{numbers.secrets:,} Secrets and a round trip of {numbers.round_trip * 1000:.0f} ms, measured now"
    )
    return (
        counted,
        f"{nodes} nodes ({pools})" if pools else "no node pools",
        "how long Azure takes for an operation is assumed: it publishes no figures, and a drain may take 30 minutes",
    )


def _sum(steps: Sequence[PlannedStep]) -> Span | None:
    spans = [step.estimate for step in steps]
    return None if None in spans else _sum_of(span for span in spans if span)


def _sum_of(spans: Iterable[Span]) -> Span:
    return sum(spans, Span())
