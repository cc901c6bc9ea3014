"""Others who create, change and delete Secrets meanwhile, and a ledger of what must be there in the end."""

from __future__ import annotations

import base64
import http.client
import random
import threading
from collections.abc import Mapping
from typing import Any

from tests.lab.administrator import Administrator, ApiError, administrator
from tests.lab.client import LabClient
from tests.lab.seeding import MARKER, fingerprint

_MARK = "soak-round"  # the label and the key that a change writes
_EVERY = 0.4  # seconds
_SECRETS = "/api/v1/secrets"
_GONE = None

Contents = Mapping[str, tuple[dict[str, str], str]]
"""``<namespace>/<name>`` -> a digest of each field without our own mark, and that mark."""


def contents(lab: LabClient) -> Contents:
    """All Secrets, read in full."""
    with administrator(lab.endpoint()) as api:
        return {f"{one['metadata']['namespace']}/{one['metadata']['name']}": _seen(one) for one in api.items(_SECRETS)}


class OtherWriters:
    """As a context manager: they write until its end. ``before``: the Secrets as they were, none of them is theirs.

    ``marks``: of each Secret that they touched, what its mark may be by now: several while an answer is missing, None
    when it may be gone.
    """

    def __init__(self, lab: LabClient, before: Contents, immutable: set[str], seed: int) -> None:
        self._lab, self._before, self._chance = lab, before, random.Random(f"writers/{seed}")
        self._mutable = sorted(name for name in before if name not in immutable)
        self.marks: dict[str, set[str | None]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="writers", daemon=True)
        self.rounds = 0

    def __enter__(self) -> OtherWriters:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(_EVERY):
            self.rounds += 1
            try:
                with administrator(self._lab.endpoint()) as api:
                    self._round(api, str(self.rounds))
            except (OSError, http.client.HTTPException, ApiError):
                continue  # the next round is another chance

    def _round(self, api: Administrator, mark: str) -> None:
        target = self._chance.choice(self._mutable)
        namespace, _, name = target.partition("/")
        path = f"/api/v1/namespaces/{namespace}/secrets"
        what = self._chance.choice(("change", "change", "create", "delete"))
        value = base64.b64encode(f"{MARKER}{mark}".encode()).decode()
        if what == "change":
            body = {"metadata": {"labels": {_MARK: mark}}, "data": {_MARK: value}}
            self._attempt(target, mark, lambda: api.merge(f"{path}/{name}", body))
        elif what == "create":
            body = {"metadata": {"name": f"soak-{mark}", "labels": {_MARK: mark}}, "data": {_MARK: value}}
            self._attempt(f"{namespace}/soak-{mark}", mark, lambda: api.create(path, body))
        elif len(self._mutable) > len(self._before) // 2:
            self._mutable.remove(target)
            self._attempt(target, _GONE, lambda: api.request("DELETE", f"{path}/{name}"))

    def _attempt(self, name: str, mark: str | None, write: Any) -> None:
        """A refusal leaves all as it was; an answer that is missing leaves both possible."""
        was = self.marks.get(name, {""} if name in self._before else {_GONE})
        self.marks[name] = was | {mark}
        try:
            write()
        except ApiError as error:
            if 400 <= error.status < 500:
                self.marks[name] = was
            raise
        self.marks[name] = {mark}


def differences(before: Contents, after: Contents, marks: Mapping[str, set[str | None]]) -> list[str]:
    """What is neither as it was nor as the other writers left it."""
    wrong = [
        f"{name}: {'gone' if name not in after else 'changed'}"
        for name, (fields, _) in before.items()
        if name not in marks and after.get(name) != (fields, "")
    ]
    for name, possible in marks.items():
        found = after.get(name)
        if (found[1] if found else _GONE) not in possible:
            wrong.append(f"{name}: {found[1] if found else 'gone'}, not one of {possible}")
        elif found and name in before and _unmanaged(found[0]) != _unmanaged(before[name][0]):
            wrong.append(f"{name}: changed beside the mark")
    return wrong + [f"{name}: nobody made it" for name in after if name not in before and name not in marks]


def _unmanaged(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in fields.items() if name != "managedFields"}


def _seen(item: dict[str, Any]) -> tuple[dict[str, str], str]:
    labels, data = item["metadata"].get("labels") or {}, item.get("data") or {}
    mark = str(labels.pop(_MARK, ""))
    value = base64.b64decode(data.pop(_MARK, "")).decode()
    item["metadata"]["labels"], item["data"] = labels or None, data or None
    return fingerprint(item), mark if value == (MARKER + mark if mark else "") else f"{mark} with another value"
