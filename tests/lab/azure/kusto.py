"""The part of Azure Resource Graph's query language that the lab understands; whatever else is refused. Pure.

Tables, then ``where``, ``project``, ``project-away``, ``extend``, ``order by`` / ``sort by``, ``limit`` / ``take``,
``count``. Expressions: columns and paths into dynamic ones, literals, ``==``, ``!=``, ``=~``, ``!~``, ``<`` and so on,
``in`` and ``in~`` with ``!``, ``contains``, ``startswith``, ``endswith``, ``and``, ``or``, and some functions.
https://learn.microsoft.com/azure/governance/resource-graph/concepts/query-language
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Value = Callable[[Row], Any]
STRING, DYNAMIC, BOOL, NUMBER = "string", "dynamic", "bool", "long"


@dataclass(eq=False)
class QueryError(Exception):
    """The query is none. ``code`` as Resource Graph has it; ``token`` where it stopped, with its line and place."""

    code: str
    message: str = ""
    line: int = -1
    place: int = -1
    token: str = ""


@dataclass(frozen=True)
class Answer:
    """``pageable``: whether a further page can be asked for."""

    rows: list[Row]
    columns: dict[str, str]
    pageable: bool


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int
    place: int


_TOKENS = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
      | (?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<word>project-away|![A-Za-z]+~?|in~|[A-Za-z_][A-Za-z0-9_]*)
      | (?P<mark>==|!=|=~|!~|<=|>=|[<>=|,.()\[\]])""",
    re.VERBOSE,
)
_OPERATORS = frozenset(("where", "project", "extend", "order", "sort", "limit", "take", "count"))
_KNOWN_ELSEWHERE = frozenset(
    ("summarize", "join", "union", "mv", "mvexpand", "parse", "distinct", "top", "sample", "invoke", "make")
)


def _lower(value: Any) -> str:
    return "" if value is None else str(value).lower()


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "=~": lambda left, right: _lower(left) == _lower(right),
    "!~": lambda left, right: _lower(left) != _lower(right),
    "<": lambda left, right: left is not None and left < right,
    "<=": lambda left, right: left is not None and left <= right,
    ">": lambda left, right: left is not None and left > right,
    ">=": lambda left, right: left is not None and left >= right,
    "contains": lambda left, right: _lower(right) in _lower(left),
    "!contains": lambda left, right: _lower(right) not in _lower(left),
    "startswith": lambda left, right: _lower(left).startswith(_lower(right)),
    "endswith": lambda left, right: _lower(left).endswith(_lower(right)),
}
_ORDERS = ("<", "<=", ">", ">=")
_LISTS: dict[str, Callable[[Any, list[Any]], bool]] = {
    "in": lambda left, right: left in right,
    "!in": lambda left, right: left not in right,
    "in~": lambda left, right: _lower(left) in map(_lower, right),
    "!in~": lambda left, right: _lower(left) not in map(_lower, right),
}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


_FUNCTIONS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "tolower": (STRING, lambda value: _text(value).lower()),
    "toupper": (STRING, lambda value: _text(value).upper()),
    "tostring": (STRING, _text),
    "tobool": (BOOL, lambda value: None if value is None else _text(value).lower() == "true"),
    "isempty": (BOOL, lambda value: value in (None, "")),
    "isnotempty": (BOOL, lambda value: value not in (None, "")),
    "isnull": (BOOL, lambda value: value is None),
    "isnotnull": (BOOL, lambda value: value is not None),
    "not": (BOOL, lambda value: not value),
}


def run(query: str, tables: Mapping[str, tuple[dict[str, str], Iterable[Row]]]) -> Answer:
    """The query's rows. ``tables``: the type of each column, and the rows. Raises ``QueryError``."""
    return _Query(query, tables).run()


class _Query:
    def __init__(self, query: str, tables: Mapping[str, tuple[dict[str, str], Iterable[Row]]]) -> None:
        self._tokens = _tokens(query)
        self._at = 0
        self._tables = {name.lower(): table for name, table in tables.items()}
        self._pageable = True

    def run(self) -> Answer:
        table = "resources"
        if self._now.text.lower() in self._tables or (self._now.kind == "word" and self._following.text in ("|", "")):
            table = self._take().text.lower()
            if table not in self._tables:
                raise QueryError("DisallowedLogicalTableName", f"Table {table} is invalid, unsupported or disallowed.")
            first = self._now.kind != "end"
        else:
            first = False  # a query may begin with its first operator
        columns, rows = self._tables[table]
        self._columns = dict(columns)
        if first:
            self._expect("|")
        while self._now.kind != "end":
            rows = self._operator(rows)
            if self._now.kind == "end":
                break
            self._expect("|")
            if self._now.kind == "end":
                raise self._wrong()
        pageable = self._pageable and any(kind != DYNAMIC for kind in self._columns.values())
        return Answer(list(rows), self._columns, pageable)

    def _operator(self, rows: Iterable[Row]) -> Iterable[Row]:
        token = self._take()
        name = token.text.lower()
        if name == "where":
            kind, test = self._expression()
            if self._now.text not in ("|", ""):
                raise self._wrong()
            if kind not in (BOOL, DYNAMIC):
                raise QueryError("SemanticError", "'where' operator: the predicate must be a boolean.")
            return filter(test, rows)
        if name in ("project", "extend"):
            return self._project(rows, extend=name == "extend")
        if name == "project-away":
            gone = {self._column() for _ in self._separated()}
            self._columns = {key: kind for key, kind in self._columns.items() if key not in gone}
            return [{key: row[key] for key in self._columns} for row in rows]
        if name in ("order", "sort"):
            self._expect("by")
            return self._sorted(rows)
        if name in ("limit", "take"):
            self._pageable = False
            most = self._take("number")
            return list(rows)[: int(most.text)]
        if name == "count":
            self._columns = {"Count": NUMBER}
            return [{"Count": sum(1 for _ in rows)}]
        if name in _KNOWN_ELSEWHERE:
            raise QueryError("InvalidQueryLanguage", "InvalidQueryLanguage", token=token.text)
        self._at -= 1
        raise self._wrong()

    def _project(self, rows: Iterable[Row], *, extend: bool) -> Iterable[Row]:
        made: dict[str, tuple[str, Value]] = {}
        for number, _ in enumerate(self._separated(), 1):
            name = ""
            if self._now.kind == "word" and self._following.text == "=":
                name = self._take().text
                self._take()
            begin = self._at
            kind, value = self._expression()
            if not name:
                words = [token.text for token in self._tokens[begin : self._at] if token.kind == "word"]
                plain = all(token.kind == "word" or token.text == "." for token in self._tokens[begin : self._at])
                name = "_".join(words) if plain else f"Column{number}"
            made[name] = (kind, value)
        kept = dict(self._columns) if extend else {}
        self._columns = kept | {name: kind for name, (kind, _) in made.items()}
        return [({**row} if extend else {}) | {name: value(row) for name, (_, value) in made.items()} for row in rows]

    def _sorted(self, rows: Iterable[Row]) -> Iterable[Row]:
        found = list(rows)
        keys: list[tuple[Value, bool]] = []
        for _ in self._separated():
            kind, value = self._expression()
            if kind == DYNAMIC:
                raise QueryError("SemanticError", "'order' operator: key can't be of dynamic type")
            word = self._now.text.lower()
            if word in ("asc", "desc"):
                self._take()
            keys.append((value, word == "asc"))
        for value, ascending in reversed(keys):
            found.sort(key=_nulls_first(value), reverse=not ascending)
        return found

    def _expression(self) -> tuple[str, Value]:
        kind, left = self._conjunction()
        while self._now.text.lower() == "or":
            self._take()
            _, right = self._conjunction()
            kind, left = BOOL, _either(left, right)
        return kind, left

    def _conjunction(self) -> tuple[str, Value]:
        kind, left = self._comparison()
        while self._now.text.lower() == "and":
            self._take()
            _, right = self._comparison()
            kind, left = BOOL, _both(left, right)
        return kind, left

    def _comparison(self) -> tuple[str, Value]:
        kind, left = self._operand()
        word = self._now.text.lower() if self._now.kind in ("word", "mark") else ""
        if word in _COMPARISONS:
            self._take()
            other, right = self._operand()
            if word in _ORDERS and STRING in (kind, other):
                raise QueryError("SemanticError", f"Cannot compare values of types {kind} and {other}.")
            compare = _COMPARISONS[word]
            return BOOL, lambda row: compare(left(row), right(row))
        if word in _LISTS:
            self._take()
            self._expect("(")
            values = [self._operand()[1] for _ in self._separated()]
            self._expect(")")
            among = _LISTS[word]
            return BOOL, lambda row: among(left(row), [value(row) for value in values])
        return kind, left

    def _operand(self) -> tuple[str, Value]:
        token = self._take()
        if token.text == "(":
            found = self._expression()
            self._expect(")")
            return found
        if token.kind == "text":
            literal: Any = re.sub(r"\\(.)", r"\1", token.text[1:-1])
            return STRING, lambda row: literal
        if token.kind == "number":
            number = float(token.text) if "." in token.text else int(token.text)
            return NUMBER, lambda row: number
        if token.kind != "word":
            self._at -= 1
            raise self._wrong()
        name = token.text
        if name.lower() in _OPERATORS:
            raise self._wrong()
        if name.lower() in ("true", "false"):
            return BOOL, lambda row: name.lower() == "true"
        if self._now.text == "(":
            return self._call(name)
        return self._path(name)

    def _call(self, name: str) -> tuple[str, Value]:
        if name.lower() not in _FUNCTIONS:
            raise QueryError("SemanticError", f"Unknown function: '{name}'.")
        self._expect("(")
        _, value = self._expression()
        self._expect(")")
        kind, function = _FUNCTIONS[name.lower()]
        return kind, lambda row: function(value(row))

    def _path(self, name: str) -> tuple[str, Value]:
        if name not in self._columns:
            raise QueryError("SemanticError", f"Failed to resolve scalar expression named '{name}'")
        kind, steps = self._columns[name], []
        while self._now.text in (".", "["):
            if kind != DYNAMIC:
                raise QueryError("SemanticError", f"Path expression source must be of type dynamic, not {kind}.")
            if self._take().text == ".":
                steps.append(self._take("word").text)
            else:
                steps.append(self._take("text").text[1:-1])
                self._expect("]")

        def value(row: Row) -> Any:
            found = row.get(name)
            for step in steps:
                found = found.get(step) if isinstance(found, dict) else None
            return found

        return kind, value

    def _column(self) -> str:
        token = self._take("word")
        if token.text not in self._columns:
            raise QueryError("SemanticError", f"Failed to resolve column named '{token.text}'")
        return token.text

    def _separated(self) -> Iterable[None]:
        yield None
        while self._now.text == ",":
            self._take()
            yield None

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    @property
    def _following(self) -> _Token:
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def _take(self, kind: str = "") -> _Token:
        token = self._now
        if token.kind == "end" or (kind and token.kind != kind):
            raise self._wrong()
        self._at += 1
        return token

    def _expect(self, text: str) -> None:
        if self._now.text.lower() != text:
            raise self._wrong()
        self._at += 1

    def _wrong(self) -> QueryError:
        token = self._now
        return QueryError("ParserFailure", "ParserFailure", token.line, token.place, token.text or "<EOF>")


def _tokens(query: str) -> list[_Token]:
    found, at, line, begin = [], 0, 1, 0
    while at < len(query):
        match = _TOKENS.match(query, at)
        if match is None:
            raise QueryError("ParserFailure", "ParserFailure", line, at - begin, query[at])
        kind = str(match.lastgroup)
        if kind != "space":
            found.append(_Token(kind, match[0], line, at - begin))
        if breaks := match[0].count("\n"):
            line, begin = line + breaks, at + match[0].rindex("\n") + 1
        at = match.end()
    return [*found, _Token("end", "", line, at - begin)]


def _nulls_first(value: Value) -> Value:
    return lambda row: (value(row) is not None, value(row))


def _either(left: Value, right: Value) -> Value:
    return lambda row: bool(left(row) or right(row))


def _both(left: Value, right: Value) -> Value:
    return lambda row: bool(left(row) and right(row))
