"""What is installed with the extension: native wheels of a dependency break when az's Python moves on."""

from __future__ import annotations

import ast
import json

from tests.lab.client import ROOT


def test_kubernetes_is_the_only_dependency_and_below_its_native_ones() -> None:
    (call,) = (
        node.value
        for node in ast.parse((ROOT / "setup.py").read_text()).body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    )
    given = {k.arg: k.value for k in call.keywords}
    assert ast.literal_eval(given["install_requires"]) == ["kubernetes>=31,<36"]
    assert ast.literal_eval(given["package_data"]) == {"azext_kmsmigrate": ["azext_metadata.json"]}


def test_the_oldest_az_is_named() -> None:
    metadata = json.loads((ROOT / "azext_kmsmigrate" / "azext_metadata.json").read_text())
    assert metadata["azext.minCliCoreVersion"] == "2.85.0"
