"""``start`` at a real pseudo-terminal, with the real az: what a user sees at every moment that is looked at."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from tests.az import AZ, Az
from tests.e2e.judgement import assert_all_under_kms_v2
from tests.labs import UpLab
from tests.screen import Screen

pytestmark = pytest.mark.az
SECRETS = 300
_LIVE = re.compile(r"^[-|/\\]( \[\d/\d\])?(  |$)")
_LASTING = re.compile(r"^\[ *\d+:\d\d\] \S|^ {9}\S")
_FIRST = re.compile(r"^\[  0:0\d\] Step 1 of")


class Seat:
    """A command typed at a terminal, its stdout in a file, and somebody who looks at the screen all the time."""

    def __init__(self, az: Az, output: Path, columns: int, rows: int, *words: str) -> None:
        self.screen = Screen(columns, rows)
        self.raw, self.looks = b"", 0
        self._output, self._before_first = output, True
        command = [str(AZ), "aks", "kms-migrate", *words, "-g", "lab", "-n", az.lab.name]
        self._child = pexpect.spawn(
            "/bin/sh",
            ["-c", 'exec "$@" >"$STDOUT"', "sh", *command],
            env=az.environment | {"TERM": "xterm-256color", "STDOUT": str(output)},
            cwd=az.lab.directory,
            dimensions=(rows, columns),
            timeout=None,
        )

    def until(self, seen: Callable[[Seat], bool], patience: float = 300.0) -> None:
        """Look at the screen until something is seen on it."""
        deadline = time.monotonic() + patience
        while not seen(self):
            assert time.monotonic() < deadline, "\n".join(self.screen.rows)
            assert self._read(), "the command ended before\n" + "\n".join(self.screen.rows)

    def resize(self, columns: int, rows: int) -> None:
        self._read()
        self._child.setwinsize(rows, columns)
        self.screen.resize(columns, rows)
        self.until(lambda seat: bool(seat.live))

    def type(self, text: str) -> None:
        self._child.send(text)

    def interrupt(self) -> None:
        self._child.send("\x03")

    def to_the_end(self) -> int:
        """Its exit code."""
        while self._read():
            pass
        self._child.close()
        return int(self._child.exitstatus)

    @property
    def document(self) -> dict[str, object]:
        document = json.loads(self._output.read_text())
        assert isinstance(document, dict)
        return document

    @property
    def live(self) -> str:
        row = self.screen.rows[self.screen.cursor[1]]
        return row if _LIVE.match(row) else ""

    def _read(self) -> bool:
        """Take in what comes until it is quiet, and look; False at the end."""
        try:
            fresh = self._child.read_nonblocking(65536, timeout=1.0)
            while True:
                self.raw += fresh
                self.screen.feed(fresh)
                fresh = self._child.read_nonblocking(65536, timeout=0.05)
        except pexpect.TIMEOUT:
            self._look()
            return True
        except pexpect.EOF:
            return False

    def _look(self) -> None:
        rows, (x, y) = self.screen.rows, self.screen.cursor
        text = "\n".join(rows)
        first = next((number for number, row in enumerate(rows) if _FIRST.match(row)), None)
        if first is None and self._before_first:
            return  # the plan, in whatever length the terminal folds it to
        self._before_first = False
        self.looks += 1
        assert not self.screen.cursor_hidden
        assert not any(rows[y + 1 :]), text
        above = rows[first or 0 : y]
        if not self.live:
            return
        assert x == 0, text
        assert all(_LASTING.match(row) for row in above if row), text
        assert len(rows[y]) < self.screen.columns, text


def at_a_terminal(az: Az) -> Az:
    """With az's own settings as a user has them: a lab turns colours and bars off."""
    for variable in ("AZURE_CORE_NO_COLOR", "AZURE_CORE_DISABLE_PROGRESS_BAR", "TF_BUILD", "NO_COLOR"):
        az.environment.pop(variable, None)
    return az


@pytest.mark.parametrize(
    ("first", "then"), [((80, 24), (120, 40)), ((120, 40), (80, 24))], ids=["80x24 to 120x40", "120x40 to 80x24"]
)
def test_the_screen_is_right_at_every_moment_through_resizes_and_ctrl_c(
    up: UpLab, tmp_path: Path, first: tuple[int, int], then: tuple[int, int]
) -> None:
    az = at_a_terminal(up("embedded", secrets=SECRETS, roll_seconds=2.0))
    words = ("start", "--yes", "--settle-seconds", "4")

    seat = Seat(az, tmp_path / "first.json", *first, *words)
    seat.until(lambda s: "[1/5]" in s.live and "Azure says" in s.live)
    seat.until(lambda s: "[2/5]" in s.live and "waiting until every API server" in s.live)
    seat.resize(*then)
    assert "[2/5]" in seat.live
    seat.resize(60, 20)
    seat.until(lambda s: "[2/5]" in s.live or "[3/5]" in s.live)
    seat.interrupt()
    assert seat.to_the_end() == 20, "\n".join(seat.screen.rows)
    assert seat.document["state"] == "Stopped"
    assert not any(_LIVE.match(row) for row in seat.screen.rows), "\n".join(seat.screen.rows)
    assert any("stopped after" in row for row in seat.screen.rows)
    assert seat.looks > 3

    az.lab.fault("operation", "upgrade hang")
    again = Seat(az, tmp_path / "again.json", *then, *words)
    again.until(lambda s: "pool 1/2" in s.live)  # the upgrade, with its pools and nodes
    assert "pool 1/2  nodes 0/3" in again.live
    az.lab.fault("release")
    assert again.to_the_end() == 0, "\n".join(again.screen.rows)
    assert again.document["state"] == "Completed"
    assert again.looks > 10
    assert not any(_LIVE.match(row) for row in again.screen.rows)
    assert b"\x1b[?25" not in seat.raw + again.raw
    assert_all_under_kms_v2(az.lab, SECRETS)


@pytest.mark.parametrize("variable", ["NO_COLOR", "AZURE_CORE_NO_COLOR"])
def test_colours_can_be_refused(up: UpLab, tmp_path: Path, variable: str) -> None:
    az = at_a_terminal(up("embedded", secrets=20))
    assert re.search(rb"\x1b\[\d*m", _verified(az, tmp_path).raw)
    az.environment |= {variable: "true"}
    seat = _verified(az, tmp_path)
    assert b"[1/1]" in seat.raw
    assert not re.search(rb"\x1b\[\d*m", seat.raw)


def test_a_user_who_wants_errors_only_sees_nothing_of_it(up: UpLab, tmp_path: Path) -> None:
    seat = _verified(at_a_terminal(up("embedded", secrets=20)), tmp_path, "--only-show-errors")
    assert seat.raw == b""
    assert seat.document["verified"] is True


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_the_question_is_on_the_terminal_and_stdout_holds_the_answer_only(
    up: UpLab, tmp_path: Path, answer: str, code: int
) -> None:
    az = at_a_terminal(up("embedded", secrets=20))
    seat = Seat(az, tmp_path / "out.json", 80, 24, "rewrite-secrets", "--settle-seconds", "1")
    seat.until(lambda s: any("(y/N)" in row for row in s.screen.rows))
    seat.type(f"{answer}\n")
    assert seat.to_the_end() == code, "\n".join(seat.screen.rows)
    if code:
        assert (tmp_path / "out.json").read_text() == ""
    else:
        assert seat.document["state"] == "Completed"


def _verified(az: Az, tmp_path: Path, *words: str) -> Seat:
    seat = Seat(az, tmp_path / "out.json", 80, 24, "verify", "--settle-seconds", "2", *words)
    assert seat.to_the_end() == 0
    return seat
