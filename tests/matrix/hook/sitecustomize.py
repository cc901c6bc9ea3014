"""Spoils chosen calls of the process, and hurries its waits. Python loads this at start-up when it is on PYTHONPATH.

Every request that the process sends, to Azure and to the API server, goes through ``http.client``: nothing of the
product is touched. ``AKS_CALLS``: a file that gets a line for each call: thread, ``sound`` or ``spoilt``, method,
target (the host left out: it is a port of this machine). ``AKS_SPOIL``: a JSON document::

    {"method": "GET", "target": REGEX, "after": {"call": REGEX, "count": N}, "times": N (0: for ever), "how": HOW, ...}

Matching calls count once N calls have matched ``after`` ("METHOD path"). How a call is spoilt:

- ``refused``, ``untrusted``: it is not sent, for no connection comes about (as each client library says so)
- ``lost``, ``late``: it is sent and answered; the answer is lost (a reset connection) or comes too late (a time-out)
- ``answered``: it is not sent, and answered with ``status``, ``headers`` and ``body``
- ``answered-late``: the same, but it was sent and had its effect
- ``foreign``: it is answered, and a page of somebody else's (``body``) stands in the answer's place
- ``half``: it is answered, and the connection ends in the middle of the answer's body

``AKS_HURRY``: by what number waits are divided; the process's clock for waits (``time.monotonic``) goes on as if it had
waited. A wait still takes some milliseconds.
"""

import email.message
import http.client
import io
import json
import os
import re
import ssl
import sys
import threading
import time
from typing import Any

_log = os.environ.get("AKS_CALLS", "")
_spoil = json.loads(os.environ.get("AKS_SPOIL") or "null")
_hurry = float(os.environ.get("AKS_HURRY") or 0)
_lock = threading.Lock()
_base = http.client.HTTPConnection
_putrequest, _send, _getresponse = _base.putrequest, _base.send, _base.getresponse
_SHORTEST = 0.01  # seconds that a hurried wait takes at least: who polls must not spin


class _Answer:
    """What ``http.client.HTTPResponse`` reads an answer from."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self._text)


class _Plan:
    """Decides which calls are spoilt."""

    def __init__(self, document: Any) -> None:
        self.document, self.how = document, document["how"]
        self._method, self._target = document["method"], re.compile(document["target"])
        self._after, self._waits = re.compile(document["after"]["call"]), document["after"]["count"]
        self._for_ever, self._left = not document["times"], document["times"]

    def takes(self, method: str, target: str) -> bool:
        if self._waits:
            self._waits -= bool(self._after.fullmatch(f"{method} {target.partition('?')[0]}"))
            return False
        if method != self._method or not self._target.fullmatch(target):
            return False
        self._left -= 1
        return self._for_ever or self._left >= 0


_plan = _Plan(_spoil) if _spoil else None


def putrequest(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> None:
    target = re.sub("^/{2,}|/{2,}(?=[^?]*$)", "/", re.sub("^https?://[^/]+", "", url))
    with _lock:
        spoilt = _plan is not None and _plan.takes(method, target)
        if _log:
            with open(_log, "a", encoding="utf-8") as file:
                file.write(f"{threading.get_ident()} {'spoilt' if spoilt else 'sound'} {method} {target}\n")
    self._aks_spoilt = spoilt and _plan and _plan.how
    if self._aks_spoilt in ("refused", "untrusted"):
        self._aks_spoilt = None
        self.close()
        raise _no_connection(self, _plan.how if _plan else "")
    _putrequest(self, method, url, *args, **kwargs)


def send(self: Any, data: Any) -> None:
    if getattr(self, "_aks_spoilt", None) == "answered" and not getattr(self, "_connecting", False):
        return
    _send(self, data)


def getresponse(self: Any, *args: Any, **kwargs: Any) -> Any:
    how, self._aks_spoilt = getattr(self, "_aks_spoilt", None), None
    if not how or _plan is None:
        return _getresponse(self, *args, **kwargs)
    method = self._method
    body, headers = b"", {}
    if how != "answered":
        answer = _getresponse(self, *args, **kwargs)
        status, headers, body = answer.status, dict(answer.getheaders()), answer.read()
        self.close()
    if how == "lost":
        raise ConnectionResetError(104, "Connection reset by peer")
    if how == "late":
        raise TimeoutError("The read operation timed out")
    if how == "half":
        return _made(self, method, status, headers, body[: len(body) // 2], len(body))
    if how == "foreign":
        return _made(self, method, status, _plan.document["headers"], _plan.document["body"].encode())
    return _made(self, method, _plan.document["status"], _plan.document["headers"], _plan.document["body"].encode())


def _made(connection: Any, method: str, status: int, headers: Any, body: bytes, length: int | None = None) -> Any:
    message = email.message.Message()
    for name, value in headers.items():
        if name.lower() not in ("content-length", "transfer-encoding", "connection"):
            message[name] = str(value)
    message["Content-Length"] = str(len(body) if length is None else length)
    if length is not None:
        message["Connection"] = "close"
    head = f"HTTP/1.1 {status} {http.client.responses.get(status, 'Status')}\r\n{message.as_string()}"
    text = head.replace("\r\n", "\n").replace("\n", "\r\n").encode() + body
    response = http.client.HTTPResponse(_Answer(text), method=method)  # type: ignore[arg-type]
    response.begin()
    connection._HTTPConnection__response = None
    connection._HTTPConnection__state = "Idle"
    return response


def _no_connection(connection: Any, how: str) -> Exception:
    if how == "untrusted":
        return ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    urllib3 = sys.modules.get("urllib3")
    if urllib3 is not None and isinstance(connection, urllib3.connection.HTTPConnection):
        told = "Failed to establish a new connection: [Errno 111] Connection refused"
        error: Exception = urllib3.exceptions.NewConnectionError(connection, told)
        return error
    return ConnectionRefusedError(111, "Connection refused")


def _hurried() -> None:
    sleep, monotonic = time.sleep, time.monotonic
    skipped = [0.0]

    def hurried_sleep(seconds: float) -> None:
        shorter = min(seconds, max(_SHORTEST, seconds / _hurry))
        sleep(shorter)
        skipped[0] += seconds - shorter

    time.sleep = hurried_sleep  # type: ignore[assignment]
    time.monotonic = lambda: monotonic() + skipped[0]


if _log:
    setattr(_base, "putrequest", putrequest)  # noqa: B010 mypy keeps methods as they are
    setattr(_base, "send", send)  # noqa: B010
    setattr(_base, "getresponse", getresponse)  # noqa: B010
if _hurry:
    _hurried()
