"""The wheel: small, nothing but the extension, and what az reads of it."""

from __future__ import annotations

import ast
import email
import json
import zipfile
from collections.abc import Iterator

import pytest

from tests.demo.installation import wheel
from tests.lab.client import ROOT

MOST_BYTES = 250_000


@pytest.fixture
def built() -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(wheel()) as opened:
        yield opened


def _setup() -> dict[str, ast.expr]:
    (call,) = (
        node
        for node in ast.walk(ast.parse((ROOT / "setup.py").read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setup"
    )
    return {word.arg: word.value for word in call.keywords if word.arg}


def test_kubernetes_is_the_only_dependency_and_below_its_native_ones() -> None:
    """Native wheels of a dependency break when az's Python moves on."""
    assert ast.literal_eval(_setup()["install_requires"]) == ["kubernetes>=31,<36"]


def test_the_wheel_is_small() -> None:
    assert wheel().stat().st_size < MOST_BYTES


def test_the_wheel_holds_every_module_and_nothing_else(built: zipfile.ZipFile) -> None:
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "azext_kmsmigrate").rglob("*.py")}
    names = set(built.namelist())
    assert {name for name in names if ".dist-info/" not in name} == modules | {"azext_kmsmigrate/azext_metadata.json"}
    assert built.read(next(name for name in names if name.endswith("/top_level.txt"))).split() == [b"azext_kmsmigrate"]


def test_az_finds_its_oldest_version_and_the_dependency(built: zipfile.ZipFile) -> None:
    az = json.loads(built.read("azext_kmsmigrate/azext_metadata.json"))
    assert az == {"azext.isPreview": True, "azext.minCliCoreVersion": "2.85.0"}
    name = next(name for name in built.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = email.message_from_bytes(built.read(name))
    assert metadata["Name"] == "aks-kms-migrate"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata.get_all("Requires-Dist") == ["kubernetes<36,>=31"]


def test_a_traceback_of_the_wheel_tells_the_line_of_the_source(built: zipfile.ZipFile) -> None:
    for path in sorted((ROOT / "azext_kmsmigrate").rglob("*.py")):
        source = path.read_text()
        installed = built.read(str(path.relative_to(ROOT))).decode()
        assert _functions(installed) == _functions(source), path


def _functions(source: str) -> list[tuple[str, int]]:
    return [
        (node.name, node.lineno)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    ]
