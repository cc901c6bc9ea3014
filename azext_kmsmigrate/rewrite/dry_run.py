"""Looks whether every Secret can be rewritten: the port ``Inspector`` for a pass that writes nothing."""

from __future__ import annotations

from typing import Any

from azext_kmsmigrate.checks.topic import Topic
from azext_kmsmigrate.checks.writable import WRITABLE, Writable
from azext_kmsmigrate.ports import Question, Tick
from azext_kmsmigrate.rewrite.rewriting import Rewriting


class DryRun:
    """``tick`` is told how far it is, and may raise to stop it."""

    topics: tuple[Topic[Any], ...] = (WRITABLE,)

    def __init__(self, rewriting: Rewriting, tick: Tick) -> None:
        self._rewriting, self._tick = rewriting, tick

    def look(self, topic: Topic[Any], question: Question) -> Writable:
        """Every Secret tried once. Failures of Secrets, and of the list, are in what it brings."""
        found = self._rewriting.dry_run(question.cluster, self._tick)
        return Writable(found.done, tuple(found.failed), str(found.systemic or ""))
