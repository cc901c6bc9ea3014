"""Looks at the API server for the checks: whether it answers, what it lets the caller do, and how much it stores."""

from __future__ import annotations

import json
import re
from typing import Any

from azext_kmsmigrate import errors
from azext_kmsmigrate.checks.access import ASKED, DOOR, LACKING, STORAGE, Door, Right, Storage
from azext_kmsmigrate.checks.topic import Topic, Unseen
from azext_kmsmigrate.errors import AzureError, ClusterError
from azext_kmsmigrate.kube.api import Answered, Api, Channel
from azext_kmsmigrate.migration.secret import Failure, FailureClass
from azext_kmsmigrate.ports import Question

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_ATTEMPTS = 3  # an API server that is being replaced says 503 for a moment

# The same gauge by its name from 1.28, from 1.26 and before (kubernetes ``storage/etcd3/metrics``).
_SIZE = re.compile(
    rb"^(?:apiserver_storage_size_bytes|apiserver_storage_db_total_size_in_bytes|etcd_db_total_size_in_bytes)"
    rb"(?:\{[^}]*\})? (\S+)",
    re.M,
)


class AccessInspector:
    """The port ``Inspector``. Asks on a connection of its own, and does not wait for a server that is away."""

    topics: tuple[Topic[Any], ...] = (DOOR, LACKING, STORAGE)

    def __init__(self, api: Api) -> None:
        self._api = api
        self._channel: Channel | None = None

    def look(self, topic: Topic[Any], question: Question) -> Any:
        if topic is DOOR:
            return self._door()
        return self._lacking() if topic is LACKING else self._storage()

    def _door(self) -> Door:
        try:
            answer = self._sent("GET", "/version")
        except (AzureError, ClusterError) as error:
            if error.entry in (errors.SIGN_IN_FAILED, errors.NO_CREDENTIAL, errors.AZURE_FORBIDDEN):
                return Door(refused=error.what.rstrip("."), asked=False)
            raise
        if not isinstance(answer, Failure):
            return Door()
        if answer.kind in (FailureClass.UNAUTHORIZED, FailureClass.FORBIDDEN):
            return Door(refused=str(answer))
        return Door(silent=str(answer))

    def _lacking(self) -> frozenset[Right] | Unseen:
        lacking = set()
        for right in ASKED:
            answer = self._sent("POST", _REVIEWS, body=_review(right))
            if isinstance(answer, Failure):
                return Unseen(f"the API server did not say ({answer})")
            if not json.loads(answer)["status"].get("allowed"):
                lacking.add(right)
        return frozenset(lacking)

    def _storage(self) -> Storage | Unseen:
        answer = self._sent("GET", "/metrics", accept="text/plain")
        if isinstance(answer, Failure):
            forbidden = answer.kind is FailureClass.FORBIDDEN
            return Unseen(f"the API server did not say ({answer})", "get /metrics" if forbidden else "")
        return Storage(round(max((float(size) for size in _SIZE.findall(answer)), default=0.0)))

    def _sent(self, method: str, path: str, **options: Any) -> bytes | Failure:
        self._channel = self._channel or self._api.open_channel()
        for _ in range(_ATTEMPTS):
            try:
                answer = self._channel.send(method, path, **options)
            except Answered as answered:
                return Failure(FailureClass.UNEXPECTED, str(answered))
            if not isinstance(answer, Failure) or answer.kind is not FailureClass.TRANSIENT:
                break
        return answer


def _review(right: Right) -> dict[str, Any]:
    attributes = {"verb": right.verb, "resource": right.resource, "group": right.group, "version": "v1"}
    if right.namespace:
        attributes["namespace"] = right.namespace
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
