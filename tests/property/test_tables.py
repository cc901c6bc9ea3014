"""Tables with the longest names that Azure and Kubernetes allow, and whatever a server may say: 100 columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from azure.cli.core.util import todict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from knack.output import format_table
from knack.util import CommandResultItem

from azext_kmsmigrate import _format
from azext_kmsmigrate.report.one_line import width
from tests.unit.documents import CHECK, PLAN, RUN, STATUS, VERIFICATION

COLUMNS = 100
Rows = Callable[[dict[str, Any]], list[Any]]
TABLES: list[tuple[object, Rows]] = [
    (PLAN, _format.plan_rows),
    (CHECK, _format.check_rows),
    (RUN, _format.run_rows),
    (STATUS, _format.status_rows),
    (VERIFICATION, _format.verification_rows),
]

_LABEL = st.sampled_from(["n", "a-b", "x" * 62]).map(lambda text: (text + "z" * 63)[:63])
_SECRET = st.sampled_from(["s", "sh.helm.release.v1."]).map(lambda text: (text + "y" * 253)[:253])
_GROUP = st.text(st.characters(categories=("L", "N"), include_characters="-_.()"), min_size=1, max_size=90)
_WORDS = st.one_of(
    st.text(min_size=0, max_size=400),
    st.sampled_from(
        ["##vso[task.complete]", "\x1b[31mred", "a\nb\tc", "\u4e00" * 90, "wide \uff21" * 40, "e\u0301" * 80]
    ),
)
_OF_FIELD = {
    "namespace": _LABEL,
    "resourceGroup": _GROUP,
    "what": _WORDS,
    "why": _WORDS,
    "fix": _WORDS,
    "object": _WORDS,
    "note": _WORDS,
    "title": _WORDS,
    "detail": _WORDS,
    "summary": _WORDS,
    "lastProblem": _WORDS,
    "runner": _WORDS,
    "operation": _WORDS,
    "nextCommand": _GROUP.map(lambda group: f"az aks kms-migrate start -g '{group}' -n {'c' * 63}"),
}


@pytest.mark.parametrize(("document", "rows"), TABLES, ids=[type(t[0]).__name__ for t in TABLES])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_table_fits_and_each_row_is_a_line(document: object, rows: Rows, data: st.DataObject) -> None:
    extreme = _extreme(todict(document), data)
    text = format_table(CommandResultItem(extreme, table_transformer=rows))
    lines = text.splitlines()
    assert len(lines) == len(rows(extreme)) + 2  # the names of the columns, and the rule below them
    assert max(width(line) for line in lines) <= COLUMNS, text
    assert all(c.isprintable() for line in lines for c in line)
    assert "##" not in text


def _extreme(value: Any, data: st.DataObject, field: str = "") -> Any:
    """The same document, with other names and words in it."""
    if isinstance(value, dict):
        # Only of Secrets: a cluster's name is a label.
        named = {"name": data.draw(_SECRET if "namespace" in value else _LABEL)} if "name" in value else {}
        return {key: _extreme(inner, data, key) for key, inner in value.items()} | named
    if isinstance(value, list):
        return [_extreme(one, data, field) for one in value]
    if isinstance(value, str) and field in _OF_FIELD:
        return data.draw(_OF_FIELD[field])
    return value
