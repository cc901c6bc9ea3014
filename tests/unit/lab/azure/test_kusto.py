"""The query language of Resource Graph, as far as the lab has it, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lab.azure.kusto import Answer, QueryError, run

ROWS: list[dict[str, Any]] = [
    {"id": "/b", "name": "Beta", "type": "x/y", "properties": {"on": True, "deep": {"count": 3}}},
    {"id": "/a", "name": "alpha", "type": "x/y", "properties": {"on": False}},
    {"id": "/c", "name": "gamma", "type": "x/z", "properties": None},
]
COLUMNS = {"id": "string", "name": "string", "type": "string", "properties": "dynamic"}


def ask(query: str) -> Answer:
    return run(query, {"resources": (COLUMNS, ROWS)})


def ids(query: str) -> list[str]:
    return [row["id"] for row in ask(query).rows]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("resources", "/b /a /c"),
        ("", "/b /a /c"),
        ("Resources | where name =~ 'BETA'", "/b"),
        ("where name == 'BETA'", ""),
        ("resources | where type =~ 'X/Y' and properties.on == true", "/b"),
        ("resources | where type =~ 'x/y' | where not(properties.on)", "/a"),
        ("resources | where properties.deep.count > 2", "/b"),
        ("resources | where properties['deep']['count'] >= 3 or name contains 'AMM'", "/b /c"),
        ("resources | where (type !~ 'x/y' or name != 'Beta') and name startswith 'a'", "/a"),
        ("resources | where name in~ ('BETA', 'gamma')", "/b /c"),
        ("resources | where name !in ('Beta')", "/a /c"),
        ("resources | where isnull(properties.on) // the third", "/c"),
        ("resources | where isnotempty(tostring(properties.deep.count))", "/b"),
        ("resources | order by id asc", "/a /b /c"),
        ("resources | sort by id", "/c /b /a"),
        ("resources | order by type desc, name asc", "/c /b /a"),
        ("resources\n| take 1", "/b"),
        ('resources | where name =~ "it\'s" or id == "/a"', "/a"),
    ],
)
def test_a_query_finds(query: str, found: str) -> None:
    assert ids(query) == found.split()


def test_columns_are_made_renamed_and_left_out() -> None:
    (first, *_) = ask("resources | project id, called = toupper(name), properties.deep.count").rows
    assert first == {"id": "/b", "called": "BETA", "properties_deep_count": 3}
    assert ask("resources | extend short = tolower(type) | project-away properties").columns == {
        "id": "string",
        "name": "string",
        "type": "string",
        "short": "string",
    }
    assert ask("resources | where type =~ 'x/y' | count").rows == [{"Count": 2}]


def test_what_cannot_be_paged() -> None:
    assert ask("resources | project id, properties").pageable
    assert not ask("resources | limit 2").pageable
    assert not ask("resources | project properties").pageable


@pytest.mark.parametrize(
    ("query", "code", "token"),
    [
        ("where where", "ParserFailure", "<EOF>"),
        ("resources | where name = 'x'", "ParserFailure", "="),
        ("resources | where name =~ 'x", "ParserFailure", "'"),
        ("resources | project id |", "ParserFailure", "<EOF>"),
        ("resources where id == '1'", "ParserFailure", "where"),
        ("resources | frobnicate id", "ParserFailure", "frobnicate"),
        ("resources | summarize count() by type", "InvalidQueryLanguage", "summarize"),
        ("elsewhere | project id", "DisallowedLogicalTableName", ""),
        ("resources | project colour", "SemanticError", ""),
        ("resources | project name | order by id asc", "SemanticError", ""),
        ("resources | project id | where name == 'x'", "SemanticError", ""),
        ("resources | where name.first == 'x'", "SemanticError", ""),
        ("resources | where name > 'x'", "SemanticError", ""),
        ("resources | order by properties asc", "SemanticError", ""),
        ("resources | where frob(name)", "SemanticError", ""),
        ("resources | where name", "SemanticError", ""),
    ],
)
def test_what_is_no_query_of_the_lab_is_refused(query: str, code: str, token: str) -> None:
    with pytest.raises(QueryError) as caught:
        ask(query)
    assert (caught.value.code, caught.value.token) == (code, token)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="abc|=~'() .,<>!\n0and whereproject", max_size=60))
def test_nonsense_is_refused_and_nothing_else_happens(query: str) -> None:
    try:
        ask(query)
    except QueryError:
        return


@given(st.text(max_size=12))
def test_a_text_is_found_by_itself_whatever_is_in_it(name: str) -> None:
    row = {**ROWS[0], "name": name}
    literal = "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if "\n" in literal:
        return  # a literal ends with its line
    assert run(f"resources | where name == {literal}", {"resources": (COLUMNS, [row])}).rows == [row]
