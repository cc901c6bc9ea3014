"""The workers of one pass and what they share, under one lock: the only threads that write.

Workers, each on its own connection, patch what the lister hands out. How many are at work at once is decided by
``pacing``. Memory does not grow with the number of Secrets: the queue is bounded by a page, and only failures are kept.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from contextlib import closing

from azext_kmsmigrate.migration.events import Counting
from azext_kmsmigrate.migration.secret import Answer, FailedSecret, Failure, FailureClass, Page, Patched, SecretRef
from azext_kmsmigrate.patience import Patience
from azext_kmsmigrate.ports import Clock, Connection, Secrets
from azext_kmsmigrate.rewrite.course import Course
from azext_kmsmigrate.rewrite.inventory import PAGE_SIZE, Unlisted
from azext_kmsmigrate.rewrite.pacing import Pacing
from azext_kmsmigrate.rewrite.passes import Pass, PassResult, Purpose
from azext_kmsmigrate.rewrite.reach import unanswered
from azext_kmsmigrate.rewrite.speed import Speed
from azext_kmsmigrate.rewrite.verdict import Verdict, pause_before_retry, tried, verdict
from azext_kmsmigrate.rewrite.watch import Watch

_LOW = PAGE_SIZE // 2  # a full queue takes no more until it has come down to this
_ASKED_EVERY = 1.0  # seconds between two questions of a worker to API servers that do not answer
_FAREWELL = 1.5  # seconds for the requests in flight of a pass that is broken off
_SYSTEMIC = 25  # failures of one class in a row, with no success between: it is not the objects
_OF_THE_OBJECT = {
    FailureClass.ADMISSION_DENIED,
    FailureClass.WEBHOOK_DOWN,
    FailureClass.INVALID,
    FailureClass.TOO_LARGE,
    FailureClass.DRY_RUN_UNSUPPORTED,
}
_OF_THE_NAMESPACE = {FailureClass.FORBIDDEN, FailureClass.UNDECRYPTABLE}  # systemic only when several are hit


class Crew:
    """Of one pass. ``patience``: of the run, for API servers that do not answer."""

    def __init__(
        self,
        secrets: Secrets,
        clock: Clock,
        pacing: Pacing,
        chance: random.Random,
        wanted: Pass,
        patience: Patience,
    ) -> None:
        self.result = PassResult()
        self.stopping = False
        self.unheard = 0  # workers that wait for an API server to answer at all
        self._patience = patience
        self._out_of_patience = False
        self._secrets, self._clock, self._pacing, self._chance = secrets, clock, pacing, chance
        self._wanted, self._proving = wanted, wanted.purpose is Purpose.PROOF
        self._speed = Speed()
        self.course = Course(clock.monotonic())
        self._queue: deque[SecretRef] = deque()
        self._full = False
        self._busy = 0
        self._closed = False
        self._ended = False
        self._streak: list[tuple[FailureClass, str]] = []  # failures in a row of one class, each with its namespace
        self._broken: BaseException | None = None
        # One lock, two kinds of waiters: waking all of them for each Secret cost more than the request itself.
        self._lock = threading.Lock()
        self._change = threading.Condition(self._lock)  # the lister waits for room, and for the end
        self._ready = threading.Condition(self._lock)  # workers wait for a Secret that they may take
        self._threads: list[threading.Thread] = []

    # called by the lister

    def offer(self, secret: SecretRef) -> bool:
        """Queue a Secret; False after a second without room."""
        with self._change:
            self._raise_if_broken()
            if self.stopping:
                return True
            if self._full:
                self._change.wait(timeout=1.0)
                self._full = len(self._queue) > _LOW
                if self._full:
                    return False
            self._queue.append(secret)
            self._full = len(self._queue) >= PAGE_SIZE
            if self._busy < self._pacing.limit:
                self._ready.notify()
            self._hire()
        return True

    def skip(self) -> None:
        with self._change:
            self.result.current += 1

    def expect(self, page: Page) -> None:
        """Learn from a page how many there are in all, for the progress line; from the first, what the list is of."""
        with self._change:
            self.result.resource_version = self.result.resource_version or page.resource_version
            if not self.result.expected and not self._wanted.above:
                self.result.expected = len(page.items) + (page.remaining or 0)

    def unlisted(self, part: Unlisted) -> None:
        """A part of the list that could not be read counts as a failure, under the name the server gave."""
        with self._change:
            self.result.failed.append(part.failed())

    def finished(self) -> bool:
        """Whether everything queued is done; waits up to a second for it."""
        with self._change:
            self._raise_if_broken()
            if self._done():
                return True
            self._change.wait(timeout=1.0)
            self._raise_if_broken()
            return self._done()

    def dismiss(self, *, ended: bool) -> None:
        """No more work: requests in flight end, and so do the threads. ``ended``: everything that had to be done is.

        Who stops before the end wants to be gone: a request that is not answered by then ends with the process.
        """
        with self._change:
            self._closed, self._ended = True, ended
            self._queue.clear()
            self._ready.notify_all()
        until = time.monotonic() + _FAREWELL
        for thread in self._threads:
            thread.join(None if ended else max(0.0, until - time.monotonic()))
        if ended:
            self._raise_if_broken()

    def progress(self) -> Counting:
        r, now = self.result, self._clock.monotonic()
        rate = self._speed.at(now, r.done)
        self.course.at(now, r.done)
        return Counting(self._wanted.phase, r.done, max(r.expected, r.done), r.rewritten, len(r.failed), rate)

    def _done(self) -> bool:
        return self._busy == 0 and (not self._queue or self.stopping)

    def _raise_if_broken(self) -> None:
        if self._broken:
            raise self._broken

    def _hire(self) -> None:
        wanted = min(self._pacing.limit, self._busy + len(self._queue))
        if len(self._threads) < wanted and not self._closed:
            thread = threading.Thread(target=self._work, name=f"rewrite-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    # called by the workers

    def _work(self) -> None:
        try:
            with closing(self._secrets.connect()) as connection:
                watch = Watch(connection, self._wanted.canary, self._clock)
                self._look_at_canary(watch)
                opened = self._wanted.canary is not None
                while (secret := self._take()) is not None:
                    if watch.due and self._look_at_canary(watch):
                        self._give_back()
                        continue
                    answer = self._patch(connection, secret, opened, watch)
                    opened = True
                    self._record(secret, answer, self._judge(connection, secret, answer))
                if self._ended and not self.stopping:
                    self._look_at_canary(watch)
        except BaseException as error:  # handed to the caller's thread
            with self._change:
                self._broken = self._broken or error
                self._change.notify_all()

    def _judge(self, connection: Connection, secret: SecretRef, answer: Answer) -> Verdict:
        if self._wanted.purpose is Purpose.DRY_RUN:
            return tried(answer)
        what = verdict(secret, answer)
        if self._proving and what is Verdict.REWRITTEN and _explained(connection, secret, answer):
            return Verdict.CHANGED
        return what

    def _take(self) -> SecretRef | None:
        """The next Secret to patch, when it may go out; None when there is no more work."""
        while True:
            with self._change:
                if self._closed:
                    return None
                pause = 0.0
                if self._queue and not self.stopping and self._busy < self._pacing.limit:
                    pause = self._pacing.pause_before_next(self._clock.monotonic())
                    if not pause:
                        self._busy += 1
                        secret = self._queue.popleft()
                        if len(self._queue) == _LOW:
                            self._change.notify()
                        return secret
                else:
                    self._ready.wait(timeout=1.0)
            if pause:
                self._clock.sleep(min(pause, 1.0))

    def _give_back(self) -> None:
        """The Secret that was taken is left as it is."""
        with self._change:
            self._busy -= 1
            self._change.notify()

    def _patch(self, connection: Connection, secret: SecretRef, opened: bool, watch: Watch) -> Answer:
        """The final answer. The first request opens the connection: how long that took says nothing of the server."""
        attempt, pause = 1, None
        while True:
            began = self._clock.monotonic()
            answer = connection.patch(secret.namespace, secret.name, dry_run=self._wanted.purpose is Purpose.DRY_RUN)
            pushed_back = isinstance(answer, Failure) and answer.kind.pushes_back
            with self._change:
                limit = self._pacing.limit
                if opened or pushed_back:
                    self._pacing.answered(self._clock.monotonic() - began, pushed_back=pushed_back)
                if self._pacing.limit > limit:
                    self._ready.notify(self._pacing.limit - limit)
                    self._hire()
                closed = self._closed
            if unanswered(answer) and not closed and self._outwait(connection):
                pause, attempt = 0.0, attempt - 1
            else:
                pause = pause_before_retry(answer, attempt, self._chance)
            if pause is None or closed:
                return answer
            self._clock.sleep(pause)
            self._look_at_canary(watch)  # the connection may have been made anew, to another API server
            attempt += 1

    def _outwait(self, connection: Connection) -> bool:
        """Whether no API server answered, and one does again: what was asked meanwhile says nothing of the Secret."""
        if self._out_of_patience or not self._patience.seconds or connection.answers():
            return False
        began = self._clock.monotonic()
        with self._change:
            self.unheard += 1
        try:
            while not self._closed and self._clock.monotonic() - began < self._patience.seconds:
                self._clock.sleep(_ASKED_EVERY)
                if connection.answers():
                    return True
            self._out_of_patience = True
            return False
        finally:
            with self._change:
                self.unheard -= 1

    def _look_at_canary(self, watch: Watch) -> bool:
        """Whether it has moved; that ends the pass."""
        moved = watch.look()
        if moved is None:
            return False
        with self._change:
            self.result.tripped.append(_in_other_form(moved, "the canary: an API server writes another form"))
            self.stopping = True
            self._change.notify_all()
        return True

    def _record(self, secret: SecretRef, answer: Answer, what: Verdict) -> None:
        with self._change:
            self._busy -= 1
            r = self.result
            r.rewritten += what is Verdict.REWRITTEN
            r.current += what is Verdict.CURRENT
            r.changed += what is Verdict.CHANGED
            r.writable += what is Verdict.WRITABLE
            r.gone += what is Verdict.GONE
            if isinstance(answer, Failure):
                r.failed.append(FailedSecret(secret.namespace, secret.name, answer.kind, answer.detail))
                self._count_streak(secret, answer)
            else:
                self._streak = []
            if self._proving and what is Verdict.REWRITTEN:
                r.tripped.append(_in_other_form(secret, "was stored in another form"))
                self.stopping = True
            if self.stopping or self._done():
                self._change.notify()

    def _count_streak(self, secret: SecretRef, failure: Failure) -> None:
        if self._streak and self._streak[0][0] is not failure.kind:
            self._streak = []
        self._streak.append((failure.kind, secret.namespace))
        if failure.kind is not FailureClass.UNAUTHORIZED and (
            failure.kind in _OF_THE_OBJECT or len(self._streak) < _SYSTEMIC
        ):
            return
        if failure.kind in _OF_THE_NAMESPACE and len({namespace for _, namespace in self._streak}) == 1:
            return
        self.result.systemic = failure
        self.stopping = True


def _explained(connection: Connection, secret: SecretRef, answer: Answer) -> bool:
    """Whether a move is no sign of another form. A canary of another command may move at any time."""
    return secret.canary or _moves_again(connection, secret, answer)


def _moves_again(connection: Connection, secret: SecretRef, first: Answer) -> bool:
    """Whether a Secret moves at every patch through one API server: that is a webhook that changes it each time.

    An API server that has just written a Secret finds it current, unless something changes it: so it lies in the form
    that this server writes, and its moving is no sign of another.
    """
    second = connection.patch(secret.namespace, secret.name)
    return (
        isinstance(first, Patched)
        and isinstance(second, Patched)
        and second.uid == first.uid
        and second.resource_version != first.resource_version
    )


def _in_other_form(secret: SecretRef, detail: str) -> FailedSecret:
    return FailedSecret(secret.namespace, secret.name, FailureClass.OTHER_FORM, detail)
