"""What the lab's command line prints, apart from any lab."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.lab.__main__ import exports, main


@pytest.fixture(autouse=True)
def labs_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KMS_LAB_HOME", str(tmp_path))


def test_exports_survive_a_shell() -> None:
    value = '/tmp/it\'s a "path" $HOME `x`'
    script = exports({"KUBECONFIG": value}) + '\nprintf %s "$KUBECONFIG"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == value
    assert exports({"A": "b"}).splitlines()[0] == "export A='b'"


@pytest.mark.parametrize("verb", ["etcd", "requests", "history", "down"])
def test_an_unknown_lab_is_one_clear_line(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "nowhere"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: there is no lab nowhere")
    assert said.err.count("\n") == 1


def test_help_tells_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fault", "--help"])
    said = capsys.readouterr().out
    for kind in (
        "replica stop|start|restart|kill INDEX",
        "roll-seconds S",
        "operation disable-kms|",
        "webhook deny",
    ):
        assert kind in said


def test_list_of_no_labs_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert main(["list", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"
