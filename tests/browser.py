"""Chromium, driven over its own protocol (https://chromedevtools.github.io/devtools-protocol).

The binary is the one that ``CHROMIUM`` names, else one of the usual names on the PATH. Without one a test is skipped
with the reason, and fails under ``CI=true``.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
import websocket

from tests.npm import fetched, not_here

AXE = "4.14.1"
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_PATIENCE = 60.0  # seconds; only so that a browser that hangs fails


@dataclass(frozen=True)
class Violation:
    """A rule of axe-core that the page breaks, and where."""

    rule: str
    what: str
    where: tuple[str, ...]


@dataclass
class Browser:
    """One browser with one page."""

    binary: str
    _log: list[dict[str, Any]] = field(default_factory=list)
    _number: int = 0

    def __enter__(self) -> Browser:
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run"]
        options += ["--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={self._home.name}"]
        self._process = subprocess.Popen(
            [self.binary, *options, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._socket = websocket.create_connection(
            self._address(), timeout=_PATIENCE, suppress_origin=True, enable_multithread=False
        )
        target = next(t for t in self._ask("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self._ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.ask(f"{domain}.enable")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()
        self._home.cleanup()

    def open(self, file: Path, *, width: int, dark: bool = False, media: str = "screen") -> None:
        """Show a file in a window so wide, and wait until it is there."""
        self._log.clear()
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.ask("Page.navigate", url=file.as_uri())
        until = time.monotonic() + _PATIENCE
        while not any(event["method"] == "Page.loadEventFired" for event in self._log):
            assert time.monotonic() < until, "the page was not loaded"
            self._receive()

    @property
    def requests(self) -> list[str]:
        """What the page asked for since it was opened, itself first; what its policy stopped is in ``complaints``."""
        self.run("0")  # whatever the browser had to tell by now is told before the answer
        asked = [e["params"]["request"]["url"] for e in self._log if e["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith("data:")]

    @property
    def complaints(self) -> list[str]:
        """Errors that the browser logged, violations of the policy among them."""
        return [e["params"]["entry"]["text"] for e in self._log if e["method"] == "Log.entryAdded"]

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def violations(self) -> list[Violation]:
        """What axe-core finds, all its rules asked, best practices too."""
        axe = fetched("axe-core", AXE) / "node_modules" / "axe-core" / "axe.min.js"
        self.run(axe.read_text() + "; 0")
        found = self.run("axe.run(document).then(found => found.violations)")
        return [Violation(v["id"], v["help"], tuple(n["html"] for n in v["nodes"])) for v in found]

    def picture(self, file: Path) -> None:
        """The whole page as PNG."""
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def paper(self, file: Path) -> None:
        """The page as it is printed, as PDF."""
        printed = self.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=False)
        file.write_bytes(base64.b64decode(printed["data"]))

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._ask(method, self._session, **parameters)

    def _ask(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv())
        if "method" in message:
            self._log.append(message)
        return message

    def _address(self) -> str:
        """Where the browser listens: it writes that into its directory."""
        until, file = time.monotonic() + _PATIENCE, Path(self._home.name) / "DevToolsActivePort"
        while time.monotonic() < until:
            lines = file.read_text().splitlines() if file.exists() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            assert self._process.poll() is None, "the browser has ended"
            time.sleep(0.05)
        raise AssertionError("the browser does not listen")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    binary = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if binary is None:
        not_here("no Chromium here: install it (Debian: apt-get install chromium), or name it in CHROMIUM")
    with Browser(binary) as one:
        yield one
