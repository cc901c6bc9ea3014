"""Rewrites all Secrets in the form the control plane now writes, and proves it.

    settle  ->  barrier  ->  rewrite what is at or below it  ->  proof pass over all  ->  the same world still?

The proof is a pass that must find everything current. It stops at the first Secret that moves without somebody else
having changed it; then a replica wrote the old form after the barrier, and everything is done again, a few times.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import ClusterError
from azext_kmsmigrate.migration.counts import SecretCounts
from azext_kmsmigrate.migration.facts import ClusterFacts, KmsState
from azext_kmsmigrate.migration.journal import CanaryRecord
from azext_kmsmigrate.migration.secret import Answer, Counters, Failure, Gone, Patched, SecretRef, StoredAs
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.ports import Clock, Observer, Secrets, Tick
from azext_kmsmigrate.rewrite.engine import Engine, Pass, PassResult
from azext_kmsmigrate.rewrite.evidence import Evidence, Grade
from azext_kmsmigrate.rewrite.settling import (
    SAMPLES,
    DirectSigns,
    Settling,
    Sighting,
    collect,
    sighting,
)

_ROUNDS = 3
_DIRECT_LOOKS = 6  # readings of /metrics, which are large
_SILENCE = 0.5  # seconds between two looks


@dataclass(frozen=True)
class Limits:
    """How patient and how fast a run is. ``grace`` and ``patience`` in seconds; ``parallel`` requests at once."""

    grace: float = 60.0
    patience: float = 1200.0
    parallel: int = 24


@dataclass(frozen=True)
class Settled:
    """Every sampled API server writes the wanted form: the positive sign, and the canary as it lies now.

    ``record``: how the journal knows the canary, when it does.
    """

    grade: Grade
    replicas: int
    moves: int
    canary: SecretRef
    record: CanaryRecord | None = None


def stored_form(state: KmsState) -> StoredAs:
    """The form in which Secrets have to lie, given what Azure says of KMS."""
    return {KmsState.OFF: StoredAs.PLAIN, KmsState.V1: StoredAs.KMS_V1}.get(state, StoredAs.KMS_V2)


class Rewriting:
    """One cluster's Secrets. ``observe`` reads the cluster from ARM, to see that it is the same at both ends."""

    def __init__(
        self,
        secrets: Secrets,
        clock: Clock,
        observer: Observer,
        observe: Callable[[], ClusterFacts],
        limits: Limits,
    ) -> None:
        self._secrets, self._clock, self._observer, self._observe = secrets, clock, observer, observe
        self._limits = limits
        self._engine = Engine(secrets, clock, limits.parallel)

    def settle(self, wanted: StoredAs, before: CanaryRecord | None, tick: Tick) -> Settled:
        """Wait until no API server disagrees about the form it writes.

        :param before: the canary as it was recorded before a change, when it was: the change to the wanted form, so
            that it has to move, or one that has not come, so that it has to lie as it was proven
        :raises ClusterError: NOT_SETTLED, when it does not come about within the patience
        """
        canary = self._secrets.canary_as(before) if before else self._secrets.create_canary()
        # A change that was planned and never came leaves the canary as it was proven: there it must not move.
        proven = before is not None and before.before is StepId.ENABLE_KMS and wanted is StoredAs.PLAIN
        state = Settling(self._limits.grace, inherited=before is not None, changed=proven)
        deadline = self._clock.monotonic() + self._limits.patience
        while True:
            canary, state = self._sample(canary, state)
            now = self._clock.monotonic()
            signs = state.describe()
            if proven and state.moves:
                proven, state = False, Settling(self._limits.grace)
            # Looking directly changes the canary, so it waits until the canary has said what it can.
            if state.still(now) and (state.changed or not state.inherited):
                record = before if state.inherited else None
                canary, direct = self._look_directly(canary)
                if wrong := direct.disagreeing(wanted):
                    signs = f"an API server still writes {' and '.join(wrong)}"
                    state = Settling(self._limits.grace, state.inherited, changed=state.changed)
                elif direct.replicas:
                    return Settled(Grade.DIRECT, direct.replicas, state.moves, canary, record)
                else:
                    grade = Grade.BEHAVIOURAL if state.inherited else Grade.NONE
                    return Settled(grade, 0, state.moves, canary, record)
            if now > deadline:
                raise ClusterError(errors.NOT_SETTLED, seconds=round(self._limits.patience), signs=signs)
            tick(f"waiting until every API server writes {wanted.value}: {signs}")
            self._clock.sleep(min(_SILENCE, self._limits.grace / SAMPLES))

    def rewrite_and_prove(
        self,
        wanted: StoredAs,
        settled: Settled,
        seen: ClusterFacts,
        tick: Tick,
        namespaces: tuple[str, ...] = (),
    ) -> Evidence:
        """Rewrite, then prove; the evidence says whether it holds. Needs ``settle`` first."""
        started = self._now()
        for attempt in range(1, _ROUNDS + 1):
            barrier = self._barrier()
            rewriting = self._pass(Pass(namespaces, barrier), "Rewriting", tick)
            evidence = self._evidence(wanted, settled, seen, barrier, rewriting, started, namespaces)
            if rewriting.systemic:
                return replace(evidence, systemic=str(rewriting.systemic))
            self._observer.say(f"Rewritten: {_text(rewriting.counts)}. Now the proof: a second pass over all of them.")
            evidence = self._prove(evidence, settled, seen, tick, namespaces)
            if not evidence.tripped or attempt == _ROUNDS:
                return evidence
            self._observer.say(
                f"The proof met a Secret in another form ({evidence.tripped[0]}): an API server wrote the old form "
                "late. Settling and rewriting again."
            )
            settled = self.settle(wanted, settled.record, tick)
        return evidence

    def prove(
        self,
        wanted: StoredAs,
        settled: Settled,
        seen: ClusterFacts,
        tick: Tick,
        namespaces: tuple[str, ...] = (),
    ) -> Evidence:
        """Only look: stops at the first Secret in another form, so at most a few are rewritten by looking."""
        nothing = PassResult()
        evidence = self._evidence(wanted, settled, seen, self._barrier(), nothing, self._now(), namespaces)
        return self._prove(replace(evidence, passes=()), settled, seen, tick, namespaces)

    def rewrite_unsettled(self, tick: Tick) -> SecretCounts:
        """Rewrite whatever can be, after turning KMS off has failed; proves nothing.

        "If the previous command to update KMS fails, still run the following command to avoid unexpected state for
        KMS plugin": https://learn.microsoft.com/azure/aks/use-kms-v2
        """
        return self._pass(Pass(barrier=self._barrier()), "Rewriting", tick).counts

    def _prove(
        self, evidence: Evidence, settled: Settled, seen: ClusterFacts, tick: Tick, namespaces: tuple[str, ...]
    ) -> Evidence:
        proof = self._pass(Pass(namespaces, proof=True, canary=settled.canary), "Proving", tick)
        end = self._look_again(settled)
        again = self._observe()
        same = (
            (again.kms, again.version, again.platform_kms) == (seen.kms, seen.version, seen.platform_kms)
            and end.moves == 0
            and end.in_a_row >= SAMPLES
        )
        return replace(
            evidence,
            passes=(*evidence.passes, proof.counts),
            changed_meanwhile=proof.changed,
            finished_at=self._now(),
            same_world=same,
            tripped=tuple(proof.tripped),
            failed=tuple(proof.failed),
            systemic=str(proof.systemic or ""),
        )

    def _evidence(
        self,
        wanted: StoredAs,
        settled: Settled,
        seen: ClusterFacts,
        barrier: int,
        first: PassResult,
        started: str,
        namespaces: tuple[str, ...],
    ) -> Evidence:
        return Evidence(
            stored_as=wanted,
            grade=settled.grade,
            replicas=settled.replicas,
            canary_moves=settled.moves,
            barrier=barrier,
            passes=(first.counts,),
            changed_meanwhile=0,
            kubernetes_version=str(seen.version),
            started_at=started,
            finished_at=self._now(),
            scope=namespaces,
            failed=tuple(first.failed),
        )

    def _pass(self, wanted: Pass, word: str, tick: Tick) -> PassResult:
        return self._engine.run(wanted, lambda progress: tick(f"{word}: {progress}"))

    def _barrier(self) -> int:
        page = self._engine.read_page("", "", limit=1)
        if isinstance(page, Failure):
            raise ClusterError(errors.API_FAILED, what="list Secrets", code=page)
        return page.resource_version

    def _sample(self, canary: SecretRef, state: Settling) -> tuple[SecretRef, Settling]:
        with closing(self._secrets.connect()) as connection:
            answer = connection.patch(canary.namespace, canary.name)
        if isinstance(answer, Gone) or (isinstance(answer, Patched) and answer.uid != canary.uid):
            # Somebody deleted it, or made it anew: what it showed of the time before the change is lost.
            return self._secrets.create_canary(), Settling(state.grace)
        after = state.after(sighting(canary.resource_version, answer), self._clock.monotonic())
        return _as_it_lies(canary, answer), after

    def _look_again(self, settled: Settled) -> Settling:
        """Samples after a pass; an API server that does not answer at once is given a few more."""
        canary, state = settled.canary, Settling(grace=0.0)
        while state.in_a_row < SAMPLES and state.samples < 4 * SAMPLES:
            canary, state = self._sample(canary, state)
            if state.last is Sighting.SILENT:
                self._clock.sleep(_SILENCE)
        return state

    def _look_directly(self, canary: SecretRef) -> tuple[SecretRef, DirectSigns]:
        """Write the canary between two readings of an API server's own counters; the canary as it lies then."""
        samples: list[tuple[Counters | None, Answer, Counters | None]] = []
        for look in range(_DIRECT_LOOKS):
            with closing(self._secrets.connect()) as connection:
                before = connection.counters()
                if before is None:
                    break
                answer = connection.touch(canary.namespace, canary.name, f"{self._now()}-{look}")
                samples.append((before, answer, connection.counters()))
            canary = _as_it_lies(canary, answer)
        return canary, collect(samples)

    def _now(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _as_it_lies(canary: SecretRef, answer: Answer) -> SecretRef:
    return replace(canary, resource_version=answer.resource_version) if isinstance(answer, Patched) else canary


def _text(counts: SecretCounts) -> str:
    return (
        f"{counts.total:,} Secrets, {counts.rewritten:,} rewritten, {counts.current:,} already current, "
        f"{counts.gone:,} gone, {counts.failed:,} failed"
    )
