"""What the tests of the rewriting share: a lab to rewrite in again and again, and what must hold of every outcome."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.az import Az, Typed
from tests.lab.administrator import Administrator, ApiError, administrator
from tests.lab.client import LabClient
from tests.lab.model import SECRETS_PREFIX, LabOptions, StoredForm
from tests.lab.seeding import MARKER, MARKER_SIGHTINGS

CANARY = "kube-system/aks-kms-migrate-canary"
SETTLE = ("--settle-seconds", "1")
PROVEN, UNPROVEN = 0, 11
_PATIENCE = 90.0  # seconds; only so that what never comes about fails
_SETTLED = "(sign: direct).\n", "(sign: behavioural).\n", "(sign: none).\n"

# Words of the API server's, etcd's and the vault's: an outcome names a class instead.
_RAW = (
    "Internal error occurred",
    "denied the request",
    "failed calling webhook",
    "unable to transform",
    "no matching prefix",
    "/registry/secrets/",
    '"kind":"Status"',
    "may not be changed",
    "rpc error",
    "Traceback",
)


@contextmanager
def real_lab(extensions: Path, name: str, **options: Any) -> Iterator[Az]:
    """A lab on real API servers for as long as a module's tests need it."""
    unique = f"{name}-{os.getpid()}"  # more than one run of the tests may be under way
    with LabClient.up(LabOptions(unique, apiserver="real", **options), tethered=True) as lab:
        yield Az(lab, extensions)


def turn_kms_v2_on(az: Az) -> None:
    """On a cluster of 1.27 or later without KMS; proven at the end, by the counters."""
    done = checked(az.start(*SETTLE, "--key-id", az.lab.key_id(), "--key-vault-access", "Public"))
    assert_proven(done, az.lab, StoredForm.KMS_V2)


def rewrite(az: Az, *words: str) -> Typed:
    return checked(az.migrate("rewrite-secrets", "--yes", *SETTLE, *words))


def rewrite_and_meanwhile(
    az: Az, form: StoredForm, meanwhile: Callable[[], None], *words: str, already: int = 20
) -> Typed:
    """Rewrite; once some Secrets lie in the new form, and not all of them, something else happens too."""
    secrets = len(forms(az.lab))
    process = az.begin("rewrite-secrets", "--yes", *SETTLE, *words)
    try:
        wait_until(
            lambda: process.poll() is not None or counted(az.lab).get(form.value, 0) > already, "Secrets are rewritten"
        )
        assert counted(az.lab).get(form.value, 0) < secrets, "the pass was over before anything could happen"
        meanwhile()
    except BaseException:
        process.kill()
        raise
    finally:
        stdout, stderr = process.communicate()
    return checked(Typed(process.returncode, stdout, stderr))


@contextmanager
def again_and_again(act: Callable[[], object], seconds: float) -> Iterator[None]:
    """Do something every so many seconds until the end."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(seconds):
            act()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def verify(az: Az, *words: str) -> Typed:
    return checked(az.migrate("verify", *SETTLE, *words))


def verify_and_meanwhile(az: Az, moment: str, act: Callable[[], object], *, interrupt: bool = False) -> Typed:
    """``verify``, and something else at a moment of it: while it settles, or when the API servers have settled.

    ``interrupt``: then the user presses Ctrl-C.
    """
    process = az.begin("verify", *SETTLE)
    assert process.stderr is not None
    said = ""
    try:
        if moment == "settling":
            wait_until(lambda: process.poll() is not None or bool(canaries(az.lab)), "it has a canary")
        while moment == "settled" and not said.endswith(_SETTLED):
            line = process.stderr.readline()
            assert line, f"it ended before the API servers had settled: {said}"
            said += line
        assert process.poll() is None, "it was over before anything could happen"
        act()
        if interrupt:
            process.send_signal(signal.SIGINT)
    except BaseException:
        process.kill()
        raise
    finally:
        stdout, stderr = process.communicate()
    return checked(Typed(process.returncode, stdout, said + stderr))


def checked(done: Typed) -> Typed:
    """What holds of every outcome: no value, no server's own words, counts that add up."""
    for text in (done.stdout, done.stderr):
        for sighting in (*MARKER_SIGHTINGS, *_RAW):
            assert sighting not in text, f"{sighting!r} in {text}"
    if done.stdout:
        for counts in passes(done):
            assert counts["total"] == counts["rewritten"] + counts["current"] + counts["gone"] + counts["failed"]
    return done


def passes(done: Typed) -> list[dict[str, int]]:
    return [one["secrets"] for one in (done.document.get("evidence") or {}).get("passes") or []]


def failures(done: Typed) -> list[tuple[str, str]]:
    """``(namespace/name, class)`` of what the outcome calls failed or unverified."""
    named = done.document.get("failed") or done.document.get("unverified") or []
    return sorted((f"{one['namespace']}/{one['name']}", one["kind"]) for one in named)


def named(done: Typed) -> set[str]:
    """Every ``namespace/name`` that the JSON document mentions."""
    return set(re.findall(r"\b([a-z0-9.-]+/[a-z0-9.-]+-\d{5})\b", done.stdout)) | {name for name, _ in failures(done)}


def forms(lab: LabClient) -> dict[str, StoredForm]:
    """The truth about every Secret of others: its form in etcd."""
    found = {key.removeprefix(SECRETS_PREFIX): StoredForm.of(raw) for key, raw in lab.etcd_raw().items()}
    return {name: form for name, form in found.items() if not name.startswith(CANARY)}


def canaries(lab: LabClient) -> set[str]:
    """The canaries of migrations and commands that are in etcd."""
    return {key.removeprefix(SECRETS_PREFIX) for key in lab.etcd_raw() if key.startswith(SECRETS_PREFIX + CANARY)}


def counted(lab: LabClient) -> dict[str, int]:
    return dict(Counter(form.value for form in forms(lab).values()))


def assert_proven(done: Typed, lab: LabClient, form: StoredForm) -> None:
    """Exit code 0 and a verdict no stronger than etcd: every Secret was looked at, and lies in this form."""
    assert done.code == PROVEN, done.stderr + done.stdout
    truth = forms(lab)
    assert set(truth.values()) == {form}
    assert done.document["evidence"]["missing"] == []
    assert failures(done) == []
    assert passes(done)[-1]["total"] - passes(done)[-1]["gone"] == len(truth)


def assert_all_but(done: Typed, lab: LabClient, form: StoredForm, failed: Mapping[str, str]) -> None:
    """Exit code 11, exactly these Secrets failed with their class, and every other one lies in this form."""
    assert done.code == UNPROVEN, done.stderr + done.stdout
    assert dict(failures(done)) == dict(failed)
    truth = forms(lab)
    assert {name for name, found in truth.items() if found is not form} <= set(failed)
    counts = passes(done)[-1]
    assert counts["failed"] == len(failed)
    assert counts["total"] - counts["gone"] == len(truth)


def put_raw(lab: LabClient, name: str, raw: bytes) -> None:
    lab.fault("put-raw", f"{name} {base64.b64encode(raw).decode()}")


def stored_plain(name: str, kind: str = "Opaque", size: int = 100, value: str = MARKER, **more: Any) -> bytes:
    """A Secret as etcd may hold it without encryption: in JSON, which API servers read as well as their protobuf."""
    namespace, _, bare = name.partition("/")
    metadata = {
        "name": bare,
        "namespace": namespace,
        "uid": str(uuid.uuid4()),
        "creationTimestamp": "2020-01-01T00:00:00Z",
    }
    data = {"value": base64.b64encode((value + "x" * size)[:size].encode()).decode()}
    return json.dumps(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": data, **more}
    ).encode()


def path_of(name: str) -> str:
    namespace, _, bare = name.partition("/")
    return f"/api/v1/namespaces/{namespace}/secrets/{bare}"


@contextmanager
def extra_secrets(lab: LabClient, stored: Mapping[str, bytes]) -> Iterator[None]:
    """Secrets put straight into etcd for one test. They are made readable again before they are deleted."""
    for name, raw in stored.items():
        put_raw(lab, name, raw)
    try:
        yield
    finally:
        for name in stored:
            put_raw(lab, name, stored_plain(name))
        with administrator(lab.endpoint()) as api:
            for name in stored:
                api.delete_if_present(path_of(name))


def dry_run_says(lab: LabClient, replica: int, secret: str) -> str:
    """What one API server says to an empty patch that is only tried; empty when it agrees."""
    with administrator(lab.endpoint(replica)) as api:
        try:
            api.merge(f"{path_of(secret)}?dryRun=All", {})
        except ApiError as error:
            return str(error)
    return ""


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"it never came about that {what}"
        time.sleep(0.1)


def answered(lab: LabClient, *, code: int, verb: str, replicas: int = 2) -> float:
    """How many requests about Secrets the API servers have answered with this code, as they count themselves."""
    total = 0.0
    for index in range(replicas):
        try:
            text = _metrics(lab, index)
        except OSError:
            continue  # one that was killed has nothing to tell
        for labels, value in re.findall(r"^apiserver_request_total\{([^}]*)\} (\S+)", text, re.M):
            found = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            if (found["code"], found["resource"], found["verb"]) == (str(code), "secrets", verb):
                total += float(value)
    return total


def _metrics(lab: LabClient, index: int) -> str:
    with administrator(lab.endpoint(index)) as api:
        return _text(api, "/metrics")


def _text(api: Administrator, path: str) -> str:
    connection = api._connection
    connection.request("GET", path)
    return connection.getresponse().read().decode()
