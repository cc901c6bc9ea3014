"""However long a pass goes on, its course is short, in order, and has its beginning and its end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from azext_kmsmigrate.migration.proof import MOST_SAMPLES
from azext_kmsmigrate.rewrite.course import Course


@given(st.floats(0, 10**6), st.lists(st.tuples(st.floats(0.0, 100.0), st.integers(0, 500)), max_size=400))
def test_a_course_is_bounded_and_never_goes_back(began: float, looks: list[tuple[float, int]]) -> None:
    course, now, done = Course(began), began, 0
    for seconds, secrets in looks:
        now, done = now + seconds, done + secrets
        course.at(now, done)
    samples = course.ended(now, done)
    assert len(samples) <= MOST_SAMPLES
    assert samples[0] == (0.0, 0)
    assert samples[-1] == (round(now - began, 2), done)
    assert list(samples) == sorted(samples)
