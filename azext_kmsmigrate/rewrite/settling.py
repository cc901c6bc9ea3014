"""Decides whether every API server replica writes Secrets in the same, new form.

The canary is a Secret of the tool's own, written before the change. Each sample is an empty patch of it over a fresh
connection, which a load balancer sends to any replica: a replica that writes another form than the one the canary
lies in moves its resourceVersion, and one that cannot read that form yet answers with an error. While replicas
disagree the canary goes back and forth; when none disagrees it lies still.

Lying still alone proves nothing (it does so under a provider that never changed): a positive sign is needed too, the
canary having moved since it was written, or the servers' own counters naming the form they write.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from azext_kmsmigrate.migration.secret import Answer, Counters, Failure, Gone, Patched, StoredAs

SAMPLES = 16  # in a row without disagreement; a wrong replica among four is missed with (3/4)^16 = 1 %


class Sighting(str, enum.Enum):
    """What one sample of the canary showed."""

    SAME = "same"
    MOVED = "moved"
    UNREADABLE = "unreadable"
    SILENT = "no answer"


def sighting(before: int, answer: Answer) -> Sighting:
    """What an answer says about a canary that was last seen at resourceVersion ``before``."""
    if isinstance(answer, Patched):
        return Sighting.SAME if answer.resource_version == before else Sighting.MOVED
    if isinstance(answer, Failure) and not answer.kind.retriable:
        return Sighting.UNREADABLE
    return Sighting.UNREADABLE if isinstance(answer, Gone) else Sighting.SILENT


@dataclass(frozen=True)
class Settling:
    """What the samples so far say; a value: ``after`` returns the next one.

    ``grace`` seconds have to pass without disagreement, so that a replica that is draining has written its last.
    ``inherited``: the canary is from before the change, so that it has to move.
    """

    grace: float
    inherited: bool = False
    changed: bool = False
    samples: int = 0
    moves: int = 0
    in_a_row: int = 0
    still_since: float | None = None
    last: Sighting | None = None

    def after(self, seen: Sighting, at: float) -> Settling:
        """The state after one more sample, taken at monotonic time ``at``."""
        base = replace(self, samples=self.samples + 1, last=seen)
        if seen is Sighting.SAME:
            since = at if base.still_since is None else base.still_since
            return replace(base, in_a_row=base.in_a_row + 1, still_since=since)
        if seen is Sighting.SILENT:
            # A replica that does not answer may be the one that disagrees: it has to be heard again.
            return replace(base, in_a_row=0)
        moved = seen is Sighting.MOVED
        return replace(base, changed=base.changed or moved, moves=base.moves + moved, in_a_row=0, still_since=None)

    def still(self, at: float) -> bool:
        """No sampled replica has disagreed for long enough."""
        return self.in_a_row >= SAMPLES and self.still_since is not None and at - self.still_since >= self.grace

    def describe(self) -> str:
        """The signs in words, for a user who waits."""
        if not self.samples:
            return "no API server has answered yet"
        if self.last is Sighting.UNREADABLE:
            return "an API server cannot read the new form yet"
        if self.last is Sighting.SILENT:
            return "an API server does not answer"
        if self.inherited and not self.changed:
            return f"no API server has changed over, in {self.samples} looks"
        if not self.moves:
            return f"no API server disagreed, in {self.samples} looks"
        return f"the canary changed {self.moves} times in {self.samples} looks, last {self.in_a_row} looks ago"


@dataclass(frozen=True)
class DirectSigns:
    """The form each replica said it writes, by the start time of its process."""

    forms: Mapping[float, StoredAs]

    @property
    def replicas(self) -> int:
        return len(self.forms)

    def disagreeing(self, wanted: StoredAs) -> tuple[str, ...]:
        return tuple(sorted({form.value for form in self.forms.values() if form is not wanted}))


def form_of_prefix(prefix: str) -> StoredAs | None:
    """The form a transformer prefix stands for; None for one that is not KMS (aescbc and the like)."""
    if prefix in ("", "identity"):
        return StoredAs.PLAIN
    if prefix.startswith("k8s:enc:kms:v1:"):
        return StoredAs.KMS_V1
    if prefix.startswith("k8s:enc:kms:v2:"):
        return StoredAs.KMS_V2
    return None


def written_form(before: Counters, after: Counters) -> StoredAs | None:
    """The form in which one API server wrote between two readings around a write, or None when it cannot be told.

    The counters count every client's writes, but one server writes in one form only, so they agree unless the
    readings come from two servers or it was restarted in between.
    """
    if before.process_start != after.process_start:
        return None
    grown = [p for p, n in after.to_storage.items() if n > before.to_storage.get(p, 0)]
    forms = {form_of_prefix(p) for p in grown}
    return forms.pop() if len(forms) == 1 else None


def collect(samples: Iterable[tuple[Counters | None, Answer, Counters | None]]) -> DirectSigns:
    """What readings around writes of the canary say, replica by replica."""
    forms: dict[float, StoredAs] = {}
    for before, answer, after in samples:
        if before and after and isinstance(answer, Patched):
            form = written_form(before, after)
            if form:
                forms[after.process_start] = form
    return DirectSigns(forms)
