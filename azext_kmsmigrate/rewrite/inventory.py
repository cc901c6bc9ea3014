"""Decides which Secrets a pass is about, page by page; the whole list is never held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from azext_kmsmigrate.migration.secret import Failure, FailureClass, Page, SecretRef

PAGE_SIZE = 500

ReadPage = Callable[[str, str], "Page | Failure"]
"""``(namespace, continue token) -> page``; retriable failures have been retried by then."""


@dataclass(frozen=True)
class Unlisted:
    """A part of the list that could not be read: ``secret`` names the culprit when the server did."""

    namespace: str
    failure: Failure


def walk(read: ReadPage, namespaces: tuple[str, ...] = ()) -> Iterator[Page | Unlisted]:
    """Every page of every namespace asked for (none: all of them), to the end.

    A continue token that expired (410) goes on from the token in the error: nothing that was there at the start can be
    missed, because keys only move into what is still to come.
    """
    for namespace in namespaces or ("",):
        token = ""
        while True:
            page = read(namespace, token)
            if isinstance(page, Failure):
                if page.kind is FailureClass.EXPIRED and page.token and page.token != token:
                    token = page.token
                    continue
                yield Unlisted(namespace, page)
                break
            yield page
            if not page.token:
                break
            token = page.token


def is_due(secret: SecretRef, barrier: int) -> bool:
    """Whether a rewriting pass has to patch this Secret: what was written above the barrier is in the new form.

    A proof pass does not ask: it looks at every Secret.
    """
    return secret.resource_version <= barrier
