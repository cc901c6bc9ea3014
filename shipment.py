"""Decides what of a module is shipped: all that runs, and nothing that is only read by people and type checkers.

A wheel may not be large, and these are a quarter of it: comments, docstrings (the commands' help is in ``_help``),
annotations of functions, and imports that only those needed. Every statement stays on its line, so that a traceback of
an installed extension tells the line of the source.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

_Function = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class _Cut:
    """What goes, from a place to a place (line from 1, column from 0 in bytes), and what takes its place."""

    begin: tuple[int, int]
    end: tuple[int, int]
    instead: str = ""


def shipped(source: str) -> str:
    """The source as it is shipped; SyntaxError when it is no Python."""
    tree = ast.parse(source)
    text = _without(source, [*_comments(source), *_docstrings(tree), *_said_of_types(tree, source), *_imports(tree)])
    return _indented_by_one(text)


def docstrings(tree: ast.AST) -> Iterator[tuple[list[ast.stmt], ast.Expr]]:
    """Every docstring, with the body that it opens."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, *_Function)) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and type(first.value.value) is str:
                yield node.body, first


def _annotations(tree: ast.AST) -> Iterator[tuple[ast.arg | None, ast.expr]]:
    """What is said of parameters, each with its parameter, and of results.

    A result over several lines stays: its brackets are what lets the lines be several.
    """
    for node in ast.walk(tree):
        if not isinstance(node, _Function):
            continue
        given = node.args
        for one in [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]:
            if one is not None and one.annotation is not None:
                yield one, one.annotation
        if node.returns is not None and not _over_lines(node):
            yield None, node.returns


def _over_lines(node: ast.AST) -> bool:
    """Whether it is a function whose result is described over several lines."""
    return isinstance(node, _Function) and node.returns is not None and node.returns.lineno != node.returns.end_lineno


def _unneeded(tree: ast.Module) -> set[str]:
    """Names that stand in annotations that go, and nowhere else."""
    going = [part for _, whole in _annotations(tree) for part in ast.walk(whole)]
    apart = set(map(id, going))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in apart}
    names = {node.id for node in going if isinstance(node, ast.Name)}
    if not any(isinstance(node, ast.AnnAssign) or _over_lines(node) for node in ast.walk(tree)):
        names.add("annotations")  # from __future__: nothing is left that it keeps from being evaluated
    return names - used


def _comments(source: str) -> Iterator[_Cut]:
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            before = lines[row - 1][:column].rstrip().encode()
            yield _Cut((row, len(before)), (row, len(lines[row - 1].encode())))


def _docstrings(tree: ast.Module) -> Iterator[_Cut]:
    for body, text in docstrings(tree):
        alone = len(body) == 1 and body is not tree.body
        yield _Cut(_begin(text), _end(text), "pass" if alone else "")


def _said_of_types(tree: ast.AST, source: str) -> Iterator[_Cut]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    arrows = [_place(source, token.start) for token in tokens if token.string == "->"]
    for parameter, annotation in _annotations(tree):
        if parameter is None:
            row, column = max(arrow for arrow in arrows if arrow < _begin(annotation))
            before = source.splitlines()[row - 1].encode()[:column].rstrip()
            yield _Cut((row, len(before)), _end(annotation))
        else:
            behind = parameter.col_offset + len(parameter.arg.encode())
            yield _Cut((parameter.lineno, behind), _end(annotation))


def _imports(tree: ast.Module) -> Iterator[_Cut]:
    unneeded = _unneeded(tree)
    for node in tree.body:
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        kept = [name for name in node.names if (name.asname or name.name) not in unneeded]
        if not kept:
            yield _Cut(_begin(node), _end(node))
        elif len(kept) < len(node.names):
            yield _Cut(_begin(node.names[0]), _end(node.names[-1]), ", ".join(map(ast.unparse, kept)))


def _place(source: str, start: tuple[int, int]) -> tuple[int, int]:
    """A tokenizer's place, which counts characters, as a place that counts bytes."""
    row, column = start
    return row, len(source.splitlines()[row - 1][:column].encode())


def _begin(node: ast.stmt | ast.expr | ast.alias) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.stmt | ast.expr | ast.alias) -> tuple[int, int]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.end_lineno, node.end_col_offset


def _without(source: str, cuts: list[_Cut]) -> str:
    """The source without what is cut; the ends of lines stay."""
    lines = [line.encode() for line in source.split("\n")]
    for cut in sorted(cuts, key=lambda cut: cut.begin, reverse=True):
        (first, column), (last, behind) = cut.begin, cut.end
        rest = lines[last - 1][behind:]
        lines[last - 1] = rest if last > first else lines[last - 1]
        for row in range(first, last - 1):
            lines[row] = b""
        lines[first - 1] = lines[first - 1][:column] + cut.instead.encode() + (rest if last == first else b"")
    return "\n".join(line.decode().rstrip() if not line.strip() else line.decode() for line in lines)


def _indented_by_one(source: str) -> str:
    """The source with one space a level; what stands in a string over several lines is left alone."""
    inside: set[int] = set()
    opened: list[int] = []
    depths: dict[int, int] = {}
    depth, fresh = 0, True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind, row = tokenize.tok_name[token.type], token.start[0]
        if kind in ("INDENT", "DEDENT"):
            depth += 1 if kind == "INDENT" else -1
        elif kind == "NEWLINE":
            fresh = True
        elif kind != "NL":
            depths.setdefault(row, depth if fresh else depth + 1)
            fresh = False
        if kind == "STRING":
            inside.update(range(row + 1, token.end[0] + 1))
        elif kind == "FSTRING_START":  # since Python 3.12 a string with fields is several tokens
            opened.append(row)
        elif kind == "FSTRING_END":
            inside.update(range(opened.pop() + 1, token.end[0] + 1))
    lines = source.split("\n")
    for row, levels in depths.items():
        if row not in inside and row <= len(lines):
            lines[row - 1] = " " * levels + lines[row - 1].lstrip()
    return "\n".join(lines)
