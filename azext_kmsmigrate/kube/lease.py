"""Talks to the API server about the Lease ``kube-system/aks-kms-migrate``: one runner at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import Any

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import ClusterError, KmsMigrateError, Lost, Refused
from azext_kmsmigrate.kube.api import NOT_FOUND, Answered, Api
from azext_kmsmigrate.ports import Clock

NAMESPACE, NAME = "kube-system", "aks-kms-migrate"
_COLLECTION = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
_PATH = f"{_COLLECTION}/{NAME}"
DURATION = 60  # seconds
_RENEW_EVERY = 15.0
_FORM = "%Y-%m-%dT%H:%M:%S.%fZ"


class KubeLease:
    """The port ``Lease``. ``me`` says who and where, in words for a colleague."""

    def __init__(self, api: Api, clock: Clock, me: str, cluster: str) -> None:
        self._api, self._clock, self._me, self._cluster = api, clock, me, cluster
        self._held: dict[str, Any] | None = None
        self._lost = ""
        self._renewed = 0.0

    @contextmanager
    def held(self) -> Iterator[None]:
        self._take()
        try:
            yield
        finally:
            self._release()

    def renew(self) -> None:
        if self._lost:
            raise Lost(errors.LEASE_LOST, holder=self._lost)
        if self._held is None or self._clock.monotonic() - self._renewed < _RENEW_EVERY:
            return
        self._held["spec"]["renewTime"] = self._now()
        try:
            self._held = self._api.call("renew the Lease", "PUT", _PATH, body=self._held)
        except Answered as answered:
            current = self._read()
            holder = current and current["spec"].get("holderIdentity")
            if holder != self._me:
                self._held, self._lost = None, holder or "nobody"
                raise Lost(errors.LEASE_LOST, holder=self._lost) from answered
            self._held = current
        self._renewed = self._clock.monotonic()

    def holder(self) -> str | None:
        lease = self._read()
        if lease is None or self._left(lease) <= 0:
            return None
        return str(lease["spec"]["holderIdentity"])

    def _take(self) -> None:
        lease = self._read()
        if lease is not None and self._left(lease) > 0 and lease["spec"]["holderIdentity"] != self._me:
            raise self._taken(lease)
        try:
            if lease is None:
                self._held = self._api.call("create the Lease", "POST", _COLLECTION, body=self._document())
            else:
                body = self._document()
                body["metadata"]["resourceVersion"] = lease["metadata"]["resourceVersion"]
                self._held = self._api.call("take the Lease", "PUT", _PATH, body=body)
        except Answered as answered:
            current = self._read()
            if current is None or current["spec"].get("holderIdentity") != self._me:
                raise self._taken(current or self._document()) from answered
            self._held = current
        self._renewed = self._clock.monotonic()

    def _release(self) -> None:
        if self._held is None:
            return
        # Nobody loses anything when this fails: the Lease ends by itself.
        with suppress(Answered, KmsMigrateError):
            self._held["spec"]["holderIdentity"] = ""
            self._api.call("release the Lease", "PUT", _PATH, body=self._held)
        self._held = None

    def _read(self) -> dict[str, Any] | None:
        try:
            lease: dict[str, Any] = self._api.call("read the Lease", "GET", _PATH)
        except Answered as answered:
            if answered.status != NOT_FOUND:
                raise ClusterError(errors.API_FAILED, what="read the Lease", code=answered) from answered
            return None
        return lease

    def _left(self, lease: dict[str, Any]) -> float:
        spec = lease["spec"]
        if not spec.get("holderIdentity") or not spec.get("renewTime"):
            return 0.0
        return float(spec.get("leaseDurationSeconds") or DURATION) - self._age(lease)

    def _age(self, lease: dict[str, Any]) -> float:
        renewed = datetime.strptime(lease["spec"]["renewTime"], _FORM).replace(tzinfo=timezone.utc)
        return (self._clock.now() - renewed).total_seconds()

    def _taken(self, lease: dict[str, Any]) -> Refused:
        return Refused(
            errors.LEASE_HELD,
            name=self._cluster,
            holder=lease["spec"].get("holderIdentity") or "another run",
            age=round(self._age(lease)) if lease["spec"].get("renewTime") else 0,
            left=max(1, round(self._left(lease))),
        )

    def _document(self) -> dict[str, Any]:
        now = self._now()
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {
                "holderIdentity": self._me,
                "leaseDurationSeconds": DURATION,
                "acquireTime": now,
                "renewTime": now,
            },
        }

    def _now(self) -> str:
        return self._clock.now().strftime(_FORM)
