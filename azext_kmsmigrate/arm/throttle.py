"""Sends a request that changes the cluster, and sends it again where Azure asks to wait.

The SDK would do that too: three times, for as long as Retry-After says, and without a sign of life meanwhile. A cluster
takes one PUT a minute in the long run, and the Lease of a run ends after a minute without renewal: so it is done here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from azext_kmsmigrate.migration.events import Waiting
from azext_kmsmigrate.ports import Clock, Tick

_PAUSES = (0.0, 1.6, 3.2)  # seconds before each further try at least, as in the SDK's RetryPolicy
_PASSING = (408, 429, 500, 502, 503, 504)
_LONGEST = 900.0  # seconds; who is to wait longer is told, and types the command again
_HEADERS = (("Retry-After", 1.0), ("x-ms-retry-after-ms", 0.001), ("retry-after-ms", 0.001))


class Throttle:
    """``send`` is tried until Azure takes it, refuses it, or has had its tries. Raises what the last one raised."""

    def __init__(self, clock: Clock, what: str, tick: Tick) -> None:
        self._clock, self._what, self._tick = clock, what, tick

    def sent(self, send: Callable[..., Any]) -> Any:
        """What ``send`` gives: an SDK's call, which gets the options that leave the waiting to us."""
        from azure.core.exceptions import HttpResponseError
        from azure.mgmt.core.polling.arm_polling import ARMPolling

        for pause in _PAUSES:
            try:
                return send(retry_status=0, polling=ARMPolling())
            except HttpResponseError as error:
                wait = asked_to_wait(error, self._clock.now())
                if error.status_code not in _PASSING or wait > _LONGEST:
                    raise
            self._pause(max(pause, wait))
        return send(retry_status=0, polling=ARMPolling())

    def _pause(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            self._tick(Waiting(f"{self._what}: Azure asks to wait", f"{left:.0f} s more"))
            self._clock.sleep(min(1.0, left))


def asked_to_wait(error: Any, now: datetime) -> float:
    """Seconds that an answer asks to wait before the next try, as a number or a date (RFC 9110, 10.2.3); else 0."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    for name, unit in _HEADERS:
        if text := headers.get(name):
            return max(0.0, _seconds(str(text), unit, now))
    return 0.0


def _seconds(text: str, unit: float, now: datetime) -> float:
    try:
        return float(text) * unit
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return ((at if at.tzinfo else at.replace(tzinfo=timezone.utc)) - now).total_seconds()
