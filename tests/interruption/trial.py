"""One trial: a migration that is interrupted at one of its calls, and the same command typed again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.az import Az, Typed
from tests.lab.model import StoredForm

_HOOK = Path(__file__).with_name("hook")
KILLED = -9
QUICK = ("--yes", "--settle-seconds", "0")
_AGAIN = 3  # times that the command may have to be typed again


@dataclass(frozen=True)
class Call:
    """One request of the process, in order. ``path`` is without its query."""

    number: int
    method: str
    path: str

    @property
    def writes(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True)
class Interruption:
    """``how``: ``before``, ``answered`` or ``dropped``, as the hook says."""

    call: int
    how: str

    def __str__(self) -> str:
        return f"{self.how} at call {self.call}"


def calls(az: Az, *words: str, interruption: Interruption | None = None) -> tuple[Typed, list[Call]]:
    """Type ``az aks kms-migrate WORDS``, interrupted or not; also what it had called by its end."""
    log = az.lab.directory / "calls"
    log.unlink(missing_ok=True)
    hooked = Az(az.lab, Path(az.environment["AZURE_EXTENSION_DIR"]))
    hooked.environment |= {"PYTHONPATH": str(_HOOK), "AKS_CALLS": str(log)}
    if interruption:
        hooked.environment["AKS_INTERRUPT"] = f"{interruption.call}:{interruption.how}"
    typed = hooked.migrate(*words)
    lines = log.read_text().splitlines() if log.exists() else []
    return typed, [_parsed(line) for line in lines]


def survived(az: Az, interruption: Interruption) -> list[Typed]:
    """Interrupt a migration and type the command again until it is done; every command that was typed.

    Raises AssertionError when it ends in another state than an undisturbed run leaves.
    """
    before = az.lab.fingerprints()
    typed, _ = calls(az, "start", *QUICK, interruption=interruption)
    all_typed = [typed]
    while typed.code != 0:
        assert len(all_typed) <= _AGAIN, (str(interruption), typed.code, typed.stderr)
        # The Lease of a process that was killed would be waited for, a minute long.
        typed = az.migrate("start", *QUICK, "--take-over")
        all_typed.append(typed)
    told = (str(interruption), [(t.code, t.stderr[-500:]) for t in all_typed])
    forms = az.lab.etcd()
    assert forms[StoredForm.KMS_V2.value] == sum(forms.values()), (forms, told)
    after = az.lab.fingerprints()
    assert {name: after.get(name) for name in before} == before, told
    changed = Counter(one["change"] for one in az.lab.operations())
    assert changed == {"disable-kms": 1, "upgrade": 1, "enable-kms": 1}, (changed, told)
    verified = az.migrate("verify", "--settle-seconds", "0")
    assert verified.code == 0, (verified.stderr, told)
    assert verified.document["verified"], told
    return all_typed


def _parsed(line: str) -> Call:
    number, method, _, path = line.split(" ", 3)
    return Call(int(number), method, path.partition("?")[0])
