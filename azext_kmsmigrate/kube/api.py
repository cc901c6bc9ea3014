"""Sends requests to the API server, and tells its answers from its failures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from azext_kmsmigrate import errors
from azext_kmsmigrate.errors import ClusterError
from azext_kmsmigrate.kube.faults import failure_of, no_answer
from azext_kmsmigrate.kube.wire import Broken
from azext_kmsmigrate.migration.secret import Failure, FailureClass
from azext_kmsmigrate.patience import Patience
from azext_kmsmigrate.ports import Clock

METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_JSON = "application/json"
_DOCUMENTS = (_JSON, METADATA, METADATA_LIST)
_PATIENCE = 120.0  # seconds that a call outside the passes waits for an API server that is being replaced
_LONGEST_PAUSE = 5.0  # seconds, as long as the server asks for no longer one
_UNSIGNED_PATIENCE = 10.0  # seconds; one that has just begun knows no signing keys yet and says 401

UNAUTHORIZED = 401
NOT_FOUND = 404
CONFLICT = 409


class Answered(Exception):
    """A status that the caller handles by itself (404, 409)."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class Transport(Protocol):
    """One kept connection to one API server."""

    @property
    def made(self) -> int:
        """How many connections it has made so far, or since it was closed."""

    def exchange(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> tuple[int, Any, bytes]:
        """Status, headers and body of the answer; ``body`` is JSON. Raises ``Broken`` when no answer came."""

    def close(self) -> None:
        """End the connection; the next exchange makes a new one."""


class Signer(Protocol):
    """What requests are signed with."""

    def header(self) -> dict[str, str]: ...

    def renewed(self, refused: Mapping[str, str]) -> bool:
        """After a 401: whether there is another header than the one that the API server refused."""


class Channel:
    """A transport that signs in: what is sent on it reaches one API server for as long as its connection holds.

    An API server that refuses the sign-in (401) is asked once more, with a new one.
    """

    def __init__(self, transport: Transport, signer: Signer) -> None:
        self._transport, self._signer = transport, signer

    @property
    def made(self) -> int:
        """How many connections it has made: a request after another number may have reached another API server."""
        return self._transport.made

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        accept: str = _JSON,
        content_type: str = _JSON,
    ) -> bytes | Failure:
        """The body of a successful answer, or why there was none. Raises ``Answered`` for 404 only.

        A connection that brought a failure that may pass is not used again: an API server that ends says 503 on the
        connections it still holds (kubernetes/apiserver ``filters/waitgroup.go``), and would go on saying so.
        """
        answer = self._exchange(method, path, query, body, accept, content_type)
        if isinstance(answer, Failure) and answer.kind.retriable:
            self.close()
        return answer

    def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: object,
        accept: str,
        content_type: str,
    ) -> bytes | Failure:
        shape = {"Accept": accept, "Content-Type": content_type}
        target = f"{path}?{urlencode(query)}" if query else path
        content = None if body is None else json.dumps(body).encode()
        signed = self._signer.header()
        try:
            status, answered, text = self._transport.exchange(method, target, shape | signed, content)
            if status == UNAUTHORIZED and self._signer.renewed(signed):
                signed = self._signer.header()
                status, answered, text = self._transport.exchange(method, target, shape | signed, content)
        except Broken as error:
            return no_answer(error)
        if status < 300:
            # A proxy or a captive portal answers with a page of its own, and says 200.
            is_document = accept not in _DOCUMENTS or text.startswith(b"{")
            return text if is_document else Failure(FailureClass.TRANSIENT, "the answer is not an API server's")
        if status == NOT_FOUND:
            raise Answered(NOT_FOUND)
        return failure_of(status, answered, text)

    def close(self) -> None:
        """End the connection; the next request makes a new one."""
        self._transport.close()


class Api:
    """The API server of one cluster: fresh channels for passes, and patient calls on a shared one of their own.

    ``patience``: seconds that a call waits at least; ``of_run`` may ask for more, and tells the user whom it waits for.
    """

    def __init__(
        self,
        open_channel: Callable[[], Channel],
        open_shared: Callable[[], Channel],
        clock: Clock,
        patience: float = _PATIENCE,
        of_run: Patience | None = None,
    ) -> None:
        self.open_channel, self._open_shared, self._clock = open_channel, open_shared, clock
        self._patience, self._of_run = patience, of_run or Patience(clock)
        self._shared: Channel | None = None

    def hurry(self) -> None:
        """From now on ask once, and on a new connection: the user wants to be gone."""
        self._patience, self._shared = 0.0, None

    def call(self, what: str, method: str, path: str, **options: Any) -> Any:
        """A request that has to succeed: retried while an API server is being replaced.

        :param what: completes "The API server could not …"
        :raises Answered: for 404, and for 409 on writing, which the caller understands
        :raises ClusterError: for everything else that does not go away
        """
        return json.loads(self._answer(what, method, path, options))

    def attempt(self, what: str, method: str, path: str, **options: Any) -> Any | None:
        """The same, asked once: None when that failed in a way that may pass."""
        answer = self._asked(what, method, path, options)
        if isinstance(answer, bytes):
            return json.loads(answer)
        if not answer.kind.retriable or answer.kind is FailureClass.UNAUTHORIZED:
            raise _error(what, answer)
        return None

    def text(self, what: str, path: str) -> str:
        """What the API server says of itself in plain text (``/metrics``); patient and raising as ``call`` is."""
        return self._answer(what, "GET", path, {"accept": "text/plain"}).decode(errors="replace")

    def _answer(self, what: str, method: str, path: str, options: Mapping[str, Any]) -> bytes:
        began = self._clock.monotonic()
        pause = 0.5
        while True:
            answer = self._asked(what, method, path, options)
            if isinstance(answer, bytes):
                return answer
            patience = max(self._patience, self._of_run.seconds)
            if answer.kind is FailureClass.UNAUTHORIZED:
                patience = min(patience, _UNSIGNED_PATIENCE)
            if not answer.kind.retriable or self._clock.monotonic() > began + patience:
                raise _error(what, answer)
            self._of_run.api_servers.pause(seconds=max(pause, answer.retry_after or 0.0))
            pause = min(_LONGEST_PAUSE, pause * 2)

    def _asked(self, what: str, method: str, path: str, options: Mapping[str, Any]) -> bytes | Failure:
        self._shared = self._shared or self._open_shared()
        answer = self._shared.send(method, path, **options)
        if isinstance(answer, bytes):
            self._of_run.api_servers.heard()
            return answer
        if answer.detail == f"HTTP {CONFLICT}" and method in ("PUT", "POST"):
            raise Answered(CONFLICT)
        if answer.kind.retriable:
            self._of_run.api_servers.missed(f"{what}: {answer}")
        return answer


def _error(what: str, failure: Failure) -> ClusterError:
    entry = {
        FailureClass.FORBIDDEN: errors.API_FORBIDDEN,
        FailureClass.UNAUTHORIZED: errors.SIGN_IN_REFUSED,
    }.get(failure.kind)
    if entry is None:
        no_answer_came = failure.kind.retriable and not failure.detail.startswith("HTTP")
        entry = errors.API_UNREACHABLE if no_answer_came else errors.API_FAILED
    return ClusterError(entry, what=what, code=failure)
