"""Ends the process, or loses answers, at some of its calls. Python loads this at start-up when it is on PYTHONPATH.

Every request that the process sends, to Azure and to the API server, goes through ``http.client``: nothing of the
product is touched. ``AKS_INTERRUPT`` is ``<call>:<how>,...``: ``before`` (the request is not sent), ``answered`` (it
was answered; the process dies before it reads the answer), ``dropped`` (it was answered, and the answer is lost: a
reset connection; the process lives). Every call is written to the file ``AKS_CALLS``: number, method, host, path; and
when an interruption comes, the call's number and ``INTERRUPTED``.
"""

import http.client
import os
import signal
import threading
from typing import Any

_lock = threading.Lock()
_lost: set[tuple[str, str]] = set()
_calls = 0
_how = {
    int(one.partition(":")[0]): one.partition(":")[2] for one in os.environ.get("AKS_INTERRUPT", "").split(",") if one
}
_log = os.environ.get("AKS_CALLS", "")
_putrequest, _getresponse = http.client.HTTPConnection.putrequest, http.client.HTTPConnection.getresponse


def _write(line: str) -> None:
    with open(_log, "a", encoding="utf-8") as file:
        file.write(line + "\n")


def _die(call: int) -> None:
    _write(f"{call} INTERRUPTED")
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()


def putrequest(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> None:
    global _calls
    with _lock:
        if (method, url) in _lost:
            # The same request again is no call of its own: those after it keep their numbers.
            _lost.remove((method, url))
            self._aks_call = None
            _putrequest(self, method, url, *args, **kwargs)
            return
        _calls += 1
        self._aks_call = (_calls, method, url)
        _write(f"{_calls} {method} {self.host}:{self.port} {url}")
        if _how.get(_calls) == "before":
            _die(_calls)
    _putrequest(self, method, url, *args, **kwargs)


def getresponse(self: Any, *args: Any, **kwargs: Any) -> Any:
    answer = _getresponse(self, *args, **kwargs)
    call, *request = getattr(self, "_aks_call", None) or (0,)
    if _how.get(call) == "answered":
        _die(call)
    if _how.get(call) == "dropped":
        _write(f"{call} INTERRUPTED")
        self._aks_call = None
        _lost.add((request[0], request[1]))
        answer.close()
        self.close()
        raise ConnectionResetError("the answer was lost")
    return answer


if _log:
    setattr(http.client.HTTPConnection, "putrequest", putrequest)  # noqa: B010 mypy keeps methods as they are
    setattr(http.client.HTTPConnection, "getresponse", getresponse)  # noqa: B010
