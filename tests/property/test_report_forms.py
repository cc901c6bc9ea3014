"""Whatever stands in the journal and in the cluster, a page has only our elements, and a Markdown table its cells."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from azext_kmsmigrate.handover.account import Seen, report_of
from azext_kmsmigrate.handover.document import Report
from azext_kmsmigrate.handover.markdown import code, markdown, plain
from azext_kmsmigrate.handover.markup import tag
from azext_kmsmigrate.handover.page import page
from azext_kmsmigrate.loop import Request
from azext_kmsmigrate.migration.chronicle import Chronicle, Observation, RunRecord
from azext_kmsmigrate.migration.facts import Offers
from azext_kmsmigrate.migration.journal import Journal
from azext_kmsmigrate.migration.plan import Situation
from tests.property.test_journal import journals
from tests.sim.cluster import SimCluster

hostile = st.lists(
    st.sampled_from(["<script>", "</style>", "<img src=x onerror=a()>", '"', "'", "&lt;", "--&gt;", "##vso[task.x]"])
    | st.sampled_from(
        ["|", "\n", "\r\n", "\u2028", "\x1b[2J", "`", "``", "](x)", "![x](y)", "***", "# ", "\\", "$", "~~"]
    )
    | st.text(max_size=4),
    max_size=8,
).map("".join)
_PAGE = "html head meta link title style body header main footer section div p ul li dl dt dd h1 h2 h3 strong code span"
_TABLES = "time table caption thead tbody tr th td figure figcaption svg defs pattern rect line text polyline"
OURS = {*_PAGE.split(), *_TABLES.split()}


class Reader(HTMLParser):
    """Takes note of every element, and of what could do something."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.links: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in ("href", "src")]


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def _report(journal: Journal | None, text: str = "blue") -> Report:
    cluster = SimCluster().azure.show()
    cluster = replace(
        cluster,
        name=replace(cluster.name, name=text, group=text),
        state=text,
        kms=replace(cluster.kms, key_id=text),
        pools=tuple(replace(pool, name=text) for pool in cluster.pools),
    )
    situation = Situation(cluster, Offers(), journal)
    return report_of(Seen(situation, Request().decide(situation), text, (text,), SimCluster().clock.now(), text))


@settings(deadline=None, max_examples=40)
@given(journals, hostile)
def test_a_page_has_our_elements_only_and_no_way_out(journal: Journal, text: str) -> None:
    spoilt = replace(journal, last_problem=text, target_version=text, chronicle=_told(journal, text))
    found = read(page(_report(spoilt, text)))
    assert set(found.elements) <= OURS
    assert not {name for name in found.attributes if name.startswith("on") or name in ("style", "src")}
    assert found.links == ["data:,"]
    assert found.elements.count("h1") == 1


@settings(deadline=None, max_examples=40)
@given(journals, hostile)
def test_markdown_has_our_lines_only(journal: Journal, text: str) -> None:
    spoilt = replace(journal, last_problem=text, chronicle=_told(journal, text))
    lines = markdown(_report(spoilt, text)).split("\n")
    columns = 0
    for line in lines:
        assert "##vso" not in line
        assert not re.search(r"(?<!\\)<(?!br>)", re.sub(r"\\.|`[^`]*`", "", line))
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1
        if not line.startswith("|"):
            columns = 0
            continue
        columns = columns or cells
        assert cells == columns, line


@given(hostile)
def test_a_text_is_shown_and_means_nothing(text: str) -> None:
    assert read(tag("p", text, title=text)).elements == ["p"]
    assert "`" not in code(text)[1:-1]
    assert not re.search(r"(?<!\\)[|`*\[\]]", re.sub(r"\\\\", "", plain(text)))


def _told(journal: Journal, text: str) -> Chronicle:
    told = journal.chronicle.with_run(RunRecord(text, text, "2026-01-31T09:00:00Z", text, text, text, text, text))
    return told.with_observation(Observation("2026-01-31T09:00:00Z", text, text, text))
