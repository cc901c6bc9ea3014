"""``show``: whatever can be seen is told, also when the API server is away or the cluster is stopped."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import ClusterError, Refused
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.events import Moment
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.results import Status
from azext_kmsmigrate.runner import Runner
from azext_kmsmigrate.standing import Standing
from tests.sim.azure import Trouble
from tests.sim.cluster import FAST, SimCluster, agree
from tests.sim.process import Killed


def show(sim: SimCluster) -> Status:
    return sim.runner().show()


def stopped_after(step: StepId) -> SimCluster:
    sim = SimCluster()
    sim.start(Request(stop_after=step))
    return sim.after(61.0)


@pytest.mark.parametrize(
    ("step", "following", "done"),
    [
        (StepId.DISABLE_KMS, "decrypt-secrets", 0),
        (StepId.DECRYPT_SECRETS, "decrypt-secrets", 6),  # a new run makes the proof anew,
        (StepId.UPGRADE, "decrypt-secrets", 6),
        (StepId.ENABLE_KMS, "encrypt-secrets", 0),
    ],
)
def test_the_step_the_secrets_and_the_exposure_are_told(step: StepId, following: str, done: int) -> None:
    seen = show(stopped_after(step))
    assert seen.step == seen.remaining[0] == following
    assert seen.secrets is not None
    assert (seen.secrets.total, seen.secrets.done, seen.secrets.left) == (6, done, 6 - done)
    assert seen.journal is not None
    assert seen.journal.exposure.start is not None
    assert seen.journal.exposure.end is None
    assert (seen.operation, seen.unseen) == (None, [])
    assert seen.next_command == "az aks kms-migrate start -g shop -n blue"


@pytest.mark.parametrize("point", range(40, 640, 12))
def test_wherever_a_run_died_no_step_is_told_that_is_not_left(point: int) -> None:
    sim = SimCluster()
    with suppress(Killed):
        Runner(sim.process(kill_at=point).world(), FAST).run(Request(), agree)
    seen = show(sim.after(61.0))
    assert (seen.step in seen.remaining) if seen.remaining else (seen.step is None)


def test_an_operation_under_way_is_named_and_that_a_run_is_at_work() -> None:
    sim = SimCluster()
    process = sim.process()
    found: list[Status] = []

    def look(moment: Moment) -> None:
        if "disable-kms" in str(moment) and not found:
            found.append(Standing.of(replace(sim.process().world(), observer=process.world().observer)).status())

    process.on_moment = look
    Runner(process.world(), FAST).run(Request(), agree)
    assert (found[0].operation, found[0].step, found[0].runner) == ("Updating", "disable-kms", process.name)


def test_a_failed_operation_is_named() -> None:
    sim = SimCluster()
    sim.azure.trouble = {"upgrade 1.27.1": [Trouble()]}
    sim.start()
    assert show(sim).operation == "Failed"


class Away:
    """An API server that nobody reaches."""

    def load(self) -> Any:
        raise ClusterError(errors.API_UNREACHABLE, what="read the journal", code="timed out")


@pytest.mark.parametrize("step", [StepId.DECRYPT_SECRETS, StepId.ENABLE_KMS])
def test_without_the_api_server_what_azure_says_is_told_and_what_was_not_seen(step: StepId) -> None:
    sim = stopped_after(step)
    seen = Standing.of(replace(sim.process().world(), journal=Away())).status()  # type: ignore[arg-type]
    assert seen.cluster.kms == ("Off" if step is StepId.DECRYPT_SECRETS else "KmsV2")
    assert (seen.journal, seen.secrets, seen.runner) == (None, None, None)
    assert "cannot be reached" in seen.unseen[0]
    assert seen.next_command == "az aks kms-migrate start -g shop -n blue"


def test_a_stopped_cluster_is_told_from_azure_alone() -> None:
    sim = stopped_after(StepId.DECRYPT_SECRETS)
    sim.meddle(lambda facts: replace(facts, power="Stopped"))
    seen = show(sim)
    assert seen.blocked is not None
    assert seen.blocked.code == "KMSM103"
    assert seen.cluster.kms == "Off"


class Foreign:
    def load(self) -> Any:
        raise Refused(errors.JOURNAL_FOREIGN, reason="it is not JSON")


def test_a_journal_that_is_none_is_told_with_what_to_type() -> None:
    seen = Standing.of(replace(SimCluster().process().world(), journal=Foreign())).status()  # type: ignore[arg-type]
    assert seen.blocked is not None
    assert seen.blocked.code == "KMSM308"


def test_a_revert_that_stopped_is_continued_by_revert() -> None:
    sim = stopped_after(StepId.DECRYPT_SECRETS)
    sim.azure.trouble = {"enable-kms": [Trouble()], "reconcile": [Trouble()]}
    sim.start(Request(back=True))
    assert show(sim).next_command == "az aks kms-migrate revert -g shop -n blue"
