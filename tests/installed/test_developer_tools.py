"""The linter and the style rules of azure-cli-extensions, as Microsoft's azdev has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installed.developer_tools import DeveloperTools

pytestmark = pytest.mark.az


@pytest.fixture(scope="module")
def azdev(extensions: Path, tmp_path_factory: pytest.TempPathFactory) -> DeveloperTools:
    return DeveloperTools(tmp_path_factory.mktemp("azdev"), extensions)


def test_no_rule_of_the_linter_is_broken(azdev: DeveloperTools) -> None:
    """Of any severity; what is left out is in ``linter_exclusions.yml``."""
    kinds = ("params", "commands", "command_groups", "help_entries")
    said = azdev.run(
        "linter", "aks-kms-migrate", "--include-whl-extensions", "--min-severity", "low", "--rule-types", *kinds
    )
    assert "FAIL" not in said.text, said.text
    assert said.text.count(" pass") > 25, said.text
    assert said.code == 0, said.text


def test_no_rule_of_style_is_broken(azdev: DeveloperTools) -> None:
    said = azdev.run("style", "azext_kmsmigrate")
    assert "Pylint: PASSED" in said.text, said.text
    assert "Flake8: PASSED" in said.text, said.text
    assert said.code == 0, said.text
