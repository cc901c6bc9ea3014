"""What a trial shows, and the verdict on it: pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from tests.az import Typed
from tests.lab.model import StoredForm
from tests.matrix.calls import Call
from tests.matrix.failures import UNTOLD

_ERROR = re.compile(r"^(?:\[[^\]]*\] )?ERROR: .*?(KMSM\d{3})", re.M)
_INTERNAL = "KMSM902"
_TOLD = ("Looking at it again.", "Looking at what came of it.", "Reconciling the cluster once.")
SAFE = (1, 3, 11, 20)
_SOON = 4  # calls of the same thread


@dataclass(frozen=True)
class Trial:
    """What was typed, and what lies in the lab after it. ``again``: typed without the failure, where needed."""

    first: Typed
    calls: Sequence[Call]
    again: Typed | None
    verified: Typed
    forms: Mapping[str, int]
    before: Mapping[str, Mapping[str, str]]
    after: Mapping[str, Mapping[str, str]]
    operations: Sequence[Mapping[str, Any]]
    history: Sequence[Mapping[str, Any]]
    changes: Mapping[str, int]


@dataclass(frozen=True)
class Verdict:
    """``word``: continued, retried, stopped KMSMnnn, not met, wrong or traceback; ``why`` for the last two."""

    word: str
    why: str = ""

    @property
    def good(self) -> bool:
        return self.word.startswith(("continued", "retried", "stopped"))


def judge(trial: Trial) -> Verdict:
    """The verdict of one cell."""
    typed = [one for one in (trial.first, trial.again, trial.verified) if one is not None]
    if any("Traceback" in one.stderr or _INTERNAL in one.stderr + one.stdout for one in typed):
        return Verdict("traceback", _last(trial.first.stderr))
    if wrong := list(_wrongs(trial, typed)):
        return Verdict("wrong", "; ".join(wrong))
    if trial.first.code:
        return Verdict(f"stopped {_ERROR.findall(trial.first.stderr)[0]}")
    if not any(call.spoilt for call in trial.calls) and all(one["status"] == "Succeeded" for one in trial.operations):
        return Verdict("not met")
    told = any(words in trial.first.stderr for words in _TOLD)
    return Verdict("retried" if told or _asked_again(trial.calls) else "continued")


def _wrongs(trial: Trial, typed: list[Typed]) -> list[str]:
    found = []
    if any(UNTOLD in one.stderr + one.stdout for one in typed):
        found.append("a raw answer was printed")
    if trial.first.code:
        codes = _ERROR.findall(trial.first.stderr)
        if trial.first.code not in SAFE or len(codes) != 1:
            found.append(f"exit {trial.first.code} with {codes or 'no code'}: {_last(trial.first.stderr)}")
    if trial.again is not None and trial.again.code:
        found.append(f"typed again it exits {trial.again.code}: {_last(trial.again.stderr)}")
    if trial.forms[StoredForm.KMS_V2.value] != sum(trial.forms.values()):
        found.append(f"in etcd: {dict(trial.forms)}")
    if {name: trial.after.get(name) for name in trial.before} != trial.before:
        found.append("a Secret is not as it was")
    if trial.verified.code or not trial.verified.document["verified"]:
        found.append(f"verify exits {trial.verified.code}: {_last(trial.verified.stderr)}")
    done = Counter(str(one["change"]) for one in trial.operations if one["status"] == "Succeeded")
    for change, most in trial.changes.items():
        if done[change] > most:
            found.append(f"{done[change]} times {change}")
    if done["reconcile"] and all(one["status"] == "Succeeded" for one in trial.operations):
        found.append("reconciled although no operation failed")
    worlds = [world for world, _ in groupby(map(_world, trial.history))]
    if len(set(worlds)) != len(worlds):
        found.append(f"the control plane went to and fro: {worlds}")
    return found


def _world(change: Mapping[str, Any]) -> tuple[str, ...]:
    writes = change["providers"][0]
    return str(change["version"]), str(writes["kind"]), str(writes["apiVersion"]), str(writes["keyId"])


def _asked_again(calls: Sequence[Call]) -> bool:
    """Whether whoever met the failure asked the same again, at once or with a look at something else between."""
    for thread in {call.thread for call in calls}:
        mine = [(call.spoilt, call.method, call.target) for call in calls if call.thread == thread]
        for number, (spoilt, *asked) in enumerate(mine):
            if spoilt and asked in [others for _, *others in mine[number + 1 :][:_SOON]]:
                return True
    return False


def _last(stderr: str) -> str:
    return stderr.strip()[-300:].replace("\n", " | ")
