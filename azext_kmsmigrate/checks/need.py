"""What a cluster needs, and what blocks it, as far as Azure's list of clusters shows: no journal, no Secret, no vault.

Decided by the plan and by the checks that look at nothing else; what a list cannot show is not claimed.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from azext_kmsmigrate.checks.catalogue import CHECKS
from azext_kmsmigrate.checks.check import Check, Finding, Severity
from azext_kmsmigrate.checks.scene import Scene
from azext_kmsmigrate.checks.suite import judged
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsState, Offers
from azext_kmsmigrate.migration.plan import Goal, Plan, Situation, decide

_NOT_ASKED = Offers(seen=False)
_OF_A_LIST = tuple(check for check in CHECKS if not check.reads and check.severity is Severity.BLOCK)


class Need(str, enum.Enum):
    """What is left to do for KMS v2.

    ``migration``: KMS v1 is on. ``completion``: KMS is off and a key is still named, so a migration was begun, or
    somebody turned KMS off: Secrets may be stored without it. ``nothing``: KMS v2 or the newer encryption is on, or
    there is no KMS; whether each Secret is stored so is for ``verify`` to prove. ``unknown``: it could not be read.
    """

    MIGRATION = "migration"
    COMPLETION = "completion"
    NOTHING = "nothing"
    UNKNOWN = "unknown"


def need_of(cluster: ClusterFacts) -> Need:
    """What the plan would be, were the cluster at work and at rest."""
    plan = _plan(replace(cluster, power="Running", state="Succeeded"))
    if not plan.pending:
        return Need.NOTHING
    return Need.MIGRATION if plan.state is KmsState.V1 else Need.COMPLETION


def blockers(cluster: ClusterFacts, now: datetime) -> Iterator[tuple[Check, Finding]]:
    """What would stop ``start`` at once. More may: ``check`` looks at all of it."""
    scene = Scene(Situation(cluster, _NOT_ASKED), Goal(), _plan(cluster), now)
    for result in judged(_OF_A_LIST, scene):
        for finding in result.findings:
            if (finding.severity or result.check.severity) is Severity.BLOCK:
                yield result.check, finding


def _plan(cluster: ClusterFacts) -> Plan:
    return decide(Situation(cluster, _NOT_ASKED), Goal())
