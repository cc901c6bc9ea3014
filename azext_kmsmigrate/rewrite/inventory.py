"""Decides which Secrets a pass is about, page by page; the whole list is never held."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from azext_kmsmigrate.migration.secret import FailedSecret, Failure, FailureClass, Page, SecretRef

PAGE_SIZE = 500

_VAIN = 3  # Secrets in a row that Key Vault does not decrypt: it is the vault, or the way to it

SMALLER_MAY_DO = (FailureClass.TIMED_OUT, FailureClass.UNDECRYPTABLE, FailureClass.KEY_UNAVAILABLE)
"""Failures of a page that a smaller one may not meet: they are not retried before the page is as small as can be."""

ReadPage = Callable[[str, str, int], "Page | Failure"]
"""``(namespace, continue token, limit) -> page``; retriable failures have been retried by then."""


@dataclass(frozen=True)
class Unlisted:
    """A part of the list that could not be read: ``secret`` of the failure names the culprit when the server did.

    ``rest``: everything from there on in this namespace is unknown too.
    """

    namespace: str
    failure: Failure
    rest: bool = True

    def failed(self) -> FailedSecret:
        """Under the name that the server gave. Where the list could not go on, that one is only the first of many."""
        namespace, _, name = ("" if self.rest else self.failure.secret).partition("/")
        return FailedSecret(namespace or self.namespace or "*", name or "*", self.failure.kind, self.failure.detail)


def walk(read: ReadPage, namespaces: tuple[str, ...] = ()) -> Iterator[Page | Unlisted]:
    """Every page of every namespace asked for (none: all of them), to the end.

    A continue token that expired (410) goes on from the token in the error: nothing that was there at the start can be
    missed, because keys only move into what is still to come.

    A page that holds a Secret which no key decrypts fails as a whole. It is asked for in ever smaller pieces, until
    that Secret stands alone and is named; then the list goes on behind it.
    """
    for namespace in namespaces or ("",):
        token, limit, in_vain = "", PAGE_SIZE, 0
        while True:
            page = read(namespace, token, limit)
            if isinstance(page, Page):
                yield page
                if not page.token:
                    break
                token, limit, in_vain = page.token, min(PAGE_SIZE, limit * 2), 0
                continue
            if page.kind is FailureClass.EXPIRED and page.token and page.token != token:
                token = page.token
                continue
            if page.kind in SMALLER_MAY_DO and limit > 1:
                limit = max(1, limit // 4)
                continue
            in_vain += page.kind is FailureClass.KEY_UNAVAILABLE
            behind = _token_behind(page, namespace) if in_vain < _VAIN else ""
            yield Unlisted(namespace, page, rest=not behind)
            if not behind or behind == token:
                break
            token = behind


def _token_behind(failure: Failure, namespace: str) -> str:
    """A continue token for what comes after the Secret that a failure names; empty when it names none.

    The form of the token is the API server's own (``k8s.io/apiserver/pkg/storage/continue.go``, the same from 1.9 to
    1.36): version, resourceVersion (-1: the newest) and the key to start at, relative to what is listed.
    """
    if not failure.secret:
        return ""
    key = failure.secret.removeprefix(f"{namespace}/") if namespace else failure.secret
    token = json.dumps({"v": "meta.k8s.io/v1", "rv": -1, "start": f"{key}\0"}, separators=(",", ":"))
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def is_due(secret: SecretRef, barrier: int) -> bool:
    """Whether a rewriting pass has to patch this Secret: what was written above the barrier is in the new form.

    A proof pass does not ask: it looks at every Secret.
    """
    return secret.resource_version <= barrier
