"""What is shipped of a module: the same statements on the same lines, whatever the module is."""

from __future__ import annotations

import ast
import sysconfig
from pathlib import Path

import pytest

from shipment import shipped
from tests.lab.client import ROOT

OURS = sorted((ROOT / "azext_kmsmigrate").rglob("*.py"))
# Of many hands and habits: no formatter of ours has been there.
FOREIGN = [
    Path(sysconfig.get_path("stdlib")) / name
    for name in (
        "argparse.py",
        "asyncio/tasks.py",
        "concurrent/futures/process.py",
        "csv.py",
        "dataclasses.py",
        "enum.py",
        "functools.py",
        "json/encoder.py",
        "logging/__init__.py",
        "random.py",
        "re/__init__.py" if (Path(sysconfig.get_path("stdlib")) / "re").is_dir() else "re.py",
        "selectors.py",
        "textwrap.py",
        "turtle.py",
        "typing.py",
        "zipfile.py" if (Path(sysconfig.get_path("stdlib")) / "zipfile.py").is_file() else "zipfile/__init__.py",
    )
]
TYPED = sorted((ROOT / "tests").rglob("*.py"))[::5]


class _Bare(ast.NodeTransformer):
    """Takes from a tree what nothing that runs can tell: docstrings, annotations of functions, imports."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if ast.get_docstring(node, clean=False) is not None:
                line = node.body[0].lineno
                del node.body[0]
                if not node.body and not isinstance(node, ast.Module):
                    node.body.append(ast.Pass(lineno=line, col_offset=0))
            if isinstance(node, ast.Module):
                node.body = [one for one in node.body if not isinstance(one, (ast.Import, ast.ImportFrom))]
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        return node


def _bare(source: str) -> ast.AST:
    return _Bare().generic_visit(ast.parse(source))


def _lines(tree: ast.AST) -> list[tuple[str, int]]:
    """Every statement, and each line on which an expression begins that a traceback may point to."""
    return [(type(node).__name__, node.lineno) for node in ast.walk(tree) if isinstance(node, (ast.stmt, ast.Call))]


def _imported(source: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(name.asname or name.name.split(".")[0]): node.lineno for name in node.names}
    return found


@pytest.mark.parametrize("path", [*OURS, *FOREIGN, *TYPED], ids=lambda path: path.name)
def test_the_same_statements_on_the_same_lines(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    done = shipped(source)
    assert done.count("\n") == source.count("\n")
    was, now = _bare(source), _bare(done)
    assert ast.dump(now) == ast.dump(was)
    assert _lines(now) == _lines(was)
    # What is imported stays on its line, and nothing goes that the rest of the module names.
    assert _imported(done).items() <= _imported(source).items()
    named = {node.id for node in ast.walk(ast.parse(done)) if isinstance(node, ast.Name)}
    assert not (_imported(source).keys() - _imported(done).keys()) & named
    assert shipped(done) == done


def test_nothing_is_left_that_only_people_and_type_checkers_read() -> None:
    source = '''"""A module."""

from __future__ import annotations

from typing import Any, Protocol

from elsewhere import Thing as Other


class Port(Protocol):
    """One of several."""


# Why it is so.
def act(port: Port, /, *more: Any, deep: dict[str, Any] | None = None, **rest: Other) -> list[Any]:  # noqa: X1
    """Does it; ``é`` counts two bytes."""
    text = """# no comment
        at all"""
    return [port, more, deep, rest, text]  # é
'''
    assert (
        shipped(source)
        == '''



from typing import Protocol




class Port(Protocol):
 pass



def act(port, /, *more, deep = None, **rest):

 text = """# no comment
        at all"""
 return [port, more, deep, rest, text]
'''
    )


def test_fields_keep_their_types_and_what_they_need() -> None:
    source = """from __future__ import annotations

from dataclasses import dataclass

from elsewhere import Length, Width


@dataclass
class Size:
    length: Length

    def with_width(self, width: Width) -> Size:
        return Size(self.length)
"""
    done = shipped(source)
    assert "from __future__ import annotations" in done
    assert "from elsewhere import Length\n" in done
    assert "length: Length" in done
