"""One migration in bad weather: ``start`` is typed until it is done, and etcd, the cluster and ``verify`` judge it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.az import Az, Typed
from tests.interruption.calls import KILLED, Interruption, run
from tests.lab import seeding
from tests.lab.administrator import administrator
from tests.lab.client import LabClient
from tests.lab.model import LabOptions, StoredForm
from tests.lab.seeding import MARKER_SIGHTINGS
from tests.soak.bad_weather import BadWeather
from tests.soak.hardship import MOST_COMMANDS, Hardship
from tests.soak.other_writers import Contents, OtherWriters, contents, differences

_AGAIN_AFTER = 2.0  # seconds until somebody types the command again
_JOURNAL = "/api/v1/namespaces/kube-system/configmaps/aks-kms-migrate"
_ONCE = ("disable-kms", "upgrade", "enable-kms")


@dataclass(frozen=True)
class Verdict:
    """``codes``: of each ``start``; ``exposed``: seconds as the journal has them; ``wrong``: empty when it ended right.

    ``said``: what of the weather could not be had.
    """

    hardship: Hardship
    codes: tuple[int, ...]
    seconds: float
    exposed: float
    secrets: int
    said: tuple[str, ...]
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        codes = ", ".join("killed" if code == KILLED else str(code) for code in self.codes)
        verdict = "right" if not self.wrong else "WRONG: " + "; ".join(self.wrong)
        took = f"{self.seconds:.0f} s, exposed {self.exposed:.0f} s, {self.secrets} Secrets"
        return f"seed {self.hardship.seed}: {verdict} | {took} | start: {codes} | {self.hardship}"


def migrate(extensions: Path, options: LabOptions, hardship: Hardship, settle: str) -> Verdict:
    """Bring a lab up, migrate its cluster through all of this, and judge. ``settle``: for ``--settle-seconds``."""
    with LabClient.up(options, tethered=True) as lab:
        az, before = Az(lab, extensions), contents(lab)
        began = time.monotonic()
        with _surroundings(lab, before, hardship) as (writers, weather):
            typed = _typed_until_done(az, hardship, settle)
        seconds = time.monotonic() - began
        wrong = list(_complaints(az, typed, settle))
        after = contents(lab)
        wrong += differences(before, after, writers.marks if writers else {})
        codes = tuple(one.code for one in typed)
        exposed = 0.0 if wrong else _exposed(lab)
        return Verdict(hardship, codes, seconds, exposed, len(after), tuple(weather.said), tuple(wrong))


@contextmanager
def _surroundings(
    lab: LabClient, before: Contents, hardship: Hardship
) -> Iterator[tuple[OtherWriters | None, BadWeather]]:
    with ExitStack() as stack:
        writers = None
        if hardship.writers:
            count = sum(1 for name in before if not name.startswith("kube-system/"))
            writers = stack.enter_context(OtherWriters(lab, before, _immutable(count), hardship.seed))
        yield writers, stack.enter_context(BadWeather(lab, hardship.troubles))


def _immutable(count: int) -> set[str]:
    manifests = [one for one in seeding.secrets(count) if one.get("immutable")]
    return {f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in manifests}


def _typed_until_done(az: Az, hardship: Hardship, settle: str) -> list[Typed]:
    typed: list[Typed] = []
    while len(typed) < MOST_COMMANDS and (not typed or typed[-1].code != 0):
        interruptions = hardship.interruptions[len(typed) :]
        if typed:
            time.sleep(_AGAIN_AFTER)
        dead = bool(typed) and typed[-1].code == KILLED
        typed.append(
            _start(az, interruptions[0] if interruptions else None, settle, take_over=dead and hardship.take_over)
        )
    return typed


def _start(az: Az, interruption: Interruption | None, settle: str, *, take_over: bool) -> Typed:
    words = ["start", "--yes", "--settle-seconds", settle, *(["--take-over"] if take_over else [])]
    return run(az, *words, interruptions=[interruption]).typed if interruption else az.migrate(*words)


def _complaints(az: Az, typed: list[Typed], settle: str) -> Iterator[str]:
    for one in typed:
        if any(sighting in text for text in (one.stdout, one.stderr) for sighting in MARKER_SIGHTINGS):
            yield "a Secret's value was printed"
    if typed[-1].code != 0:
        yield f"not done after {len(typed)} commands: {_words(typed[-1])}"
        return
    forms = Counter(StoredForm.of(raw).value for raw in az.lab.etcd_raw().values())
    if set(forms) != {StoredForm.KMS_V2.value}:
        yield f"etcd holds {dict(forms)}"
    if lost := [key for change in az.lab.history() for key in change["unreadable"]]:
        yield f"no API server could read {lost[:3]}, {len(lost)} in all"
    done = Counter(one["change"] for one in az.lab.operations() if one["status"] == "Succeeded")
    if repeated := {change: done[change] for change in _ONCE if done[change] > 1}:
        yield f"done more than once: {repeated}"
    if az.lab.mentions(*MARKER_SIGHTINGS):
        yield "a Secret's value was sent to Azure"
    verified = az.migrate("verify", "--settle-seconds", settle)
    if verified.code != 0 or not verified.document["verified"]:
        yield f"verify: {_words(verified)}"


def _exposed(lab: LabClient) -> float:
    """Seconds between the two ends of the exposure window in the journal."""
    with administrator(lab.endpoint()) as api:
        journal: dict[str, Any] = json.loads(api.get(_JOURNAL)["data"]["journal.json"])
    begun, over = (datetime.fromisoformat(journal["exposure"][end].replace("Z", "+00:00")) for end in ("from", "to"))
    return (over - begun).total_seconds()


def _words(typed: Typed) -> str:
    return f"{typed.code} {' '.join(typed.stderr[-600:].split())}"
