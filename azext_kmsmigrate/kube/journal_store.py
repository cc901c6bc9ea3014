"""Talks to the API server about the journal: the ConfigMap ``kube-system/aks-kms-migrate``."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import ClusterError, Lost, Refused
from azext_kmsmigrate.kube.api import CONFLICT, NOT_FOUND, Answered, Api
from azext_kmsmigrate.migration.journal import Journal, JournalUnreadableError, from_document, to_document

NAMESPACE, NAME = "kube-system", "aks-kms-migrate"
_COLLECTION = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
_PATH = f"{_COLLECTION}/{NAME}"
_KEY = "journal.json"
_NAMESPACE_PATH = f"/api/v1/namespaces/{NAMESPACE}"


class KubeJournalStore:
    """The port ``JournalStore``. A save is refused by the API server when somebody else has saved since."""

    def __init__(self, api: Api, cluster_id: str) -> None:
        self._api, self._cluster_id = api, cluster_id
        self._version: str | None = None
        self._known_uid: str | None = None
        self._in_vain = False  # whether the cluster's uid has been waited for already

    def load(self) -> Journal | None:
        try:
            document = self._api.call("read the journal", "GET", _PATH)
        except Answered:
            self._version = None
            return None
        self._version = document["metadata"]["resourceVersion"]
        try:
            journal = from_document(json.loads((document.get("data") or {}).get(_KEY) or "null"))
        except JournalUnreadableError as error:
            raise Refused(errors.JOURNAL_FOREIGN, reason=error) from error
        except (ValueError, RecursionError) as error:
            raise Refused(errors.JOURNAL_FOREIGN, reason="it is not JSON") from error
        if journal.cluster_id.lower() != self._cluster_id.lower():
            raise Refused(errors.JOURNAL_FOREIGN, reason=f"it belongs to {journal.cluster_id}")
        if journal.cluster_uid and self._uid and journal.cluster_uid != self._uid:
            raise Refused(errors.JOURNAL_FOREIGN, reason="it was written for an earlier cluster of the same name")
        return journal

    def save(self, journal: Journal) -> None:
        journal = replace(journal, cluster_uid=self._uid or journal.cluster_uid)
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": NAME,
                "namespace": NAMESPACE,
                "labels": {"app.kubernetes.io/managed-by": "aks-kms-migrate"},
            },
            "data": {_KEY: json.dumps(to_document(journal), indent=1, sort_keys=True)},
        }
        try:
            if self._version is None:
                saved = self._api.call("write the journal", "POST", _COLLECTION, body=body)
            else:
                body["metadata"]["resourceVersion"] = self._version
                saved = self._api.call("write the journal", "PUT", _PATH, body=body)
        except Answered as answered:
            saved = self._unless_written(journal, answered, body)
        self._version = saved["metadata"]["resourceVersion"]

    @property
    def _uid(self) -> str:
        """Of the cluster itself: its first namespace lives as long as its etcd. Empty where it may not be read."""
        if self._known_uid is None:
            ask = self._api.attempt if self._in_vain else self._api.call
            try:
                found = ask("read the namespace kube-system", "GET", _NAMESPACE_PATH)
            except (Answered, ClusterError):
                found = None
            self._in_vain = found is None
            if found is None:
                return ""
            self._known_uid = str(found["metadata"].get("uid") or "")
        return self._known_uid

    def _unless_written(self, journal: Journal, answered: Answered, body: dict[str, Any]) -> Any:
        """A save whose answer was lost is repeated and then refused as a conflict: see whether it is our own."""
        if answered.status == NOT_FOUND:  # somebody deleted it; who holds the Lease knows all that it said
            body["metadata"].pop("resourceVersion", None)
            try:
                return self._api.call("write the journal", "POST", _COLLECTION, body=body)
            except Answered as again:
                answered = again
        if answered.status == CONFLICT:
            found = self._api.call("read the journal", "GET", _PATH)
            if json.loads((found.get("data") or {}).get(_KEY) or "null") == to_document(journal):
                return found
        raise Lost(errors.LEASE_LOST, holder="another run, which has written the journal,") from answered
