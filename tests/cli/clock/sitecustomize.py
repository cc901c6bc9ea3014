"""A machine whose clock is ``SECONDS_OFF`` ahead. Python loads this at start-up when it is on PYTHONPATH.

Nothing of the product is touched: everything in the process, az and its sign-in included, sees that time of day. Time
that only passes (``time.monotonic``) passes as ever.
"""

import datetime as module
import os
import time
from typing import Any

_OFF = float(os.environ.get("SECONDS_OFF", "0"))
_time = time.time


class _Shifted(module.datetime):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.fromtimestamp(_time() + _OFF, tz)

    @classmethod
    def utcnow(cls) -> Any:
        return cls.fromtimestamp(_time() + _OFF, module.timezone.utc).replace(tzinfo=None)


if _OFF:
    setattr(time, "time", lambda: _time() + _OFF)  # noqa: B010 mypy keeps functions as they are
    setattr(module, "datetime", _Shifted)  # noqa: B010
