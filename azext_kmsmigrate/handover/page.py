"""The report as one HTML page that needs nothing else: no script, no network, and a policy that forbids both."""

from __future__ import annotations

import base64
import hashlib

from azext_kmsmigrate.handover.blocks import (
    Block,
    Chapter,
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
from azext_kmsmigrate.handover.document import Report, Verdict
from azext_kmsmigrate.handover.figure import courses, timeline
from azext_kmsmigrate.handover.instant import instant, moment
from azext_kmsmigrate.handover.markup import Markup, joined, tag, text
from azext_kmsmigrate.handover.spoken import spoken
from azext_kmsmigrate.handover.style import STYLE

_WORDS = {
    Verdict.PROVEN: ("good", "✓ Proven"),
    Verdict.CHANGED: ("bad", "≠ Changed since the proof"),
    Verdict.UNPROVEN: ("warn", "? No proof kept"),
    Verdict.UNFINISHED: ("warn", "… Not finished"),
    Verdict.NOT_RECORDED: ("note", "○ Nothing recorded"),
}


def page(report: Report) -> str:
    """The whole document."""
    name = report.cluster.name
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy()),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content="az aks kms-migrate report"),
        tag("link", rel="icon", href="data:,"),
        tag("title", f"KMS migration of {name}: {report.verdict.value}"),
        tag("style", Markup(STYLE)),
    )
    body = tag(
        "body",
        tag("header", *_header(report)),
        tag("main", *(_chapter(number, one) for number, one in enumerate(chapters(report), 1))),
        tag("footer", tag("p", "Made by az aks kms-migrate report. For the evidence as data: --format json.")),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _policy() -> str:
    """Nothing may be loaded, sent or run; only the page's own style counts, known by its digest."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def _header(report: Report) -> list[Markup]:
    look, word = _WORDS[report.verdict]
    if report.verdict is Verdict.UNFINISHED and report.exposure.start and not report.exposure.end:
        look = "bad"
    parts = [tag("p", word, class_="word"), tag("h1", report.headline)]
    if report.differences:
        parts.append(tag("p", tag("strong", "Otherwise now than it was recorded:")))
        parts.append(
            tag(
                "ul",
                *(
                    tag(
                        "li",
                        f"{d.what}: recorded {spoken(d.recorded)} ({moment(d.recorded_at)}), now {spoken(d.observed)}",
                    )
                    for d in report.differences
                ),
            )
        )
    parts += [tag("p", sentence) for sentence in report.told]
    if report.next_command:
        parts.append(tag("p", "Next: ", tag("code", report.next_command), class_="next"))
    cluster = report.cluster
    facts = {
        "Resource group": cluster.resource_group,
        "KMS now": spoken(cluster.kms),
        "Kubernetes now": cluster.kubernetes_version,
        "Report made": moment(report.now.observed_at),
    }
    return [
        tag("p", "KMS migration of the AKS cluster ", tag("strong", cluster.name), class_="over"),
        tag("div", *parts, class_=f"verdict {look}"),
        tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in facts.items()), class_="named"),
        tag("p", tag("code", cluster.id), class_="over"),
    ]


def _chapter(number: int, chapter: Chapter) -> Markup:
    name = f"chapter-{number}"
    return tag("section", tag("h2", chapter.title, id=name), *map(_block, chapter.blocks), aria_labelledby=name)


def _block(block: Block) -> Markup:
    match block:
        case Paragraph():
            return tag("p", block.text)
        case Heading():
            return tag("h3", block.text)
        case Items():
            return tag("ul", *(tag("li", _lines(item)) for item in block.items))
        case Timeline():
            return timeline(block)
        case Rates():
            return courses(block)
        case Table():
            return _table(block)


def _table(table: Table) -> Markup:
    """With its roles written out: on a narrow screen each row is set as a block, which would take them from it."""
    columns = (tag("th", column, scope="col", role="columnheader") for column in table.columns)
    head = tag("thead", tag("tr", *columns, role="row"), role="rowgroup")
    body = tag("tbody", *(_row(table.columns, row) for row in table.rows), role="rowgroup")
    return tag("table", tag("caption", table.caption), head, body, role="table")


def _row(columns: tuple[str, ...], row: tuple[Lines, ...]) -> Markup:
    first, *rest = row
    cells = (tag("td", _lines(cell), role="cell", data_label=columns[n]) for n, cell in enumerate(rest, 1))
    return tag("tr", tag("th", _lines(first), scope="row", role="rowheader"), *cells, role="row")


def _lines(lines: Lines) -> Markup:
    if len(lines) == 1:
        return _piece(lines[0])
    return joined(*(_piece(line, "line") for line in lines))


def _piece(piece: Piece, look: str | None = None) -> Markup:
    match piece:
        case Code():
            return tag("code", piece.text, class_=look)
        case Stamp():
            at = instant(piece.at)
            return tag("time", f"{at:%Y-%m-%d %H:%M:%S}", datetime=piece.at, class_=look) if at else text(piece.at)
    return tag("span", piece, class_=look) if look else text(piece)
