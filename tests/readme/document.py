"""README as what it is made of: its sections, and what can be run in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block. ``kind``: what stands behind the fence; ``sh`` is run, everything else only shown."""

    section: str
    kind: str
    text: str


def blocks() -> Iterator[Block]:
    """All fenced blocks, each with the second-level heading that it stands under."""
    text = README.read_text(encoding="utf-8")
    for section in re.split(r"^## ", text, flags=re.MULTILINE):
        heading = section.partition("\n")[0]
        for found in _FENCE.finditer(section):
            yield Block(heading, found[1], found[2])


def of_kind(kind: str, section: str = "") -> list[Block]:
    return [block for block in blocks() if block.kind == kind and section in ("", block.section)]
