"""Runs passes over the Secrets: the caller's thread lists pages and hands the Secrets to the workers of a ``crew``."""

from __future__ import annotations

import functools
import hashlib
import itertools
import random
from collections.abc import Callable

from azext_kmsmigrate.migration.secret import Failure, Page
from azext_kmsmigrate.patience import Patience
from azext_kmsmigrate.ports import Clock, Secrets, Tick
from azext_kmsmigrate.rewrite.crew import Crew
from azext_kmsmigrate.rewrite.inventory import PAGE_SIZE, SMALLER_MAY_DO, Unlisted, walk
from azext_kmsmigrate.rewrite.pacing import Pacing
from azext_kmsmigrate.rewrite.passes import Pass, PassResult
from azext_kmsmigrate.rewrite.reach import Reach, unanswered
from azext_kmsmigrate.rewrite.verdict import pause_before_retry

_LONGEST_SILENCE = 10.0  # seconds of a pause without a sign of life


class Engine:
    """Runs passes. Safe to use for several, one after the other.

    ``patience``: of the run; without one, API servers that do not answer are a failure as any other.
    """

    def __init__(
        self,
        secrets: Secrets,
        clock: Clock,
        ceiling: int,
        chance: random.Random | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._secrets = secrets
        self._clock = clock
        self._ceiling = ceiling
        self._chance = chance or random.Random()
        self._patience = patience or Patience(clock)
        self._reach = Reach(secrets, self._patience)

    def run(self, wanted: Pass, tick: Tick) -> PassResult:
        """One pass, to the end or to where it has to stop. Whatever ``tick`` raises ends the workers first."""
        pacing = Pacing(self._ceiling, per_second=wanted.per_second)
        crew = Crew(self._secrets, self._clock, pacing, self._chance, wanted, self._patience)
        began, digest, ended = self._clock.monotonic(), hashlib.sha256(), False
        beat = _Beat(crew, self._patience, tick)
        try:
            read = functools.partial(self.read_page, waiting=beat, tick=tick)
            for page in walk(read, wanted.namespaces):
                if isinstance(page, Unlisted):
                    crew.unlisted(page)
                    continue
                crew.expect(page)
                for secret in page.items:
                    digest.update(f"{secret.uid} {secret.resource_version}\n".encode())
                    if wanted.is_about(secret):
                        while not crew.offer(secret):
                            beat()
                    elif not wanted.above:
                        crew.skip()
                beat()
                if crew.stopping:
                    break
            while not crew.finished():
                beat()
            ended = True
        finally:
            crew.dismiss(ended=ended)
        crew.result.seconds = self._clock.monotonic() - began
        crew.result.digest = digest.hexdigest()
        crew.result.course = crew.course.ended(self._clock.monotonic(), crew.result.done)
        return crew.result

    def read_page(
        self,
        namespace: str,
        token: str,
        limit: int = PAGE_SIZE,
        waiting: Callable[[], None] = lambda: None,
        tick: Tick | None = None,
    ) -> Page | Failure:
        """One page of the list; a failure that may pass has been retried, one of time has not when it could be less.

        ``waiting`` is called between and in pauses, which may be as long as a server asks for; ``tick`` where a run
        waits for API servers that do not answer at all.
        """
        for attempt in itertools.count(1):
            page = self._secrets.page(namespace=namespace, limit=limit, token=token)
            while unanswered(page) and self._reach.outwaited("list Secrets", tick):
                page = self._secrets.page(namespace=namespace, limit=limit, token=token)
            if isinstance(page, Failure) and page.kind in SMALLER_MAY_DO and limit > 1:
                return page
            pause = pause_before_retry(page, attempt, self._chance) if isinstance(page, Failure) else None
            if pause is None:
                return page
            while pause > 0:
                waiting()
                self._clock.sleep(min(pause, _LONGEST_SILENCE))
                pause -= _LONGEST_SILENCE
        raise AssertionError("not reached")


class _Beat:
    """A sign of life of a pass: how far it is, or that its workers wait for API servers that do not answer."""

    def __init__(self, crew: Crew, patience: Patience, tick: Tick) -> None:
        self._crew, self._api_servers, self._tick = crew, patience.api_servers, tick
        self._missing = False

    def __call__(self) -> None:
        if self._crew.unheard:
            self._missing = True
            self._api_servers.missed("patch Secrets")
            self._tick(self._api_servers.moment)
            return
        if self._missing:
            self._missing = False
            self._api_servers.heard()
        self._tick(self._crew.progress())
