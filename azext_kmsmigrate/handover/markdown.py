"""The report as Markdown (CommonMark with tables): plain enough for a wiki, a pull request, a pipeline's summary."""

from __future__ import annotations

import re
from collections.abc import Iterator

from azext_kmsmigrate.handover.blocks import (
    Block,
    Code,
    Heading,
    Items,
    Lines,
    Paragraph,
    Piece,
    Rates,
    Stamp,
    Table,
    Timeline,
)
from azext_kmsmigrate.handover.chapters import chapters
from azext_kmsmigrate.handover.document import Report
from azext_kmsmigrate.handover.instant import moment
from azext_kmsmigrate.handover.spoken import spoken
from azext_kmsmigrate.report.one_line import harmless

_MEANINGFUL = re.compile(r"([\\`*_{}\[\]<>#!|~&$]|(?<![\w.])-(?![\w])|:(?=//)|(?<=www)\.)")


def markdown(report: Report) -> str:
    """The whole document."""
    return "\n".join(_document(report)) + "\n"


def _document(report: Report) -> Iterator[str]:
    yield f"# {plain(report.headline)}"
    yield ""
    cluster = report.cluster
    yield f"KMS migration of the AKS cluster **{plain(cluster.name)}**, group {plain(cluster.resource_group)}  "
    yield code(cluster.id)
    yield ""
    yield f"**Verdict: {report.verdict.value}.**"
    yield ""
    if report.differences:
        yield "**Otherwise now than it was recorded:**"
        yield ""
        for one in report.differences:
            yield (
                f"- {plain(one.what)}: recorded {plain(spoken(one.recorded))} ({plain(moment(one.recorded_at))}), "
                f"now {plain(spoken(one.observed))}"
            )
        yield ""
    for sentence in report.told:
        yield plain(sentence)
        yield ""
    if report.next_command:
        yield f"Next: {code(report.next_command)}"
        yield ""
    for chapter in chapters(report):
        yield f"## {plain(chapter.title)}"
        yield ""
        for block in chapter.blocks:
            yield from _block(block)
            yield ""


def _block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph():
            yield plain(block.text)
        case Heading():
            yield f"### {plain(block.text)}"
        case Items():
            for item in block.items:
                yield f"- {_lines(item)}"
        case Timeline() | Rates():
            yield plain(block.caption)
        case Table():
            yield f"| {' | '.join(plain(column) for column in block.columns)} |"
            yield f"|{'---|' * len(block.columns)}"
            for row in block.rows:
                yield f"| {' | '.join(_lines(cell) for cell in row)} |"


def _lines(lines: Lines) -> str:
    return "<br>".join(_piece(line) for line in lines)


def _piece(piece: Piece) -> str:
    match piece:
        case Code():
            return code(piece.text)
        case Stamp():
            return plain(moment(piece.at).removesuffix(" UTC"))
    return plain(piece)


def plain(words: str) -> str:
    """Words of which no character means anything to Markdown, nor to HTML within it."""
    return _MEANINGFUL.sub(r"\\\1", harmless(words)).replace(r"\<", "&lt;").replace(r"\>", "&gt;")


def code(words: str) -> str:
    """Words in a span of code; a span cannot hold what ends it, nor what ends the cell of a table."""
    shown = harmless(words).replace("`", "'").replace("|", "¦")
    return f"`{shown}`" if shown else ""
