"""The table of verdicts in the documentation: written and read back; pure but for its path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.lab.client import ROOT
from tests.matrix.calls import Row
from tests.matrix.cells import Cell
from tests.matrix.failures import FAILURES
from tests.matrix.scenes import SCENES

DOCUMENT = ROOT / "docs" / "fault-matrix.md"
NOT_RUN = "…"
_HEAD = """# What happens when a request fails

Every kind of request that `az aks kms-migrate start` makes, and every failure that can happen there: made by
`make fault-matrix`, each cell by a migration of its own on the local Azure and its API servers. When it stopped,
`start` was typed again without the failure. Judged by what etcd holds, by what Azure did, and by `verify`.

| word | means |
|---|---|
| continued | exit code 0: the migration ended well at once, without this answer |
| retried | exit code 0: it was asked again, or looked at again, and ended well |
| stopped KMSMnnn | it said what to type, and ended; typed again after the failure was over, it ended well |

An empty cell: that cannot happen there; `…`: not tried yet. `∞` is for ever, `x5` five times in a row, else once.

| failure | is |
|---|---|
| refused, TLS | no connection comes about; a certificate that nobody trusts |
| lost, late | the request arrived and was carried out; its answer is lost, or comes too late |
| 429, 500, 503, 504 done | Retry-After where the service sends it; "done": it was carried out all the same |
| 401, 403, 404, 409, 410, 412, 422 | in the words of the service |
| foreign, half | a page of somebody else's in the answer's place; an answer that breaks off |
| Failed, Canceled, preempted | how Azure's operation ends; "done": after it has taken effect |
"""


def render(rows: Iterable[Row], verdicts: Mapping[str, str]) -> str:
    """The document. ``verdicts``: the word of each cell by its name."""
    rows = list(rows)
    lines = [_HEAD]
    for scene in SCENES:
        lines += [f"## {scene.title}", ""]
        lines += [f"| request | when | {' | '.join(failure.name for failure in FAILURES)} |"]
        lines += ["|---" * (len(FAILURES) + 2) + "|"]
        for row in rows:
            if row.scene == scene.name:
                words = [_word(Cell(row, failure), verdicts) for failure in FAILURES]
                lines.append(f"| `{row.kind}` | {scene.moment(row)} | {' | '.join(words)} |")
        lines.append("")
    return "\n".join(lines)


def _word(cell: Cell, verdicts: Mapping[str, str]) -> str:
    return verdicts.get(str(cell), NOT_RUN) if cell.failure.happens_at(cell.row.kind) else ""


def name(cell: Cell) -> tuple[str, str, str]:
    """How ``read`` knows it."""
    scene = next(scene for scene in SCENES if scene.name == cell.row.scene)
    return f"`{cell.row.kind}`", scene.moment(cell.row), cell.failure.name


def read(text: str) -> dict[tuple[str, str, str], str]:
    """``(request, when, failure) -> word`` for every cell that is not empty."""
    found: dict[tuple[str, str, str], str] = {}
    names: list[str] = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.strip("|").split("|")]
        if line.startswith("| request | when |"):
            names = parts[2:]
        elif names and line.startswith("| `"):
            words = zip(names, parts[2:], strict=True)
            found |= {(parts[0], parts[1], column): word for column, word in words if word}
    return found
