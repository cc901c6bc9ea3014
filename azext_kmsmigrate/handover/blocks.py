"""The parts that a report is composed of, before it takes a form: plain values, each form renders them its own way.

All texts are plain: none is markup, whatever a server or a user has written into it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from azext_kmsmigrate.handover.document import CourseDocument, Report


@dataclass(frozen=True)
class Code:
    """A text to be read letter by letter: an id, a command, a digest."""

    text: str


@dataclass(frozen=True)
class Stamp:
    """A time in UTC, ISO 8601, where a heading says that it is UTC."""

    at: str


Piece = str | Code | Stamp
Lines = tuple[Piece, ...]
"""Pieces, each on a line of its own."""


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Items:
    """Things to do or to know, one after the other."""

    items: tuple[Lines, ...]


@dataclass(frozen=True)
class Table:
    """The first cell of a row is its heading. ``caption`` says what it is about, apart from the text around it."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Lines, ...], ...]


@dataclass(frozen=True)
class Timeline:
    """The KMS state and the exposure over time; ``caption`` says the same in words."""

    report: Report
    caption: str


@dataclass(frozen=True)
class Rates:
    """How fast the passes of one proof went; ``caption`` says the same in words."""

    courses: tuple[CourseDocument, ...]
    caption: str


@dataclass(frozen=True)
class Heading:
    """Of a part within a chapter."""

    text: str


Block = Paragraph | Items | Table | Timeline | Rates | Heading


@dataclass(frozen=True)
class Chapter:
    title: str
    blocks: tuple[Block, ...] = field(default=())
