"""The expressions of Azure Pipelines that the examples use; every other one is refused.

https://learn.microsoft.com/azure/devops/pipelines/process/expressions
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_KEYWORDS = re.compile(r"\b(and|or|not)\(")
_RUNTIME = re.compile(r"^\$\[\s*(.*?)\s*\]$", re.DOTALL)


class UnknownExpressionError(ValueError):
    """An expression that Azure Pipelines may know and this does not."""


@dataclass(frozen=True)
class Scope:
    """What an expression sees. ``results``: of what it depends on; ``outputs``: (where, name) -> value.

    ``where`` is as it is written: ``("dependencies", "find")`` or ``("stageDependencies", "plan", "find")``.
    """

    results: tuple[str, ...]
    outputs: Mapping[tuple[tuple[str, ...], str], str]

    def condition(self, text: str) -> bool:
        return bool(self._value(_parsed(text)))

    def runtime(self, text: str) -> str:
        """The value of ``$[ ... ]``."""
        found = _RUNTIME.match(text)
        if not found:
            raise UnknownExpressionError(text)
        return str(self._value(_parsed(found[1])))

    def _value(self, node: ast.expr) -> object:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Call(func=ast.Name(id=name), args=args) if name in _FUNCTIONS:
                return _FUNCTIONS[name](self, [self._value(arg) for arg in args])
            case ast.Subscript(value=ast.Attribute(value=where, attr="outputs"), slice=ast.Constant(value=name)):
                # What was never set is an empty text, there as here.
                return self.outputs.get((_path(where), str(name)), "")
        raise UnknownExpressionError(ast.unparse(node))


def _succeeded(scope: Scope, _: list[object]) -> bool:
    return all(result in ("succeeded", "succeededWithIssues") for result in scope.results)


_FUNCTIONS: dict[str, Callable[[Scope, list[object]], bool]] = {
    "succeeded": _succeeded,
    "succeededOrFailed": lambda scope, _: "canceled" not in scope.results,
    "always": lambda scope, _: True,
    "failed": lambda scope, _: "failed" in scope.results,
    "and_": lambda _, values: all(values),
    "or_": lambda _, values: any(values),
    "not_": lambda _, values: not values[0],
    "eq": lambda _, values: str(values[0]).lower() == str(values[1]).lower(),
    "ne": lambda _, values: str(values[0]).lower() != str(values[1]).lower(),
}


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(_KEYWORDS.sub(r"\1_(", text.strip()), mode="eval").body
    except SyntaxError as error:
        raise UnknownExpressionError(text) from error


def _path(node: ast.expr) -> tuple[str, ...]:
    match node:
        case ast.Name(id=name):
            return (name,)
        case ast.Attribute(value=inner, attr=name):
            return (*_path(inner), name)
    raise UnknownExpressionError(ast.unparse(node))
