"""HTML and SVG as nested calls. A text becomes markup only here, and escaped: nothing else can."""

from __future__ import annotations

import html

from azext_kmsmigrate.report.one_line import harmless

_VOID = {"meta", "link", "br"}


class Markup(str):
    """Markup, as against text."""

    __slots__ = ()


def text(words: str) -> Markup:
    """Words as markup: one line, no character of it means anything. A space at either end stays: more may follow."""
    before, after = words[:1].isspace(), words[1:] and words[-1].isspace()
    return Markup(f"{' ' if before else ''}{html.escape(harmless(words))}{' ' if after else ''}")


def tag(element: str, /, *inner: str, **attributes: str | None) -> Markup:
    """An element. ``inner``: markup goes in as it is, texts escaped; an attribute that is None is left out.

    Names of attributes are written with ``_`` for ``-``, and at the end where Python has the word for itself.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if element in _VOID:
        return Markup(f"<{element}{given}>")
    return Markup(f"<{element}{given}>{joined(*inner)}</{element}>")


def joined(*inner: str) -> Markup:
    """Markup and texts, one after the other."""
    return Markup("".join(one if isinstance(one, Markup) else text(one) for one in inner))
