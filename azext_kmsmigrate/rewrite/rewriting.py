"""Rewrites all Secrets in the form the control plane now writes, and proves it.

    settle  ->  barrier  ->  rewrite what is at or below it  ->  proof pass over all  ->  the same world still?
            ->  closing looks, where no counters witnessed the pass

The proof is a pass that must find everything current. It stops at the first Secret that moves without somebody else
having changed it; then a replica wrote the old form after the barrier, and everything is done again, a few times. So
it is when an API server began anew meanwhile, since nobody can say what it wrote before that.

A Secret that was written after the pass had been at it is not in the pass. Where every API server's own counters were
read before and after, they say that none was written in another form. Where not, closing looks patch what was written
since the pass began, under the same rules, then what was written since that look began, until nothing is new.

What a behavioural proof may miss, when there are no counters to tell it:

- an API server that goes to another form and back between two looks at the canary on every connection to it (a second,
  or as long as one slow answer takes: ``rewrite.watch``), and that is asked in just that time about a Secret that lies
  in that form: it finds it current.
- an API server that no connection of ours reaches.
- what is written above ``Evidence.resource_version``: the verdict is about the moment when the last look began. While
  others write all the time each look finds something new; after a few of them the last one's beginning has to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import ClusterError, Conflict
from azext_kmsmigrate.migration.counts import SecretCounts
from azext_kmsmigrate.migration.events import Note, Warned
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsState
from azext_kmsmigrate.migration.journal import CanaryRecord
from azext_kmsmigrate.migration.kms_v1 import KMS_V1_CACHE, KMS_V1_PER_SECOND
from azext_kmsmigrate.migration.secret import Failure, FailureClass, Page, SecretRef, StoredAs
from azext_kmsmigrate.migration.version import KMS_V2_FROM
from azext_kmsmigrate.patience import Patience
from azext_kmsmigrate.ports import Clock, Observer, Secrets, Tick
from azext_kmsmigrate.rewrite.engine import Engine
from azext_kmsmigrate.rewrite.evidence import Evidence, Grade, PassRecord
from azext_kmsmigrate.rewrite.passes import Pass, PassResult, Purpose
from azext_kmsmigrate.rewrite.reach import Reach
from azext_kmsmigrate.rewrite.settler import Settled, Settler
from azext_kmsmigrate.rewrite.witness import counters_around

_ROUNDS = 3
_LOOKS = 5  # closing ones: each is about what was written while the one before it went on
_NOWHERE = "aks-kms-migrate-nowhere"  # a namespace without Secrets: its list has a resourceVersion and no bad page


@dataclass(frozen=True)
class Limits:
    """How patient and how fast a run is. ``grace`` and ``patience`` in seconds; ``parallel`` requests at once."""

    grace: float = 60.0
    patience: float = 1200.0
    parallel: int = 64


def stored_form(state: KmsState) -> StoredAs:
    """The form in which Secrets have to lie, given what Azure says of KMS."""
    return {KmsState.OFF: StoredAs.PLAIN, KmsState.V1: StoredAs.KMS_V1}.get(state, StoredAs.KMS_V2)


class Rewriting:
    """One cluster's Secrets.

    ``observe`` reads the cluster from ARM, to see that it is the same at both ends. ``plant`` makes a canary where a
    proof has none from before the change. ``patience``: of the run, with API servers that do not answer.
    """

    def __init__(
        self,
        secrets: Secrets,
        clock: Clock,
        observer: Observer,
        observe: Callable[[], ClusterFacts],
        limits: Limits,
        plant: Callable[[], SecretRef],
        patience: Patience | None = None,
    ) -> None:
        self._secrets, self._clock, self._observer, self._observe = secrets, clock, observer, observe
        patience = patience or Patience(clock)
        self._reach = Reach(secrets, patience)
        self._engine = Engine(secrets, clock, limits.parallel, patience=patience)
        self._settler = Settler(secrets, clock, limits.grace, limits.patience, plant, patience)

    def settle(self, wanted: StoredAs, before: CanaryRecord | None, tick: Tick) -> Settled:
        """Wait until every API server writes the wanted form; see ``Settler.settle``."""
        settled = self._settler.settle(wanted, before, tick)
        self._say(f"Every API server that answers writes {wanted.value} (sign: {settled.grade.value}).")
        return settled

    def barrier(self) -> int:
        """The resourceVersion of the collection now: what is written later has a higher one."""
        page = self._engine.read_page(_NOWHERE, "", limit=1)
        if isinstance(page, Failure):
            refused = page.kind is FailureClass.UNAUTHORIZED
            raise ClusterError(errors.SIGN_IN_REFUSED if refused else errors.API_FAILED, what="list Secrets", code=page)
        return page.resource_version

    def rewrite_and_prove(
        self,
        wanted: StoredAs,
        settled: Settled,
        seen: ClusterFacts,
        tick: Tick,
        *,
        barrier: int,
        namespaces: tuple[str, ...] = (),
    ) -> Evidence:
        """Rewrite, then prove; the evidence says whether it holds. Needs ``settle`` and a barrier taken after it.

        :raises ClusterError: SIGN_IN_REFUSED, and what ``settle`` raises in a later round
        :raises Conflict: somebody changed KMS or the version meanwhile
        """
        started, rewritten = self._now(), 0
        for attempt in range(1, _ROUNDS + 1):
            found = self._pass(Pass(namespaces, barrier, per_second=self._gentle(seen)), tick)
            evidence = replace(
                self._evidence(wanted, settled, seen, barrier, started, namespaces),
                passes=(_record(found),),
                failed=tuple(found.failed),
                systemic=str(found.systemic or ""),
                rewritten_earlier=rewritten,
            )
            if found.systemic:
                return evidence
            self._say(f"Rewritten: {_text(found.counts)}. Now the proof: a second pass over all of them.")
            evidence = self._prove(evidence, settled, seen, tick)
            if evidence.disturbed or not evidence.same_world:
                self._refuse_another_world(seen)
            if not evidence.disturbed or attempt == _ROUNDS:
                return evidence
            rewritten = evidence.counts.rewritten
            self._warn(f"{evidence.disturbed} Settling, rewriting and proving again.")
            settled = self.settle(wanted, settled.record, tick)
            barrier = self.barrier()
        return evidence

    def prove(
        self,
        wanted: StoredAs,
        before: CanaryRecord | None,
        seen: ClusterFacts,
        tick: Tick,
        namespaces: tuple[str, ...] = (),
    ) -> Evidence:
        """Only look: stops at the first Secret in another form, so at most a few are rewritten by looking.

        API servers that do not write the wanted form are no error here but a finding: no Secret is touched then.
        """
        started = self._now()
        try:
            settled = self.settle(wanted, before, tick)
        except ClusterError as error:
            if error.entry is not errors.NOT_SETTLED:
                raise
            evidence = self._evidence(wanted, None, seen, 0, started, namespaces)
            return replace(evidence, unsettled=str(error.values["signs"]))
        evidence = self._evidence(wanted, settled, seen, self.barrier(), started, namespaces)
        return self._prove(evidence, settled, seen, tick)

    def dry_run(self, seen: ClusterFacts, tick: Tick) -> PassResult:
        """Try every Secret as a rewrite would send it; nothing is written, whatever the API servers write now."""
        return self._pass(Pass(purpose=Purpose.DRY_RUN, per_second=self._gentle(seen)), tick)

    def rewrite_unsettled(self, tick: Tick) -> SecretCounts:
        """Rewrite whatever can be, after turning KMS off has failed; proves nothing.

        "If the previous command to update KMS fails, still run the following command to avoid unexpected state for
        KMS plugin": https://learn.microsoft.com/azure/aks/use-kms-v2
        """
        return self._pass(Pass(barrier=self.barrier()), tick).counts

    def _prove(self, evidence: Evidence, settled: Settled, seen: ClusterFacts, tick: Tick) -> Evidence:
        slowly = 0.0 if evidence.stored_as is StoredAs.PLAIN else self._gentle(seen)
        wish = Pass(evidence.scope, purpose=Purpose.PROOF, canary=settled.canary, per_second=slowly)
        with counters_around(self._secrets, self._reach, tick) as statement:
            proof = self._pass(wish, tick)
            witnessed = 0 if proof.tripped or proof.systemic else self.barrier()
        record = replace(_record(proof), reads=statement.reads, writes=statement.writes, restarted=statement.restarted)
        again = self._observe()
        same = _world_of(again) == _world_of(seen)
        same = same and self._settler.still_settled(settled, tick)
        looks: list[PassResult] = []
        if statement.witnesses < max(1, settled.replicas):
            looks = self._look_again(wish, proof, tick)
            witnessed = (looks[-1] if looks else proof).resource_version
        every = (proof, *looks)
        failed = {(one.namespace, one.name): one for found in every for one in found.failed}
        return replace(
            evidence,
            passes=(*evidence.passes, record),
            looks=tuple(map(_record, looks)),
            resource_version=witnessed,
            finished_at=self._now(),
            same_world=same,
            tripped=tuple(one for found in every for one in found.tripped),
            failed=tuple(failed.values()),
            systemic=next((str(found.systemic) for found in every if found.systemic), ""),
        )

    def _refuse_another_world(self, seen: ClusterFacts) -> None:
        """What somebody changed in Azure meanwhile does not settle: no use in waiting for it."""
        if _world_of(self._observe()) != _world_of(seen):
            raise Conflict(errors.CHANGED_MEANWHILE, what="the proof", code="another KMS state or version")

    def _look_again(self, wish: Pass, proof: PassResult, tick: Tick) -> list[PassResult]:
        """The closing looks, each at what was written since the one before it began, until one finds nothing new."""
        looks: list[PassResult] = []
        last = proof
        while not (last.tripped or last.systemic) and len(looks) < _LOOKS and (not looks or last.counts.total):
            last = self._pass(replace(wish, above=last.resource_version), tick)
            looks.append(last)
        return looks

    def _evidence(
        self,
        wanted: StoredAs,
        settled: Settled | None,
        seen: ClusterFacts,
        barrier: int,
        started: str,
        namespaces: tuple[str, ...],
    ) -> Evidence:
        return Evidence(
            stored_as=wanted,
            grade=settled.grade if settled else Grade.NONE,
            replicas=settled.replicas if settled else 0,
            canary_moves=settled.moves if settled else 0,
            barrier=barrier,
            passes=(),
            kubernetes_version=str(seen.version),
            started_at=started,
            finished_at=self._now(),
            scope=namespaces,
            signs=settled.signs if settled else (),
        )

    def _gentle(self, seen: ClusterFacts) -> float:
        """Secrets a second at most, where reading them may cost Key Vault calls; 0 for no such limit."""
        if seen.version >= KMS_V2_FROM:
            return 0.0
        page = self._engine.read_page("", "", limit=1)
        count = len(page.items) + (page.remaining or 0) if isinstance(page, Page) else KMS_V1_CACHE + 1
        if count <= KMS_V1_CACHE:
            return 0.0
        self._say(
            f"{count:,} Secrets are more than the {KMS_V1_CACHE:,} keys that KMS v1 keeps in memory, so that reading "
            f"one may cost a call to Key Vault: going at {KMS_V1_PER_SECOND:.0f} a second at most."
        )
        return KMS_V1_PER_SECOND

    def _pass(self, wanted: Pass, tick: Tick) -> PassResult:
        found = self._engine.run(wanted, tick)
        if refused := next((one for one in found.failed if one.kind is FailureClass.UNAUTHORIZED), None):
            code = Failure(refused.kind, refused.detail)
            raise ClusterError(errors.SIGN_IN_REFUSED, what="list and patch Secrets", code=code)
        return found

    def _say(self, text: str) -> None:
        self._observer.tell(Note(text))

    def _warn(self, text: str) -> None:
        self._observer.tell(Warned(text))

    def _now(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _world_of(seen: ClusterFacts) -> tuple[object, ...]:
    """What has to be the same at both ends of a proof."""
    return seen.kms, seen.version, seen.platform_kms


def _record(found: PassResult) -> PassRecord:
    return PassRecord(found.counts, round(found.seconds, 3), found.changed, found.digest, course=found.course)


def _text(counts: SecretCounts) -> str:
    return (
        f"{counts.total:,} Secrets, {counts.rewritten:,} rewritten, {counts.current:,} already current, "
        f"{counts.gone:,} gone, {counts.failed:,} failed"
    )
