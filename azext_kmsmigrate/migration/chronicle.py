"""What a journal keeps for a report: who ran it, what was seen when, what the checks found, what was proven.

Part of the journal's document::

    {"runs": [{"command": ..., "by": ..., "account": ..., "tool": ..., "startedAt": ..., "endedAt": ...,
               "outcome": "Failed", "problem": "KMSM301"}], "leftOutRuns": 0,
     "observations": [{"at": ..., "kms": "KmsV1", "kubernetesVersion": "1.26.15", "keyId": ...}],
     "checks": [{"at": ..., "passed": 50, "warned": ["K-12"], "unknown": [], "skipped": ["U-06"]}],
     "proofs": {"decrypt-secrets": {...}, "encrypt-secrets": {...}}}

Nothing is decided from it. So it is kept as the JSON that it is: what a later version wrote there stays, and what is
malformed is left out by who reads it, and makes no journal unreadable. No Secret data, no Secret names. It stays small:
the newest runs and observations are kept, texts are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from azext_kmsmigrate.migration.excerpt import excerpt
from azext_kmsmigrate.migration.proof import ProofRecord
from azext_kmsmigrate.migration.step import StepId

_T = TypeVar("_T")
MOST_RUNS, MOST_OBSERVATIONS, _MOST_IDS = 20, 20, 64
_NO_RECORD = (KeyError, TypeError, ValueError, OverflowError, AttributeError)


@dataclass(frozen=True)
class RunRecord:
    """One run that held the Lease. ``account``: the signed-in user of Azure; ``tool``: this tool and its version.

    ``outcome`` is a ``RunState``, with the code of its ``problem``; both empty, with ``ended_at``, as long as it goes
    on, and for good when the process ended without a word.
    """

    command: str
    by: str
    started_at: str
    account: str = ""
    tool: str = ""
    ended_at: str = ""
    outcome: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Observation:
    """The cluster as Azure said it was, at the first look at which it was so."""

    at: str
    kms: str
    kubernetes_version: str
    key_id: str


@dataclass(frozen=True)
class ChecksRecord:
    """What the checks before a run found: ids, for findings name objects."""

    at: str
    passed: int
    warned: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chronicle:
    """See the module's docstring."""

    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        return self._all("runs", _run_in)

    @property
    def left_out_runs(self) -> int:
        """How many runs there were before those that are kept."""
        count = self.document.get("leftOutRuns")
        return count if isinstance(count, int) and count > 0 else 0

    @property
    def observations(self) -> tuple[Observation, ...]:
        return self._all("observations", _observation_in)

    @property
    def checks(self) -> tuple[ChecksRecord, ...]:
        """Of the first run and of the newest."""
        return self._all("checks", _checks_in)

    def proof_of(self, step: StepId) -> ProofRecord | None:
        """The newest proof that ended this step."""
        return _read(_object(self.document.get("proofs")).get(step.value), ProofRecord.from_document)

    def with_run(self, run: RunRecord) -> Chronicle:
        runs = [*_list(self.document.get("runs")), _run_out(run)]
        left_out = self.left_out_runs + max(0, len(runs) - MOST_RUNS)
        return self._with(runs=runs[-MOST_RUNS:], leftOutRuns=left_out)

    def with_run_ended(self, at: str, outcome: str, problem: str) -> Chronicle:
        """The newest run has ended."""
        *earlier, newest = _list(self.document.get("runs")) or [{}]
        ended = {"endedAt": at, "outcome": outcome, "problem": problem}
        return self._with(runs=[*earlier, {**_object(newest), **ended}])

    def with_observation(self, seen: Observation) -> Chronicle:
        """What is seen, if it is not as it was seen last."""
        document = {
            "at": seen.at,
            "kms": seen.kms,
            "kubernetesVersion": seen.kubernetes_version,
            "keyId": excerpt(seen.key_id, 200),
        }
        before = _list(self.document.get("observations"))
        last = _object(before[-1]) if before else {}
        if all(last.get(fact) == document[fact] for fact in ("kms", "kubernetesVersion", "keyId")):
            return self
        return self._with(observations=[*before, document][-MOST_OBSERVATIONS:])

    def with_checks(self, found: ChecksRecord) -> Chronicle:
        ids = {"warned": found.warned, "unknown": found.unknown, "skipped": found.skipped}
        cut = {kind: [excerpt(one, 10) for one in some[:_MOST_IDS]] for kind, some in ids.items()}
        first = _list(self.document.get("checks"))[:1]
        return self._with(checks=[*first, {"at": found.at, "passed": found.passed, **cut}])

    def with_proof(self, step: StepId, proof: ProofRecord) -> Chronicle:
        return self._with(proofs={**_object(self.document.get("proofs")), step.value: proof.to_document()})

    def _with(self, **parts: Any) -> Chronicle:
        return Chronicle({**self.document, **parts})

    def _all(self, part: str, read: Callable[[Mapping[str, Any]], _T]) -> tuple[_T, ...]:
        found = (_read(one, read) for one in _list(self.document.get(part)))
        return tuple(one for one in found if one is not None)


def _read(document: object, read: Callable[[Mapping[str, Any]], _T]) -> _T | None:
    """None for what is not there, and for what is not as this tool writes it."""
    if not isinstance(document, Mapping):
        return None
    try:
        return read(document)
    except _NO_RECORD:
        return None


def _run_out(run: RunRecord) -> dict[str, Any]:
    return {
        "command": excerpt(run.command, 80),
        "by": excerpt(run.by, 120),
        "account": excerpt(run.account, 80),
        "tool": excerpt(run.tool, 40),
        "startedAt": run.started_at,
        "endedAt": run.ended_at,
        "outcome": run.outcome,
        "problem": run.problem,
    }


def _run_in(document: Mapping[str, Any]) -> RunRecord:
    return RunRecord(
        command=_text(document["command"]),
        by=_text(document["by"]),
        started_at=_text(document["startedAt"]),
        account=_text(document.get("account", "")),
        tool=_text(document.get("tool", "")),
        ended_at=_text(document.get("endedAt", "")),
        outcome=_text(document.get("outcome", "")),
        problem=_text(document.get("problem", "")),
    )


def _observation_in(document: Mapping[str, Any]) -> Observation:
    return Observation(
        _text(document["at"]),
        _text(document["kms"]),
        _text(document["kubernetesVersion"]),
        _text(document["keyId"]),
    )


def _checks_in(document: Mapping[str, Any]) -> ChecksRecord:
    ids = (tuple(_text(one) for one in document[kind]) for kind in ("warned", "unknown", "skipped"))
    return ChecksRecord(_text(document["at"]), int(document["passed"]), *ids)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text was expected")
    return value


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
