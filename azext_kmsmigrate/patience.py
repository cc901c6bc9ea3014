"""How long a run waits for who does not answer, Azure or the cluster's API servers, and what it says meanwhile.

Before a run has begun nobody is waited for longer than a request takes by itself: that nobody answers is then what the
user has to know. Once it has begun, giving up leaves a cluster halfway, and an outage of some minutes passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from azext_kmsmigrate import errors
from azext_kmsmigrate.migration.events import Event, Note, Waiting, Warned
from azext_kmsmigrate.ports import Clock, Tick

PATIENCE = 900.0  # seconds in a row without an answer: three times an outage of five minutes
PAUSE = 5.0  # seconds between two questions to who is away
_TOLD_AFTER = 10.0  # seconds; an API server that is replaced, or one lost packet, is no news

AZURE_AWAY = (errors.AZURE_UNREACHABLE, errors.AZURE_UNAVAILABLE, errors.AZURE_THROTTLED)
"""Nothing is known of what was asked, and the same question may be answered later."""
SIGN_IN = (errors.SIGN_IN_FAILED, errors.SIGN_IN_REFUSED)
"""No waiting helps: somebody has to sign in."""


class Patience:
    """Of one command. ``seconds``: how long it waits now, 0 as long as no run has begun.

    ``tell``: an observer's. ``due`` raises when the command has to end by itself.
    """

    def __init__(
        self,
        clock: Clock,
        tell: Callable[[Event], None] = lambda event: None,
        due: Callable[[], None] = lambda: None,
    ) -> None:
        self.seconds = 0.0
        self.azure = Absence("Azure", self, clock, tell, due)
        self.api_servers = Absence("The cluster's API server", self, clock, tell, due)
        self.then: list[Callable[[], None]] = []
        self._hurried = False

    @contextmanager
    def of_a_run(self) -> Iterator[None]:
        """For the length of a ``with``, who is away is waited for."""
        self.seconds = 0.0 if self._hurried else PATIENCE
        try:
            yield
        finally:
            self.seconds = 0.0

    def hurry(self) -> None:
        """From now on nobody is waited for: the command ends. ``then`` is called."""
        self._hurried, self.seconds = True, 0.0
        for call in self.then:
            call()


class Absence:
    """Whether somebody is away, from answers and missing answers. For the command's own thread only."""

    def __init__(
        self,
        who: str,
        patience: Patience,
        clock: Clock,
        tell: Callable[[Event], None],
        due: Callable[[], None],
    ) -> None:
        self._who, self._patience, self._clock, self._tell, self._due = who, patience, clock, tell, due
        self._since: float | None = None
        self._at = ""
        self._told = False

    def missed(self, what: str) -> bool:
        """No answer came. ``what``: to which request, in words. Whether there is any patience left."""
        now = self._clock.monotonic()
        if self._since is None:
            self._since, self._at = now, self._clock.now().strftime("%H:%M:%SZ")
        away = now - self._since
        if not self._told and away >= _TOLD_AFTER and self._patience.seconds:
            self._told = True
            most = _duration(self._patience.seconds)
            self._tell(
                Warned(f"{self._who} has not answered since {self._at} ({what}). Waiting for it, {most} at most.")
            )
        return away < self._patience.seconds

    def heard(self) -> None:
        """An answer came."""
        if self._since is not None and self._told:
            self._tell(Note(f"{self._who} answers again, after {_duration(self._clock.monotonic() - self._since)}."))
        self._since, self._told = None, False

    def pause(self, tick: Tick | None = None, seconds: float = PAUSE) -> None:
        """Let some time go by before the next question; ``tick`` gets the signs of life, else the observer."""
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            self._due()
            if tick is not None:
                tick(self.moment)
            elif self._told:
                self._tell(self.moment)
            self._clock.sleep(min(1.0, left))

    @property
    def moment(self) -> Waiting:
        """What is shown while it lasts."""
        return Waiting(f"{self._who} does not answer", f"since {self._at}" if self._at else "")


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
