"""Talks to the API server about Secrets: lists their metadata, patches them with nothing, reads its counters."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from azext_kmsmigrate.errors import ClusterError
from azext_kmsmigrate.kube.api import CONFLICT, METADATA, METADATA_LIST, NOT_FOUND, Answered, Api, Channel
from azext_kmsmigrate.migration.journal import CanaryRecord
from azext_kmsmigrate.migration.secret import Answer, Counters, Failure, FailureClass, Gone, Page, Patched, SecretRef

NAMESPACE, CANARY = "kube-system", "aks-kms-migrate-canary"
_COLLECTION = f"/api/v1/namespaces/{NAMESPACE}/secrets"
_CANARY_PATH = f"{_COLLECTION}/{CANARY}"
_OURS = {"app.kubernetes.io/managed-by": "aks-kms-migrate"}
_OF_A_COMMAND = {**_OURS, "aks-kms-migrate/canary-of": "command"}  # beside the name: nobody else's Secret has both
_PURPOSE = {"aks-kms-migrate/purpose": "Empty. Shows when API servers write in a new form."}
_LEFT_BEHIND = timedelta(hours=1)
_MERGE = "application/merge-patch+json"
_GATEWAYS = ("HTTP 502", "HTTP 503", "HTTP 504")  # of what stands before an API server, or of one that ends
_COUNTER_ATTEMPTS = 3  # a connection that was just cut is no reason to do without counters
_TOUCHED = "aks-kms-migrate/touched"

_OPERATIONS = re.compile(rb"^apiserver_storage_transformation_operations_total\{([^}]*)\} (\S+)", re.M)
_LABEL = re.compile(rb'(\w+)="([^"]*)"')
_KMS_CHECK = re.compile(rb"^\[[+-]\](kms-provider\S*)", re.M)
_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
_STARTED = re.compile(rb"^process_start_time_seconds (\S+)", re.M)


class KubeSecrets:
    """The port ``Secrets``. ``left_behind``: how old a canary is that its command has left for good."""

    def __init__(self, api: Api, left_behind: timedelta = _LEFT_BEHIND) -> None:
        self._api, self._left_behind = api, left_behind
        self._lister: Channel | None = None
        self._own: set[str] = set()

    def page(self, *, namespace: str = "", limit: int = 500, token: str = "") -> Page | Failure:
        path = f"/api/v1/namespaces/{namespace}/secrets" if namespace else "/api/v1/secrets"
        query = {"limit": str(limit)} | ({"continue": token} if token else {})
        self._lister = self._lister or self._api.open_channel()
        answer = _sent(self._lister, "GET", path, query=query, accept=METADATA_LIST)
        if isinstance(answer, Failure):
            return answer
        document = json.loads(answer)
        meta = document["metadata"]
        return Page(
            items=tuple(ref for ref in map(_ref, document.get("items") or ()) if not self._looks_with(ref)),
            resource_version=int(meta["resourceVersion"]),
            token=meta.get("continue") or "",
            remaining=meta.get("remainingItemCount"),
        )

    def connect(self) -> KubeConnection:
        return KubeConnection(self._api.open_channel())

    def create_canary(self) -> SecretRef:
        self.delete_canary()
        return _ref(self._create(CANARY, _OURS))

    def find_canary(self) -> SecretRef | None:
        try:
            return _ref(self._api.call("read the canary Secret", "GET", _CANARY_PATH, accept=METADATA))
        except Answered:
            return None

    def canary_as(self, record: CanaryRecord) -> SecretRef:
        return SecretRef(NAMESPACE, CANARY, record.uid, int(record.resource_version), signature=0)

    def delete_canary(self) -> None:
        self._delete(CANARY)

    def create_own_canary(self) -> SecretRef:
        name = f"{CANARY}-{secrets.token_hex(5)}"
        self._own.add(name)  # before it is there: whatever comes between finds it excepted
        try:
            made = self._create(name, _OF_A_COMMAND)
            self._sweep(_time(made))
        except KeyboardInterrupt:
            self._delete(name)
            raise
        return _ref(made)

    def delete_own_canary(self, canary: SecretRef) -> None:
        self._delete(canary.name, canary.uid)

    def _create(self, name: str, labels: Mapping[str, str]) -> Any:
        metadata = {"name": name, "namespace": NAMESPACE, "labels": labels, "annotations": _PURPOSE}
        body = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata}
        try:
            return self._api.call("create the canary Secret", "POST", _COLLECTION, body=body, accept=METADATA)
        except Answered as answered:
            if answered.status != CONFLICT:
                raise
            # The answer to the first try was lost: it is there.
            return self._api.call("read the canary Secret", "GET", f"{_COLLECTION}/{name}", accept=METADATA)

    def _delete(self, name: str, uid: str = "") -> None:
        """``uid``: of the one that is meant, when another may have its name."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}} if uid else None
        try:
            self._api.call("delete the canary Secret", "DELETE", f"{_COLLECTION}/{name}", body=body, accept=METADATA)
        except Answered as answered:
            if answered.status != NOT_FOUND:
                raise

    def _sweep(self, now: datetime) -> None:
        """Delete what commands that were killed left behind. ``now`` is the API server's: ours may be wrong."""
        selector = ",".join(f"{name}={value}" for name, value in _OF_A_COMMAND.items())
        with suppress(ClusterError, Answered):  # they may be unreadable; the inventory will say so
            found = self._api.call(
                "list the canary Secrets", "GET", _COLLECTION, query={"labelSelector": selector}, accept=METADATA_LIST
            )
            for document in found.get("items") or ():
                if _is_of_a_command(document["metadata"]) and now - _time(document) > self._left_behind:
                    ref = _ref(document)
                    self._delete(ref.name, ref.uid)

    def _looks_with(self, ref: SecretRef) -> bool:
        return ref.namespace == NAMESPACE and (ref.name == CANARY or ref.name in self._own)


class KubeConnection:
    """The port ``Connection``: one channel, so one API server."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    @property
    def made(self) -> int:
        return self._channel.made

    def patch(self, namespace: str, name: str, *, dry_run: bool = False) -> Answer:
        return self._patch(namespace, name, {}, {"dryRun": "All"} if dry_run else None)

    def touch(self, namespace: str, name: str, value: str) -> Answer:
        return self._patch(namespace, name, {"metadata": {"annotations": {_TOUCHED: value}}})

    def counters(self) -> Counters | None:
        for _ in range(_COUNTER_ATTEMPTS):
            answer = _sent(self._channel, "GET", "/metrics", accept="text/plain")
            if not isinstance(answer, Failure):
                return read_counters(answer)
            if not answer.kind.retriable:
                break
        return None

    def answers(self) -> bool:
        answer = _sent(self._channel, "GET", "/readyz", accept="text/plain")
        return not isinstance(answer, Failure) or (answer.detail.startswith("HTTP") and answer.detail not in _GATEWAYS)

    def signs(self) -> tuple[str, ...]:
        return (*self._kms_checks(), *self._identities())

    def close(self) -> None:
        self._channel.close()

    def _kms_checks(self) -> list[str]:
        """``kms-provider-0`` and on with a KMS v1 provider, one ``kms-providers`` with KMS v2 alone (from 1.27)."""
        answer = _sent(self._channel, "GET", "/readyz", query={"verbose": ""}, accept="text/plain")
        checks = [] if isinstance(answer, Failure) else _KMS_CHECK.findall(answer)
        return [f"readyz: {', '.join(sorted(c.decode() for c in checks))}"] if checks else []

    def _identities(self) -> list[str]:
        """API servers with a Lease of their own, renewed every ten seconds (from 1.26)."""
        answer = _sent(self._channel, "GET", _LEASES)
        if isinstance(answer, Failure):
            return []
        names = [item["metadata"]["name"] for item in json.loads(answer).get("items") or ()]
        count = sum(name.startswith(("apiserver-", "kube-apiserver-")) for name in names)
        return [f"identity leases: {count}"] if count else []

    def _patch(self, namespace: str, name: str, body: object, query: Mapping[str, str] | None = None) -> Answer:
        path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
        try:
            answer = self._channel.send("PATCH", path, query=query, body=body, accept=METADATA, content_type=_MERGE)
        except Answered:
            return Gone()
        if isinstance(answer, Failure):
            return answer
        ref = _ref(json.loads(answer))
        return Patched(ref.uid, ref.resource_version, ref.signature)


def read_counters(text: bytes) -> Counters | None:
    """The two families that matter, out of a megabyte of Prometheus text; None when they are not there."""
    started = _STARTED.search(text)
    if not started:
        return None
    sums: dict[str, dict[str, float]] = {"to_storage": {}, "from_storage": {}}
    for labels_text, value in _OPERATIONS.findall(text):
        labels = {k.decode(): v.decode() for k, v in _LABEL.findall(labels_text)}
        direction = sums.get(labels.get("transformation_type", ""))
        # From 1.32 the family has a label for the resource; other resources may be encrypted too.
        if direction is None or labels.get("status") != "OK" or labels.get("resource", "secrets") != "secrets":
            continue
        prefix = labels.get("transformer_prefix", "")
        direction[prefix] = direction.get(prefix, 0.0) + float(value)
    return Counters(float(started[1]), sums["to_storage"], sums["from_storage"])


def _sent(channel: Channel, method: str, path: str, **options: Any) -> bytes | Failure:
    try:
        return channel.send(method, path, **options)
    except Answered as answered:
        return Failure(FailureClass.UNEXPECTED, str(answered))


def _ref(document: Mapping[str, Any]) -> SecretRef:
    meta = document["metadata"]
    # Annotations may hold the data (kubectl's last-applied-configuration): they are gone from here on.
    return SecretRef(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        resource_version=int(meta["resourceVersion"]),
        signature=hash(repr(meta.get("managedFields"))),
        immutable=any("f:immutable" in (entry.get("fieldsV1") or ()) for entry in meta.get("managedFields") or ()),
        canary=_is_of_a_command(meta),
    )


def _is_of_a_command(meta: Mapping[str, Any]) -> bool:
    """Whether a command of this tool made it, by its place, its name and all of its labels."""
    if meta["namespace"] != NAMESPACE or not meta["name"].startswith(f"{CANARY}-"):
        return False
    labels = meta.get("labels") or {}
    return all(labels.get(name) == value for name, value in _OF_A_COMMAND.items())


def _time(document: Mapping[str, Any]) -> datetime:
    text: str = document["metadata"]["creationTimestamp"]
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
