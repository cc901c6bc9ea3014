"""Where labs live: names, living and dead labs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.lab.model import LabOptions
from tests.lab.premises import LabError, Premises, all_premises


@pytest.fixture(autouse=True)
def labs_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("KMS_LAB_HOME", str(tmp_path / "h"))
    return tmp_path / "h"


def test_options_are_kept_as_they_were() -> None:
    options = LabOptions("one", offers=("1.27.1",), secrets=5, extra={"proxy": "on"})
    premises = Premises.named("one")
    premises.prepare(options)
    assert premises.options() == options
    assert [found.name for found in all_premises()] == ["one"]


def test_only_the_user_may_look_in(labs_home: Path) -> None:
    premises = Premises.named("one")
    premises.prepare(LabOptions("one"))
    assert labs_home.stat().st_mode & 0o777 == 0o700
    assert premises.directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", "-a", "a" * 41])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="cannot be a lab's name"):
        Premises.named(name)


def test_a_path_too_long_for_a_socket_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KMS_LAB_HOME", str(tmp_path / ("x" * 100)))
    with pytest.raises(LabError, match="KMS_LAB_HOME"):
        Premises.named("one")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (LabOptions("one", kubernetes="1.26"), "'1.26' is not a full Kubernetes version"),
        (LabOptions("one", offers=("1.27.1", "")), "'' is not a full Kubernetes version"),
        (LabOptions("one", replicas=0), "at least one API server"),
        (LabOptions("one", secrets=-1), "cannot be negative"),
    ],
)
def test_what_no_lab_can_be_is_refused(options: LabOptions, said: str) -> None:
    with pytest.raises(LabError, match=said):
        Premises.named("one").prepare(options)


def test_a_living_lab_is_not_overwritten_and_a_dead_one_is() -> None:
    premises = Premises.named("one")
    premises.prepare(LabOptions("one"))
    lock = premises.occupy()
    with pytest.raises(LabError, match="up already"):
        premises.prepare(LabOptions("one"))
    os.close(lock)
    (premises.directory / "left").touch()
    premises.prepare(LabOptions("one"))
    assert not (premises.directory / "left").exists()
