"""The API servers and their etcd: Secrets with the form they lie in, replicas that read and write forms.

The rule of kubernetes/apiserver: what was read by anything but the first provider is stale, and an empty patch writes
what is stale and nothing else. A form for which a replica has no reader answers 500, on a page of a list too.
"""

from __future__ import annotations

import base64
import itertools
import json
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from azext_kmsmigrate.migration.secret import (
    Answer,
    Counters,
    Failure,
    FailureClass,
    Gone,
    Page,
    Patched,
    SecretRef,
    StoredAs,
)

CANARY = ("kube-system", "aks-kms-migrate-canary")
_UNANSWERED = Failure(FailureClass.TRANSIENT, "ConnectionRefusedError")
_PREFIX = {
    StoredAs.KMS_V1: "k8s:enc:kms:v1:azurekmsprovider:",
    StoredAs.KMS_V2: "k8s:enc:kms:v2:azurekmsprovider:",
}


def is_canary(key: tuple[str, str]) -> bool:
    """Of the migration, or of a command."""
    return key[0] == CANARY[0] and key[1].startswith(CANARY[1])


@dataclass
class Encryption:
    """What one API server writes, and what it can read besides."""

    writes: StoredAs
    reads: frozenset[StoredAs]

    @classmethod
    def of(cls, writes: StoredAs, *readers: StoredAs) -> Encryption:
        return cls(writes, frozenset((writes, *readers)))


@dataclass
class Stored:
    """One Secret in etcd. ``edits`` counts the changes of clients: it stands for managedFields."""

    uid: str
    resource_version: int
    form: StoredAs
    edits: int = 0


@dataclass
class Replica:
    """One API server. ``to_come``: configurations it takes on, each at its time."""

    encryption: Encryption
    started: float
    to_come: list[tuple[float, Encryption]] = field(default_factory=list)
    to_storage: dict[str, float] = field(default_factory=dict)
    from_storage: dict[str, float] = field(default_factory=dict)


class ApiServers:
    """All replicas behind one load balancer, which goes round robin. Safe to use from several threads."""

    def __init__(self, encryption: Encryption, replicas: int, now: Callable[[], float]) -> None:
        self._lock = threading.RLock()
        self._now = now
        self._version = 1000
        self._uids = itertools.count(1)
        self._turn = itertools.count()
        self.replicas = [Replica(encryption, started=float(i)) for i in range(replicas)]
        self.secrets: dict[tuple[str, str], Stored] = {}
        self.metrics = True
        self.delete_fails: Exception | None = None  # when a command removes its canary
        self.ends_connections = False  # an API server that begins anew with another configuration ends its connections
        self.reloads = False  # it takes on another configuration and does not begin anew
        self.away_from, self.away_until = 0.0, 0.0  # nobody answers then
        self.writes = 0
        self.dry_runs = 0
        self.answers: dict[tuple[str, str], deque[Answer]] = {}
        self.always: dict[tuple[str, str], Answer] = {}
        self.no_dry_run: dict[tuple[str, str], Failure] = {}
        self.page_answers: deque[Failure] = deque()
        self.expiring = 0  # continue tokens that are going to be answered with 410
        self.most_per_page = 0  # fewer than the client asks for; 0: as many
        self.before_patch: Callable[[], None] = lambda: None
        self.page_refusals: dict[tuple[str, str], Failure] = {}  # for pages that hold these Secrets
        self.before_page: Callable[[], None] = lambda: None
        self.after_page: Callable[[Page], None] = lambda page: None

    # what the test sees and does

    def add(self, namespace: str, *names: str) -> None:
        """Somebody creates Secrets, through whichever replica is next."""
        for name in names:
            with self._lock:
                self._write((namespace, name), self._replica(next(self._turn)), edited=True)

    def change(self, namespace: str, name: str) -> None:
        """Somebody changes a Secret."""
        self.add(namespace, name)

    def change_in_form(self, namespace: str, name: str, form: StoredAs) -> None:
        """Somebody changes a Secret through an API server that writes this form for just that moment."""
        with self._lock:
            self._write((namespace, name), Replica(Encryption.of(form), started=0.0), edited=True)

    def delete(self, namespace: str, name: str) -> None:
        with self._lock:
            self.secrets.pop((namespace, name), None)
            self._version += 1

    def forms(self) -> dict[StoredAs, int]:
        """The truth: how many Secrets of the user's lie in which form."""
        with self._lock:
            return dict(Counter(s.form for key, s in self.secrets.items() if not is_canary(key)))

    def deny(self, namespace: str, name: str, webhook: str) -> None:
        """A webhook denies updates of one Secret until ``allow``."""
        self.always[namespace, name] = Failure(FailureClass.ADMISSION_DENIED, f"webhook {webhook}")

    def deny_dry_runs(self, namespace: str, name: str, webhook: str) -> None:
        """A webhook that takes no part in dry runs, for one Secret; it denies nothing."""
        detail = f"webhook {webhook} takes no part in dry runs"
        self.no_dry_run[namespace, name] = Failure(FailureClass.DRY_RUN_UNSUPPORTED, detail)

    def allow(self, namespace: str, name: str) -> None:
        del self.always[namespace, name]

    def configure(self, at: float, roll: list[float], encryption: Encryption) -> None:
        """Replica i takes the configuration on ``roll[i]`` seconds after ``at`` (the last entry for all further)."""
        with self._lock:
            for index, replica in enumerate(self.replicas):
                later = at + (roll[index] if index < len(roll) else roll[-1])
                replica.to_come = [(t, e) for t, e in replica.to_come if t < later]
                replica.to_come.append((later, encryption))

    # what the ports ask

    @property
    def away(self) -> float:
        """For how many seconds yet nobody answers."""
        now = self._now()
        return max(0.0, self.away_until - now) if now >= self.away_from else 0.0

    def began(self, replica: int) -> float:
        """When the process of an API server started."""
        with self._lock:
            return self._replica(replica).started

    def next_replica(self) -> int:
        return next(self._turn) % len(self.replicas)

    def page(self, replica: int, namespace: str, limit: int, token: str) -> Page | Failure:
        self.before_page()
        if self.away:
            return _UNANSWERED
        with self._lock:
            if self.page_answers:
                return self.page_answers.popleft()
            keys = sorted((_relative(k, namespace), k) for k in self.secrets if not namespace or k[0] == namespace)
            if token:
                start = _read_token(token)
                if self.expiring and start["rv"] != -1:
                    self.expiring -= 1
                    return Failure(FailureClass.EXPIRED, token=_token(-1, start["start"]))
                keys = [(relative, key) for relative, key in keys if relative >= start["start"]]
            limit = min(limit, self.most_per_page or limit)
            kept = [key for _, key in keys[:limit]]
            server = self._replica(replica)
            for key in kept:
                if key in self.page_refusals:
                    return self.page_refusals[key]
                if self.secrets[key].form not in server.encryption.reads:
                    return Failure(FailureClass.UNDECRYPTABLE, "no key for it", secret="/".join(key))
            page = Page(
                tuple(self._ref(key) for key in kept if key != CANARY),
                self._version,
                _token(self._version, keys[limit - 1][0] + "\0") if len(keys) > limit else "",
                max(0, len(keys) - limit),
            )
        self.after_page(page)
        return page

    def patch(self, replica: int, key: tuple[str, str], *, edit: bool = False, dry_run: bool = False) -> Answer:
        self.before_patch()
        if self.away:
            return _UNANSWERED
        with self._lock:
            self.dry_runs += dry_run
            if scripted := self.answers.get(key):
                return scripted.popleft()
            stored = self.secrets.get(key)
            if stored is None:
                return Gone()
            server = self._replica(replica)
            if stored.form not in server.encryption.reads:
                return Failure(FailureClass.UNDECRYPTABLE, "the API server has no key for it", secret="/".join(key))
            _count(server.from_storage, "identity" if stored.form is StoredAs.PLAIN else _PREFIX[stored.form])
            if dry_run and key in self.no_dry_run:
                return self.no_dry_run[key]
            if key in self.always:
                return self.always[key]
            if not dry_run and (edit or stored.form is not server.encryption.writes):
                self._write(key, server, edited=edit)
            ref = self._ref(key)
            return Patched(ref.uid, ref.resource_version, ref.signature)

    def make_unreadable(self, namespace: str, name: str) -> tuple[str, str]:
        """Store a Secret in a form that no API server reads; its key."""
        with self._lock:
            read = frozenset[StoredAs]().union(*(r.encryption.reads for r in self.replicas))
            lost = next(form for form in StoredAs if form not in read)
            self.secrets[namespace, name] = replace(self.secrets[namespace, name], form=lost)
        return namespace, name

    def counters(self, replica: int) -> Counters | None:
        with self._lock:
            server = self._replica(replica)
            seen = self.metrics and not self.away
            return Counters(server.started, dict(server.to_storage), dict(server.from_storage)) if seen else None

    def create_canary(self, replica: int) -> SecretRef:
        with self._lock:
            self.secrets.pop(CANARY, None)
            self._write(CANARY, self._replica(replica), edited=True)
            return self._ref(CANARY)

    def create_own_canary(self, replica: int) -> SecretRef:
        with self._lock:
            key = CANARY[0], f"{CANARY[1]}-{next(self._uids):05}"
            self._write(key, self._replica(replica), edited=True)
            return self._ref(key)

    def own_canaries(self) -> list[tuple[str, str]]:
        """Those of commands that are there."""
        with self._lock:
            return sorted(key for key in self.secrets if is_canary(key) and key != CANARY)

    def find_canary(self) -> SecretRef | None:
        with self._lock:
            return self._ref(CANARY) if CANARY in self.secrets else None

    def delete_canary(self) -> None:
        with self._lock:
            self.secrets.pop(CANARY, None)

    def _replica(self, index: int) -> Replica:
        server = self.replicas[index % len(self.replicas)]
        while server.to_come and server.to_come[0][0] <= self._now():
            at, encryption = server.to_come.pop(0)
            if encryption != server.encryption:
                server.encryption = encryption
                if not self.reloads:
                    server.started = at + index % len(self.replicas) / 1000
                    server.to_storage, server.from_storage = {}, {}
        return server

    def _write(self, key: tuple[str, str], server: Replica, *, edited: bool) -> None:
        self._version += 1
        stored = self.secrets.get(key) or Stored(f"uid-{next(self._uids)}", 0, server.encryption.writes)
        self.secrets[key] = replace(
            stored,
            resource_version=self._version,
            form=server.encryption.writes,
            edits=stored.edits + edited,
        )
        self.writes += not is_canary(key)
        _count(server.to_storage, _PREFIX.get(server.encryption.writes, ""))

    def _ref(self, key: tuple[str, str]) -> SecretRef:
        stored = self.secrets[key]
        of_a_command = is_canary(key) and key != CANARY
        return SecretRef(*key, stored.uid, stored.resource_version, stored.edits, canary=of_a_command)


def _relative(key: tuple[str, str], namespace: str) -> str:
    """The etcd key under what is listed."""
    return key[1] if namespace else "/".join(key)


def _token(version: int, start: str) -> str:
    """A continue token in the form of the API server's own (``pkg/storage/continue.go``)."""
    document = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": start})
    return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")


def _read_token(token: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    assert document["v"] == "meta.k8s.io/v1"
    return document


def _count(counts: dict[str, float], prefix: str) -> None:
    counts[prefix] = counts.get(prefix, 0.0) + 1
