"""What is shown of texts that somebody else wrote, and how long it gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate.report.one_line import cut, folded, harmless, width
from azext_kmsmigrate.report.words import clock_time, duration


@given(st.text())
def test_a_servers_words_become_one_line_that_steers_nothing(text: str) -> None:
    shown = harmless(text)
    assert shown.isprintable()
    assert "##" not in shown
    assert harmless(shown) == shown


@given(st.text(alphabet="a ü漢‍́é…#[", max_size=60), st.integers(1, 40))
def test_what_is_cut_fits_and_is_the_beginning(text: str, columns: int) -> None:
    shown = harmless(text)
    kept = cut(shown, columns)
    assert width(kept) <= columns
    assert kept == shown or (kept.endswith("…") and shown.startswith(kept[:-1]))


@given(st.text(alphabet="ab漢 é-", max_size=120), st.integers(12, 60), st.integers(0, 9))
def test_what_is_folded_fits_and_loses_nothing(text: str, columns: int, indent: int) -> None:
    shown = harmless(text)
    lines = folded(shown, columns, indent)
    assert all(width(line) <= columns for line in lines)
    assert "".join("".join(lines).split()) == "".join(shown.split())


@pytest.mark.parametrize(
    ("seconds", "clock", "said"),
    [(0.9, "0:00", "0 s"), (65.0, "1:05", "1 min"), (3600.0, "1:00:00", "1 h 0 min"), (7509.0, "2:05:09", "2 h 5 min")],
)
def test_times_are_short(seconds: float, clock: str, said: str) -> None:
    assert (clock_time(seconds), duration(seconds)) == (clock, said)
