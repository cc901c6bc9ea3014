"""Versions as Kubernetes orders them."""

from __future__ import annotations

import pytest

from tests.unit.situations import v


@pytest.mark.parametrize(
    ("text", "shown"), [("1.27.1", "1.27.1"), ("v1.27.1", "1.27.1"), ("1.27", "1.27.0"), (" 1.34.4 ", "1.34.4")]
)
def test_a_version_is_read(text: str, shown: str) -> None:
    assert str(v(text)) == shown


@pytest.mark.parametrize("text", ["", "1", "latest", "1.27.1.2", "1.27-beta", "1.27.x", "-1.27.0", "1..2", "1.27.1\n2"])
def test_anything_else_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Kubernetes version"):
        v(text)


def test_versions_order_by_number_not_by_text() -> None:
    assert v("1.9.9") < v("1.10.0") < v("1.26.15") < v("1.27.0")


def test_the_line_is_the_minor_version() -> None:
    assert v("1.27.9").line == v("1.27").line == (1, 27)
