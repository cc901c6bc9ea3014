"""The beginning of a text, where the whole would make a document too large."""

from __future__ import annotations

import json


def excerpt(text: str, longest: int) -> str:
    """At most so many bytes as JSON; an ellipsis says that there was more."""
    if len(text) <= longest and len(json.dumps(text)) <= longest:
        return text
    kept = text[:longest]
    while len(json.dumps(kept + "…")) > longest:
        kept = kept[: len(kept) * 9 // 10]
    return kept + "…"
