"""Ends the process, or loses an answer, at one of its calls. Python loads this at start-up when it is on PYTHONPATH.

Every request that the process sends, to Azure and to the API server, goes through ``http.client``: nothing of the
product is touched. ``AKS_INTERRUPT`` is ``<call>:<how>``: ``before`` (the request is not sent), ``answered`` (it was
answered; the process dies before it reads the answer), ``dropped`` (it was answered, and the answer is lost: a reset
connection; the process lives). Every call is written to the file ``AKS_CALLS``: number, method, host, path; and when
the interruption comes, the call's number and ``INTERRUPTED``.
"""

import http.client
import os
import signal
import threading
from typing import Any

_lock = threading.Lock()
_calls = 0
_at, _, _how = os.environ.get("AKS_INTERRUPT", "0:").partition(":")
_log = os.environ.get("AKS_CALLS", "")
_putrequest, _getresponse = http.client.HTTPConnection.putrequest, http.client.HTTPConnection.getresponse


def _write(line: str) -> None:
    with open(_log, "a", encoding="utf-8") as file:
        file.write(line + "\n")


def _die() -> None:
    _write(f"{_at} INTERRUPTED")
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()


def putrequest(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> None:
    global _calls
    with _lock:
        _calls += 1
        self._aks_call = _calls
        _write(f"{_calls} {method} {self.host}:{self.port} {url}")
        if _calls == int(_at) and _how == "before":
            _die()
    _putrequest(self, method, url, *args, **kwargs)


def getresponse(self: Any, *args: Any, **kwargs: Any) -> Any:
    answer = _getresponse(self, *args, **kwargs)
    if getattr(self, "_aks_call", 0) == int(_at):
        if _how == "answered":
            _die()
        if _how == "dropped":
            _write(f"{_at} INTERRUPTED")
            self._aks_call = 0
            answer.close()
            self.close()
            raise ConnectionResetError("the answer was lost")
    return answer


if _log:
    setattr(http.client.HTTPConnection, "putrequest", putrequest)  # noqa: B010 mypy keeps methods as they are
    setattr(http.client.HTTPConnection, "getresponse", getresponse)  # noqa: B010
