"""Talks to an API server as the cluster's administrator, by client certificate, on one kept connection."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from tests.lab.model import Endpoint

Document = dict[str, Any]
Work = TypeVar("Work")
MERGE_PATCH = "application/merge-patch+json"


class ApiError(Exception):
    """The API server's refusal: the HTTP status and what it said."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"API server answered {status}: {said}")
        self.status = status


class Administrator:
    """One connection. Not for several threads at once: take one each (``in_parallel``)."""

    def __init__(self, endpoint: Endpoint, timeout: float = 60.0) -> None:
        url = urlsplit(endpoint.server)
        self._connection = http.client.HTTPSConnection(
            url.hostname or "127.0.0.1", url.port, context=tls_context(endpoint), timeout=timeout
        )

    def request(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Document:
        """One request; the parsed JSON answer. Raises ApiError from 400 on."""
        payload = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json"} | ({"Content-Type": content_type} if payload else {})
        try:
            self._connection.request(method, path, payload, headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            # The next request opens a new connection.
            self._connection.close()
            raise
        if answer.status >= 400:
            raise ApiError(answer.status, _message(text))
        document: Document = json.loads(text)
        return document

    def get(self, path: str) -> Document:
        return self.request("GET", path)

    def create(self, path: str, body: Document) -> Document:
        return self.request("POST", path, body)

    def create_if_absent(self, path: str, body: Document) -> None:
        try:
            self.create(path, body)
        except ApiError as error:
            if error.status != http.client.CONFLICT:
                raise

    def merge(self, path: str, body: Document) -> Document:
        return self.request("PATCH", path, body, MERGE_PATCH)

    def delete_if_present(self, path: str) -> None:
        try:
            self.request("DELETE", path)
        except ApiError as error:
            if error.status != http.client.NOT_FOUND:
                raise

    def items(self, path: str, limit: int = 500) -> Iterator[Document]:
        """Every item of a collection, page by page."""
        token = ""
        while True:
            page = self.get(f"{path}?limit={limit}" + (f"&continue={quote(token)}" if token else ""))
            yield from page.get("items") or ()
            token = page["metadata"].get("continue", "")
            if not token:
                return

    def close(self) -> None:
        self._connection.close()


@contextmanager
def administrator(endpoint: Endpoint) -> Iterator[Administrator]:
    """A connection that is closed at the end."""
    connection = Administrator(endpoint)
    try:
        yield connection
    finally:
        connection.close()


def in_parallel(
    endpoint: Endpoint, work: Sequence[Work], do: Callable[[Administrator, Work], object], workers: int = 8
) -> None:
    """Do each piece of work, shared out over workers with a connection each; the first failure is raised."""

    def share(pieces: Iterable[Work]) -> None:
        with administrator(endpoint) as api:
            for piece in pieces:
                do(api, piece)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(share, [work[start::workers] for start in range(min(workers, len(work)))]))


def tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """Trusts the cluster's CA and shows the client certificate."""
    context = ssl.create_default_context(cadata=endpoint.ca_pem)
    # The standard library takes a certificate from a file only.
    with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as file:
        file.write(endpoint.client_cert_pem + "\n" + endpoint.client_key_pem)
    try:
        context.load_cert_chain(file.name)
    finally:
        os.unlink(file.name)
    return context


def _message(text: bytes) -> str:
    try:
        document = json.loads(text)
    except ValueError:
        return text[:300].decode(errors="replace")
    return str(document.get("message", ""))
