"""Statements about whole migrations on the simulated cluster."""

from __future__ import annotations

from azext_kmsmigrate.exit_codes import exit_code
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.plan import Goal
from azext_kmsmigrate.results import RunResult, RunState
from tests.sim.cluster import SimCluster

DISABLE, DECRYPT, UPGRADE = "disable-kms", "decrypt-secrets", "upgrade"
ENABLE, ENCRYPT, POOLS = "enable-kms", "encrypt-secrets", "upgrade-node-pools"

UNASKED = Request(skipped=frozenset({"K-10", "C-04"}))
"""Of a user who leaves out the checks that would have found an obstinate Secret first."""


def steps_of(result: RunResult) -> list[str]:
    return [step.id for step in result.steps]


def assert_completes(sim: SimCluster, goal: Goal | None = None, *, secrets: int = 6) -> RunResult:
    """``start`` does what ``plan`` says, to the end, and every Secret is proven under KMS v2."""
    goal = goal or Goal()
    planned = [s.id for s in sim.runner().plan(goal).steps]
    result = sim.start(Request(goal))
    assert (result.state, result.problem) == (RunState.COMPLETED, None)
    assert exit_code(result) == 0
    assert steps_of(result) == planned
    assert sim.forms == {"kms-v2": secrets}
    assert result.evidence is not None
    assert result.evidence.missing == []
    assert result.evidence.stored_as == "kms-v2"
    assert (result.cluster.kms, result.cluster.provisioning_state) == ("KmsV2", "Succeeded")
    assert sim.journal.completed_at
    assert sim.journal.canary is None
    assert sim.api.find_canary() is None
    assert sim.lease_holder == ""
    return result


def assert_fails(result: RunResult, code: str, exit_with: int) -> None:
    assert result.state is RunState.FAILED
    assert result.problem is not None
    assert (result.problem.code, int(exit_code(result))) == (code, exit_with)
