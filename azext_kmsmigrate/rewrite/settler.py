"""Waits until every API server writes Secrets in the wanted form: takes the samples that ``settling`` decides on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import ClusterError
from azext_kmsmigrate.migration.events import Waiting
from azext_kmsmigrate.migration.journal import CanaryRecord
from azext_kmsmigrate.migration.secret import (
    Answer,
    Counters,
    Failure,
    FailureClass,
    Gone,
    Patched,
    SecretRef,
    StoredAs,
)
from azext_kmsmigrate.migration.step import StepId
from azext_kmsmigrate.patience import Patience
from azext_kmsmigrate.ports import Clock, Secrets, Tick
from azext_kmsmigrate.rewrite.evidence import Grade
from azext_kmsmigrate.rewrite.reach import Reach
from azext_kmsmigrate.rewrite.settling import SAMPLES, DirectSigns, Settling, Sighting, collect, sighting

_DIRECT_LOOKS = 8  # readings of /metrics, which are large
_SILENCE = 0.5  # seconds between two looks
_UNSIGNED_PATIENCE = 10.0  # seconds


@dataclass(frozen=True)
class Settled:
    """Every sampled API server writes the wanted form: the positive sign, and the canary as it lies now.

    ``record``: how the journal knows the canary, when it does. ``signs``: what supports it, in words.
    """

    grade: Grade
    replicas: int
    moves: int
    canary: SecretRef
    record: CanaryRecord | None = None
    signs: tuple[str, ...] = ()


class Settler:
    """Samples the canary. ``grace`` and ``patience`` in seconds. ``plant`` makes one where there is none."""

    def __init__(
        self,
        secrets: Secrets,
        clock: Clock,
        grace: float,
        patience: float,
        plant: Callable[[], SecretRef],
        of_run: Patience | None = None,
    ) -> None:
        self._secrets, self._clock, self._grace, self._patience = secrets, clock, grace, patience
        self._plant = plant
        self._reach = Reach(secrets, of_run or Patience(clock))
        self._refused_since: float | None = None

    def settle(self, wanted: StoredAs, before: CanaryRecord | None, tick: Tick) -> Settled:
        """Wait until no API server disagrees about the form it writes.

        :param before: the canary as it was recorded before a change, when it was: the change to the wanted form, so
            that it has to move, or one that has not come, so that it has to lie as it was proven
        :raises ClusterError: NOT_SETTLED, when it does not come about within the patience; SIGN_IN_REFUSED
        """
        canary = self._secrets.canary_as(before) if before else self._plant()
        # A change that was planned and never came leaves the canary as it was proven: there it must not move.
        proven = before is not None and before.before is StepId.ENABLE_KMS and wanted is StoredAs.PLAIN
        state = Settling(self._grace, inherited=before is not None, changed=proven)
        deadline = self._clock.monotonic() + self._patience
        told = ""  # what the API servers themselves said last, against the wanted form
        while True:
            began = self._clock.monotonic()
            canary, state = self._sample(canary, state)
            if state.last is Sighting.SILENT and self._reach.outwaited("patch the canary Secret", tick):
                deadline += self._clock.monotonic() - began  # who was away could not change over
                continue
            now = self._clock.monotonic()
            if proven and state.moves:
                proven, state = False, Settling(self._grace)
            # Looking directly changes the canary, so it waits until the canary has said what it can.
            if state.still(now) and (state.changed or not state.inherited):
                record = before if state.inherited else None
                canary, direct = self._look_directly(canary, tick)
                if wrong := direct.disagreeing(wanted):
                    told = f"an API server still writes {' and '.join(wrong)}"
                    state = Settling(self._grace, state.inherited, changed=state.changed)
                else:
                    grade = _grade(direct, state)
                    return Settled(grade, direct.replicas, state.moves, canary, record, self._supporting_signs())
            signs = told or state.describe()
            if now > deadline:
                raise ClusterError(errors.NOT_SETTLED, seconds=round(self._patience), signs=signs)
            tick(Waiting(f"waiting until every API server writes {wanted.value}", signs))
            self._clock.sleep(min(_SILENCE, self._grace / SAMPLES))

    def still_settled(self, settled: Settled, tick: Tick | None = None) -> bool:
        """Whether the canary still lies as it was left, over as many fresh connections.

        An API server that does not answer at once is given a few more looks.
        """
        canary, state = settled.canary, Settling(grace=0.0)
        while state.in_a_row < SAMPLES and state.samples < 4 * SAMPLES:
            before = state
            canary, state = self._sample(canary, state)
            if state.last is Sighting.SILENT:
                if self._reach.outwaited("patch the canary Secret", tick):
                    state = replace(before, in_a_row=0)
                    continue
                self._clock.sleep(_SILENCE)
        return state.moves == 0 and state.in_a_row >= SAMPLES

    def _sample(self, canary: SecretRef, state: Settling) -> tuple[SecretRef, Settling]:
        with closing(self._secrets.connect()) as connection:
            answer = connection.patch(canary.namespace, canary.name)
        self._see_whether_refused(answer)
        if isinstance(answer, Gone) or (isinstance(answer, Patched) and answer.uid != canary.uid):
            # Somebody deleted it, or made it anew: what it showed of the time before the change is lost.
            return self._plant(), Settling(state.grace)
        after = state.after(sighting(canary.resource_version, answer), self._clock.monotonic())
        return _as_it_lies(canary, answer), after

    def _see_whether_refused(self, answer: Answer) -> None:
        """An API server that has just begun may say 401 for some seconds; after that it is the sign-in."""
        if not isinstance(answer, Failure) or answer.kind is not FailureClass.UNAUTHORIZED:
            self._refused_since = None
            return
        now = self._clock.monotonic()
        self._refused_since = now if self._refused_since is None else self._refused_since
        if now - self._refused_since > _UNSIGNED_PATIENCE:
            raise ClusterError(errors.SIGN_IN_REFUSED, what="patch the canary Secret", code=answer)

    def _look_directly(self, canary: SecretRef, tick: Tick) -> tuple[SecretRef, DirectSigns]:
        """Write the canary between two readings of an API server's own counters; the canary as it lies then."""
        samples: list[tuple[Counters | None, Answer, Counters | None]] = []
        while len(samples) < _DIRECT_LOOKS:
            with closing(self._secrets.connect()) as connection:
                before = connection.counters()
                if before is None and self._reach.outwaited("read the API server's counters", tick):
                    continue
                if before is None and not samples:
                    break
                now = f"{self._clock.now().isoformat()} {len(samples)}"
                answer = connection.touch(canary.namespace, canary.name, now)
                samples.append((before, answer, connection.counters()))
            canary = _as_it_lies(canary, answer)
        return canary, collect(samples)

    def _supporting_signs(self) -> tuple[str, ...]:
        with closing(self._secrets.connect()) as connection:
            return connection.signs()


def _grade(direct: DirectSigns, state: Settling) -> Grade:
    if direct.replicas:
        return Grade.DIRECT
    return Grade.BEHAVIOURAL if state.inherited else Grade.NONE


def _as_it_lies(canary: SecretRef, answer: Answer) -> SecretRef:
    return replace(canary, resource_version=answer.resource_version) if isinstance(answer, Patched) else canary
