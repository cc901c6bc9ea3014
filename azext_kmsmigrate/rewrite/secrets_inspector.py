"""Looks at all Secrets for the checks: one walk over their metadata, in ever smaller pages where one cannot be read."""

from __future__ import annotations

from collections import Counter
from typing import Any

from azext_kmsmigrate.checks.secrets import SECRETS, SecretsSeen
from azext_kmsmigrate.checks.topic import Topic, Unseen
from azext_kmsmigrate.migration.secret import FailedSecret, FailureClass
from azext_kmsmigrate.ports import Clock, Question, Secrets
from azext_kmsmigrate.rewrite.engine import Engine
from azext_kmsmigrate.rewrite.inventory import Unlisted, walk

_NO_ANSWER = (FailureClass.TRANSIENT, FailureClass.TIMED_OUT, FailureClass.THROTTLED, FailureClass.UNAUTHORIZED)


class SecretsInspector:
    """The port ``Inspector``, on the port ``Secrets``."""

    topics: tuple[Topic[Any], ...] = (SECRETS,)

    def __init__(self, secrets: Secrets, clock: Clock) -> None:
        self._engine = Engine(secrets, clock, ceiling=1)

    def look(self, topic: Topic[Any], question: Question) -> SecretsSeen | Unseen:
        counts: Counter[str] = Counter()
        unreadable: list[FailedSecret] = []
        immutable = 0
        for page in walk(self._engine.read_page):
            if not isinstance(page, Unlisted):
                counts.update(secret.namespace for secret in page.items)
                immutable += sum(secret.immutable for secret in page.items)
            elif page.failure.kind is FailureClass.FORBIDDEN:
                return Unseen("the API server does not let you list Secrets", "list secrets in all namespaces")
            elif page.failure.kind in _NO_ANSWER:
                return Unseen(f"the API server did not list them ({page.failure})")
            else:
                unreadable.append(page.failed())
        return SecretsSeen(tuple(sorted(counts.items())), tuple(unreadable), immutable)
