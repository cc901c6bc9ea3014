"""Talks to the API server about the Lease ``kube-system/aks-kms-migrate``: one runner at a time.

Whether its holder lives is told from whether it is renewed while we look, by our own monotonic clock, never from the
difference of two machines' clocks (as client-go's ``leaderelection`` does).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import Any

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import ClusterError, KmsMigrateError, Lost, Refused
from azext_kmsmigrate.kube.api import NOT_FOUND, Answered, Api
from azext_kmsmigrate.migration.events import Waiting
from azext_kmsmigrate.patience import PAUSE
from azext_kmsmigrate.ports import Clock, Tick

NAMESPACE, NAME = "kube-system", "aks-kms-migrate"
_COLLECTION = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
_PATH = f"{_COLLECTION}/{NAME}"
DURATION = 60  # seconds
_RENEW_EVERY = 15.0
_LOOK_EVERY = 3.0
_LONG_DEAD = 1800.0  # seconds without renewal that no two machines' clocks differ by: a sign-in would fail before that
_FORM = "%Y-%m-%dT%H:%M:%S.%fZ"


class KubeLease:
    """The port ``Lease``. ``me`` says who and where, in words for a colleague; ``take_over`` breaks another's."""

    def __init__(
        self,
        api: Api,
        clock: Clock,
        me: str,
        cluster: str,
        *,
        tell: Tick = lambda _: None,
        take_over: bool = False,
    ) -> None:
        self._api, self._clock, self._me, self._cluster = api, clock, me, cluster
        self._tell, self._take_over = tell, take_over
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

    def renew(self, *, now: bool = False) -> None:
        if self._lost:
            raise Lost(errors.LEASE_LOST, holder=self._lost)
        if self._held is None or (not now and self._clock.monotonic() - self._renewed < _RENEW_EVERY):
            return
        self._held["spec"]["renewTime"] = self._now()
        ask = self._api.call if now else self._api.attempt
        try:
            # What is under way goes on without an API server: only who is about to write has to know for certain.
            renewed = ask("renew the Lease", "PUT", _PATH, body=self._held)
            if renewed is None:
                self._renewed = self._clock.monotonic() - _RENEW_EVERY + PAUSE
                return
            self._held = renewed
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
        if lease is None or not _holder(lease) or self._age(lease) > _LONG_DEAD:
            return None
        spec = lease["spec"]
        return f"{_holder(lease)}, since {_second(spec.get('acquireTime'))}, renewed {_second(spec.get('renewTime'))}"

    def _take(self) -> None:
        lease = self._read()
        if lease is not None and _holder(lease) not in ("", self._me) and not self._take_over:
            lease = self._outwaited(lease)
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

    def _outwaited(self, lease: dict[str, Any]) -> dict[str, Any] | None:
        """The Lease once its holder has given no sign of life for as long as it may be held without one."""
        if self._age(lease) > _LONG_DEAD:
            return lease
        began, first = self._clock.monotonic(), lease["metadata"]["resourceVersion"]
        duration = float(lease["spec"].get("leaseDurationSeconds") or DURATION)
        while (left := began + duration - self._clock.monotonic()) > 0:
            self._tell(Waiting("looking whether another run is alive", f"{left:.0f} s more, {_holder(lease)}"))
            self._clock.sleep(min(_LOOK_EVERY, left))
            current = self._read()
            if current is None or not _holder(current):
                return current
            if current["metadata"]["resourceVersion"] != first:
                raise self._taken(current)
            lease = current
        return lease

    def _age(self, lease: dict[str, Any]) -> float:
        """Seconds since its renewal, by two clocks that may differ; endless where nobody ever renewed it."""
        renewed = lease["spec"].get("renewTime")
        if not renewed:
            return float("inf")
        at = datetime.strptime(renewed, _FORM).replace(tzinfo=timezone.utc)
        return (self._clock.now() - at).total_seconds()

    def _taken(self, lease: dict[str, Any]) -> Refused:
        return Refused(
            errors.LEASE_HELD,
            name=self._cluster,
            holder=_holder(lease) or "another run",
            since=_second(lease["spec"].get("acquireTime")),
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


def _holder(lease: dict[str, Any]) -> str:
    return str(lease["spec"].get("holderIdentity") or "")


def _second(time: str | None) -> str:
    return f"{time.partition('.')[0]}Z" if time else "an unknown time"
