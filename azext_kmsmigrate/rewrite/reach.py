"""Tells an API server that answers badly from API servers that do not answer at all, and waits for the latter.

A request that was not answered says something of its Secret only where others are answered. So after one, a fresh
connection asks whether anybody is there; while nobody is, time goes by and no attempt is counted.
"""

from __future__ import annotations

from contextlib import closing

from azext_kmsmigrate.migration.secret import Answer, Failure, FailureClass, Page
from azext_kmsmigrate.patience import Patience
from azext_kmsmigrate.ports import Secrets, Tick

_UNANSWERED = (FailureClass.TRANSIENT, FailureClass.TIMED_OUT)


def unanswered(answer: Answer | Page) -> bool:
    """Whether it may be that no API server answers."""
    return isinstance(answer, Failure) and answer.kind in _UNANSWERED


class Reach:
    """Of the API servers, for the command's own thread; a run that has begun waits for them, another does not."""

    def __init__(self, secrets: Secrets, patience: Patience) -> None:
        self._secrets, self._patience = secrets, patience

    def outwaited(self, what: str, tick: Tick | None = None) -> bool:
        """Whether nobody answered, and somebody does again. ``what``: to which request, in words.

        False where somebody answers anyway, and where nobody did until the patience was over.
        """
        if not self._patience.seconds or self._answers():
            return False
        absence = self._patience.api_servers
        while absence.missed(what):
            absence.pause(tick)
            if self._answers():
                absence.heard()
                return True
        return False

    def _answers(self) -> bool:
        with closing(self._secrets.connect()) as connection:
            return connection.answers()
