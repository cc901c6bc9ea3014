"""Where which form of progress is shown: the rows read situation => form."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate.migration.events import Note, Waiting
from azext_kmsmigrate.report.form import Form, Surroundings, form_for
from azext_kmsmigrate.report.observers import observer_of
from tests.unit.stages import Stage

XTERM, PIPELINE, DUMB = {"TERM": "xterm-256color"}, {"TF_BUILD": "True", "TERM": "xterm"}, {"TERM": "dumb"}


@pytest.mark.parametrize(
    ("around", "form"),
    [
        (Surroundings(XTERM, terminal=True), Form.TTY),
        (Surroundings({}, terminal=True), Form.TTY),
        (Surroundings(XTERM, terminal=False), Form.PLAIN),
        (Surroundings(DUMB, terminal=True), Form.PLAIN),
        (Surroundings(XTERM, terminal=True, no_bars=True), Form.PLAIN),
        (Surroundings(PIPELINE, terminal=False), Form.AZURE_DEVOPS),
        (Surroundings(PIPELINE, terminal=True), Form.AZURE_DEVOPS),
        (Surroundings(PIPELINE, terminal=False, errors_only=True), Form.NONE),
        (Surroundings(XTERM, terminal=True, errors_only=True), Form.NONE),
    ],
)
def test_auto_takes_what_suits_the_place(around: Surroundings, form: Form) -> None:
    assert form_for(Form.AUTO, around) is form


@given(st.sampled_from(Form), st.sampled_from([XTERM, PIPELINE, DUMB, {}]), st.booleans(), st.booleans(), st.booleans())
def test_a_wish_is_granted_and_errors_only_is_obeyed(
    wish: Form, environment: dict[str, str], terminal: bool, errors_only: bool, no_bars: bool
) -> None:
    form = form_for(wish, Surroundings(environment, terminal, errors_only=errors_only, no_bars=no_bars))
    assert form is not Form.AUTO
    if errors_only:
        assert form is Form.NONE
    elif wish is not Form.AUTO:
        assert form is wish


@pytest.mark.parametrize("form", [form for form in Form if form is not Form.AUTO])
def test_each_form_has_an_observer_and_only_none_writes_nothing(form: Form) -> None:
    stage = Stage()
    progress = observer_of(form, Surroundings({}, terminal=True), stage.output, stage.clock, [])
    with progress.watching():
        progress.tell(Note("something"))
    assert ("something" in stage.stream.getvalue()) is (form is not Form.NONE)


@pytest.mark.parametrize("form", [form for form in Form if form is not Form.AUTO])
def test_what_is_live_is_cleared_away_before_a_sudden_end(form: Form) -> None:
    stage = Stage()
    at_once: list[Callable[[], None]] = []
    progress = observer_of(form, Surroundings({}, terminal=True), stage.output, stage.clock, at_once)
    with progress.watching():
        progress.tell(Waiting("waiting"))
        shown = stage.stream.getvalue()
        for close in at_once:
            close()
        assert stage.stream.getvalue() == shown + ("\r\x1b[J" if form is Form.TTY else "")


@pytest.mark.parametrize(
    ("around", "colours"),
    [
        (Surroundings(XTERM, terminal=True), True),
        (Surroundings(XTERM, terminal=False), False),
        (Surroundings(XTERM, terminal=True, no_colours=True), False),
        (Surroundings(XTERM | {"NO_COLOR": "1"}, terminal=True), False),
        (Surroundings(XTERM | {"NO_COLOR": ""}, terminal=True), True),
        (Surroundings(DUMB, terminal=True), False),
    ],
)
def test_colours_are_used_where_they_are_allowed(around: Surroundings, colours: bool) -> None:
    assert around.colours is colours
