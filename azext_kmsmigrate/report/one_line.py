"""Text on one line of a terminal, a log or a table: what it holds, and how wide it is. Pure."""

from __future__ import annotations

import re
import unicodedata

_HASHES = re.compile("#{2,}")


def harmless(text: str) -> str:
    """One line that only shows: a server's words can neither steer a terminal nor speak to a pipeline (``##vso[``)."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return _HASHES.sub("#", " ".join(shown.split()))


def width(text: str) -> int:
    """Columns that a harmless text takes on a terminal."""
    return sum(_columns(c) for c in text)


def cut(text: str, columns: int) -> str:
    """As much of a harmless text as fits; an ellipsis says that there was more."""
    if width(text) <= columns:
        return text
    kept, left = "", columns - 1
    for c in text:
        left -= _columns(c)
        if left < 0:
            break
        kept += c
    return f"{kept}…" if columns > 0 else ""


def folded(text: str, columns: int, indent: int) -> list[str]:
    """A harmless text over lines of so many columns, the later ones indented; broken at spaces where it can be."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        while width(longer) > columns - (indent if lines else 0):
            room = columns - (indent if lines else 0)
            fits = line or _fitting(longer, room)
            lines.append(fits)
            longer = word if line else longer[len(fits) :]
            line = ""
        line = longer
    return [f"{' ' * indent if number else ''}{text}" for number, text in enumerate([*lines, line])]


def _fitting(text: str, columns: int) -> str:
    """The longest beginning that fits, at least one character."""
    end = 1
    while end < len(text) and width(text[: end + 1]) <= columns:
        end += 1
    return text[:end]


def _columns(c: str) -> int:
    if unicodedata.combining(c) or unicodedata.category(c) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(c) in ("W", "F") else 1
