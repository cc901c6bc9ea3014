"""Where built programs are kept, and what is said about a machine that lacks something."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lab.controlplane.real import binaries
from tests.lab.controlplane.real.binaries import BinaryUnavailableError


def test_the_lab_offers_three_versions_oldest_first() -> None:
    assert binaries.offered_versions() == ("1.26.15", "1.27.1", "1.34.4")


def test_a_version_without_a_module_is_refused_by_name() -> None:
    with pytest.raises(BinaryUnavailableError, match=r"no kube-apiserver 1\.28\.0, only 1\.26\.15"):
        binaries.kube_apiserver("1.28.0")


def test_a_machine_without_anything_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "_MORE_PLACES", ())
    assert [line.split()[0] for line in binaries.missing()] == ["Go", "etcd", "haproxy", "setpriv"]
    with pytest.raises(BinaryUnavailableError, match="package etcd-server"):
        binaries.etcd()


def fake_go(directory: Path, version: str) -> None:
    go = directory / "go"
    go.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = env ]; then echo {version}; echo linux; echo amd64; exit; fi\n'
        "echo build >> $KMS_LAB_CACHE/builds\nsleep 0.2\n"
        '[ -e "$KMS_LAB_CACHE/broken" ] && echo "undefined: app" && exit 1\n'
        'while [ "$1" != -o ]; do shift; done\necho built > "$2"\n'
    )
    go.chmod(0o755)


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, and a Go that only says what it was asked."""
    programs, cache = tmp_path / "programs", tmp_path / "cache"
    programs.mkdir()
    cache.mkdir()
    fake_go(programs, "go1.26.8")
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("KMS_LAB_CACHE", str(cache))
    return cache


def builds(cache: Path) -> int:
    return len((cache / "builds").read_text().splitlines())


def test_a_program_is_built_once_for_each_toolchain(cache: Path, tmp_path: Path) -> None:
    first = binaries.kms_plugin(lambda line: None)
    assert first.is_relative_to(cache)
    assert first.read_text() == "built\n"
    assert binaries.kms_plugin() == first
    assert builds(cache) == 1
    assert binaries.kube_apiserver("1.26.15", lambda line: None).name.startswith("kube-apiserver-1.26.15-")
    fake_go(tmp_path / "programs", "go1.27.0")
    assert binaries.kms_plugin(lambda line: None) != first
    assert builds(cache) == 3


def test_two_that_need_the_same_program_build_it_once(cache: Path) -> None:
    with ThreadPoolExecutor(2) as both:
        paths = set(both.map(lambda _: binaries.kms_plugin(lambda line: None), range(2)))
    assert len(paths) == 1
    assert builds(cache) == 1


def test_the_command_line_builds_all_there_is(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("etcd", "haproxy", "setpriv"):
        program = tmp_path / "programs" / name
        program.touch(0o755)
    assert binaries.main(["rebuild"]) == 2
    assert binaries.main([]) == 1
    assert "kube-apiserver 1.26.15: not built" in capsys.readouterr().err
    assert binaries.main(["build"]) == 0
    assert "kube-apiserver 1.34.4: built in" in capsys.readouterr().err
    assert binaries.main([]) == 0
    others = 2  # the KMS plugin and toxiproxy
    assert builds(cache) == others + len(binaries.offered_versions())


def test_a_failed_build_says_why_and_leaves_nothing(cache: Path) -> None:
    (cache / "broken").touch()
    with pytest.raises(BinaryUnavailableError, match="undefined: app"):
        binaries.kms_plugin(lambda line: None)
    assert [path.name for path in (cache / "bin").iterdir()] == ["build.lock"]


def test_a_go_older_than_the_modules_is_named(cache: Path, tmp_path: Path) -> None:
    fake_go(tmp_path / "programs", "go1.19.8")
    assert binaries.missing()[0] == "Go is too old: 1.19, the modules need 1.24"
