"""The programs the real lab runs: Go programs that are built here, and etcd and HAProxy of the system.

Built programs are kept outside the checkout, in ``$KMS_LAB_CACHE``, else ``$XDG_CACHE_HOME/aks-kms-migrate``,
else ``~/.cache/aks-kms-migrate``: a fresh clone on the same machine builds nothing again. Each is named after
all that decides its content, so nothing is ever overwritten with something else.

``python -m tests.lab.controlplane.real.binaries [build]`` says what there is, or builds what is not there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_MODULES = Path(__file__).resolve().parents[2] / "go"
_API_SERVER = "kube-apiserver"
# --version and the log take it from the first, GET /version from the second; Kubernetes' own build sets both.
_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
# Debian keeps HAProxy, and Go's own installer keeps Go, where a plain user's PATH does not always look.
_MORE_PLACES = ("/usr/local/go/bin", "/usr/local/sbin", "/usr/sbin")
_HEARTBEAT_SECONDS = 30.0

Say = Callable[[str], None]


class BinaryUnavailableError(RuntimeError):
    """A program is neither there nor can it be built; the text says why, in plain words."""


@dataclass(frozen=True)
class GoProgram:
    """One Go module of the lab. ``version`` is what the program calls itself, empty when it does not say."""

    name: str
    module: Path
    version: str = ""

    @property
    def title(self) -> str:
        return f"{self.name} {self.version}".strip()

    def linker_flags(self) -> str:
        if not self.version:
            return "-s -w"
        major, minor, _ = self.version.split(".")
        named = {"gitVersion": f"v{self.version}", "gitMajor": major, "gitMinor": minor}
        settings = (f"-X {package}.{key}={value}" for package in _VERSION_PACKAGES for key, value in named.items())
        return " ".join(["-s -w", *settings])


def offered_versions() -> tuple[str, ...]:
    """The Kubernetes versions that the lab has a module for, oldest first."""
    found = (path.name.removeprefix(f"{_API_SERVER}-") for path in _MODULES.glob(f"{_API_SERVER}-*"))
    return tuple(sorted(found, key=lambda version: [int(part) for part in version.split(".")]))


def kube_apiserver(version: str, say: Say | None = None) -> Path:
    """The kube-apiserver of a full version such as ``1.26.15``; builds it when it is not in the cache."""
    if version not in offered_versions():
        raise BinaryUnavailableError(f"the lab has no kube-apiserver {version}, only {', '.join(offered_versions())}")
    return _built(GoProgram(_API_SERVER, _MODULES / f"{_API_SERVER}-{version}", version), say)


def kms_plugin(say: Say | None = None) -> Path:
    """The Key Vault KMS plugin; builds it when it is not in the cache."""
    return _built(GoProgram("kms-plugin", _MODULES / "kms-plugin"), say)


def toxiproxy(say: Say | None = None) -> Path:
    """A distant network in one program; builds it when it is not in the cache."""
    return _built(GoProgram("toxiproxy", _MODULES / "toxiproxy"), say)


def go_program(module: Path, say: Say | None = None) -> Path:
    """Any other Go program, of the module in a directory, which names it; builds it when it is not in the cache."""
    return _built(GoProgram(module.name, module), say)


def etcd() -> Path:
    return _system_program("etcd", "etcd-server")


def haproxy() -> Path:
    return _system_program("haproxy", "haproxy")


def missing() -> list[str]:
    """What this machine lacks for real API servers, one plain sentence each; empty when it lacks nothing."""
    lacks = []
    if not sys.platform.startswith("linux"):
        return [f"real API servers need Linux (this is {sys.platform})"]
    if _find("go") is None:
        lacks.append("Go is not installed (it builds the API servers)")
    elif (found := _go_release()) < (needed := _needed_go_release()):
        lacks.append(f"Go is too old: {_dotted(found)}, the modules need {_dotted(needed)}")
    for program, package in (("etcd", "etcd-server"), ("haproxy", "haproxy"), ("setpriv", "util-linux")):
        if _find(program) is None:
            lacks.append(f"{program} is not installed (Debian and Ubuntu: package {package})")
    return lacks


def _system_program(name: str, package: str) -> Path:
    found = _find(name)
    if found is None:
        raise BinaryUnavailableError(f"{name} is not installed (Debian and Ubuntu: package {package})")
    return found


def _find(name: str) -> Path | None:
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), *_MORE_PLACES])
    found = shutil.which(name, path=places)
    return Path(found) if found else None


def _go() -> Path:
    found = _find("go")
    if found is None:
        raise BinaryUnavailableError("Go is not installed (it builds the API servers)")
    return found


def _go_environment() -> dict[str, str]:
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-trimpath -buildvcs=false -mod=readonly",
        "GOTOOLCHAIN": "local",  # never fetch another compiler behind the user's back
        "GOWORK": "off",
    }


def _toolchain() -> str:
    """Such as ``go1.26.8 linux/amd64``."""
    command = [str(_go()), "env", "GOVERSION", "GOOS", "GOARCH"]
    result = subprocess.run(command, env=_go_environment(), check=True, capture_output=True, text=True)
    version, system, architecture = result.stdout.split()
    return f"{version} {system}/{architecture}"


def _go_release() -> tuple[int, ...]:
    match = re.match(r"go(\d+)\.(\d+)", _toolchain())
    return tuple(int(part) for part in match.groups()) if match else (0, 0)


def _needed_go_release() -> tuple[int, ...]:
    """The highest ``go`` line of the modules."""
    texts = (path.read_text() for path in _MODULES.glob("*/go.mod"))
    matches = (re.search(r"^go (\d+)\.(\d+)", text, re.MULTILINE) for text in texts)
    return max(tuple(int(part) for part in match.groups()) for match in matches if match)


def _dotted(release: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in release)


def _cache() -> Path:
    if chosen := os.environ.get("KMS_LAB_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "aks-kms-migrate"


def _cached_path(program: GoProgram) -> Path:
    digest = hashlib.sha256()
    for source in sorted([*program.module.glob("*.go"), *program.module.glob("go.*")]):
        digest.update(f"{source.name}\0{len(source.read_bytes())}\0".encode() + source.read_bytes())
    settings = (_toolchain(), _go_environment()["GOFLAGS"], program.linker_flags())
    digest.update("\0".join(settings).encode())
    return _cache() / "bin" / f"{program.title.replace(' ', '-')}-{digest.hexdigest()[:16]}"


def _built(program: GoProgram, say: Say | None) -> Path:
    path = _cached_path(program)
    if not path.exists():
        with _one_builder(path.parent, say or _print):
            if not path.exists():  # another process may have built it while we waited
                _build(program, path, say or _print)
    return path


@contextlib.contextmanager
def _one_builder(directory: Path, say: Say) -> Iterator[None]:
    """One build at a time on this machine: each alone fills every core."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another process that is building")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(program: GoProgram, path: Path, say: Say) -> None:
    say(f"{program.title}: building with {_toolchain()} (a first API server takes minutes)")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="building-") as directory:
        output = Path(directory) / "program"
        log = Path(directory) / "log"
        command = [str(_go()), "build", "-ldflags", program.linker_flags(), "-o", str(output), "."]
        with log.open("wb") as sink:
            process = subprocess.Popen(
                command, cwd=program.module, env=_go_environment(), stdout=sink, stderr=subprocess.STDOUT
            )
            try:
                _watch(process, lambda seconds: say(f"{program.title}: still building, {seconds:.0f} s"))
            finally:
                process.kill()  # only when interrupted is it still there
        if process.returncode != 0:
            raise BinaryUnavailableError(f"{program.title} does not build:\n{log.read_text()[-4000:]}")
        output.replace(path)
    say(f"{program.title}: built in {time.monotonic() - begun:.0f} s, {path.stat().st_size >> 20} MB")


def _watch(process: subprocess.Popen[bytes], still: Callable[[float], None]) -> None:
    begun = time.monotonic()
    while True:
        try:
            process.wait(_HEARTBEAT_SECONDS)
            return
        except subprocess.TimeoutExpired:
            still(time.monotonic() - begun)


def _print(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str]) -> int:
    """``build``: build what is not in the cache; nothing: say what there is. 1 when something lacks."""
    if list(arguments) not in ([], ["build"]):
        _print("usage: python -m tests.lab.controlplane.real.binaries [build]")
        return 2
    lacks = missing()
    for line in lacks:
        _print(f"missing: {line}")
    if lacks:
        return 1
    programs = [
        GoProgram("kms-plugin", _MODULES / "kms-plugin"),
        GoProgram("toxiproxy", _MODULES / "toxiproxy"),
        *(GoProgram(_API_SERVER, _MODULES / f"{_API_SERVER}-{v}", v) for v in offered_versions()),
    ]
    for program in programs:
        path = _cached_path(program)
        if arguments and not path.exists():
            _built(program, _print)
        else:
            _print(f"{program.title}: {'in the cache' if path.exists() else 'not built'}, {path}")
    return 0 if all(_cached_path(program).exists() for program in programs) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
