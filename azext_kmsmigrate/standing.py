"""Where a migration stands, for ``show``: whatever can be seen, also without the API server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from azext_kmsmigrate.deeds import World
from azext_kmsmigrate.errors import AzureError, ClusterError, KmsMigrateError, Refused
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsState, Offers
from azext_kmsmigrate.migration.hindsight import in_hindsight
from azext_kmsmigrate.migration.journal import Direction, Journal
from azext_kmsmigrate.migration.plan import Situation
from azext_kmsmigrate.migration.secret import Failure
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.migration.version import KMS_V2_FROM
from azext_kmsmigrate.results import ClusterDocument, JournalDocument, ProblemDocument, ProgressDocument, Status

_T = TypeVar("_T")


@dataclass(frozen=True)
class Standing:
    """What was seen. ``secrets``: how many there are. ``unseen``: what could not be looked at, and why."""

    situation: Situation
    holder: str | None
    secrets: int | None
    unseen: tuple[KmsMigrateError, ...]

    @classmethod
    def of(cls, world: World) -> Standing:
        """Look at everything. Raises what keeps Azure itself from telling of the cluster."""
        cluster, unseen = world.cluster.observe(), []

        def seen(look: Callable[[], _T], otherwise: _T) -> _T:
            try:
                return look()
            except (AzureError, ClusterError, Refused) as error:
                unseen.append(error)
                return otherwise

        if cluster.power != "Running" or cluster.state == "Deleting" or cluster.kms_state is KmsState.PLATFORM:
            return cls(Situation(cluster, Offers()), None, None, ())
        journal = seen(world.journal.load, None)
        in_reach = not any(isinstance(error, ClusterError) for error in unseen)
        holder = seen(world.lease.holder, None) if in_reach else None
        secrets = seen(lambda: _count(world, journal), None) if in_reach and journal is not None else None
        return cls(Situation(cluster, seen(world.cluster.offers, Offers()), journal), holder, secrets, tuple(unseen))

    def status(self) -> Status:
        situation, cluster = self.situation, self.situation.cluster
        journal = in_hindsight(situation.journal, cluster) if situation.journal else None
        request = Request(back=goes_back(journal, cluster))
        plan = request.decide(situation)
        foreign = next((error for error in self.unseen if isinstance(error, Refused)), None)
        blocked = foreign or plan.blocked
        verb = "revert" if request.back else "start"
        # Without the journal only a run that reaches it can tell whether anything is left.
        command = verb if plan.pending or self.unseen else "verify"
        running = journal.running if journal is not None and journal.unfinished else None
        following = plan.steps[0].id if plan.steps else None
        step = running.id if running else following
        return Status(
            cluster=ClusterDocument.of(cluster),
            summary=plan.summary,
            remaining=[s.id.value for s in plan.steps],
            blocked=ProblemDocument.of(blocked) if blocked else None,
            journal=JournalDocument.of(journal) if journal else None,
            runner=self.holder,
            next_command=None if blocked else f"az aks kms-migrate {command} {cluster.name.option_text}",
            irreversible=[s.id.value for s in plan.steps if not s.reversible],
            step=step.value if step else None,
            operation=None if cluster.state == "Succeeded" else cluster.state,
            secrets=self._progress(journal, cluster),
            unseen=[error.what for error in self.unseen],
        )

    def _progress(self, journal: Journal | None, cluster: ClusterFacts) -> ProgressDocument | None:
        if journal is None or self.secrets is None:
            return None
        step = StepId.DECRYPT_SECRETS if cluster.kms_state is KmsState.OFF else StepId.ENCRYPT_SECRETS
        record = journal.record_of(step)
        counts = record.secrets if record else None
        done = min(self.secrets, counts.rewritten + counts.current) if counts else 0
        return ProgressDocument(step.value, self.secrets, done, self.secrets - done)


def _count(world: World, journal: Journal | None) -> int | None:
    """How many Secrets there are, from one page of one. The canary is counted by the server, and left out of items."""
    page = world.secrets.page(limit=1)
    if isinstance(page, Failure) or (page.token and page.remaining is None):
        return None
    counted = page.remaining or 0
    canary_follows = bool(page.items) and journal is not None and journal.canary is not None
    return max(0, len(page.items) + counted - canary_follows)


def goes_back(journal: Journal | None, cluster: ClusterFacts) -> bool:
    """Whether an unfinished run was on its way back to KMS v1, and still can go there."""
    unfinished = journal is not None and journal.unfinished and journal.direction is Direction.BACK
    return unfinished and max(cluster.version, cluster.wanted) < KMS_V2_FROM
