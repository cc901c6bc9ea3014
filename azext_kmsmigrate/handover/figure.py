"""Draws the figures of a page as SVG that stretches with it: places in per cent, so that texts keep their size."""

from __future__ import annotations

from collections.abc import Iterator

from azext_kmsmigrate.handover.blocks import Rates, Timeline
from azext_kmsmigrate.handover.document import Report
from azext_kmsmigrate.handover.markup import Markup, tag
from azext_kmsmigrate.handover.plot import Bar, Scale, rates, scale_of
from azext_kmsmigrate.handover.spoken import spoken
from azext_kmsmigrate.migration.facts import KmsState

_LOOKS = {KmsState.V1.value: "v1", KmsState.OFF.value: "off"}
_ROOM = 16.0  # per cent of the width that a strip needs to hold its name


def timeline(figure: Timeline) -> Markup:
    """The KMS state, the exposure and the runs, each a lane."""
    report, scale = figure.report, scale_of(figure.report)
    caption = tag("figcaption", figure.caption)
    if scale is None:
        return tag("figure", caption)
    end = "now" if report.migration and report.migration.completed_at is None else f"{scale.end:%H:%M:%S UTC}"
    drawing = tag(
        "svg",
        _hatching(),
        _name("KMS state, as Azure said it", 12),
        *_states(report, scale),
        _name("Exposure: Secrets may be stored without KMS encryption", 66),
        *_exposed(report, scale),
        _name("Runs of this tool", 120),
        *_runs(report, scale),
        tag("line", x1="0", y1="154", x2="100%", y2="154", class_="axis"),
        tag("text", f"{scale.start:%Y-%m-%d %H:%M:%S}", x="0", y="170", class_="soft"),
        tag("text", end, x="100%", y="170", text_anchor="end", class_="soft"),
        role="img",
        height="176",
        aria_label=f"Timeline from {scale.start:%Y-%m-%d %H:%M:%S UTC} to {end}. {figure.caption}",
    )
    kinds = dict.fromkeys(one.kms for one in report.timeline)
    entries = [tag("li", _sample(_look(kms)), spoken(kms)) for kms in kinds]
    if report.exposure.start:
        entries.append(tag("li", _sample("hatched", fill="url(#hatching)"), "exposure"))
    return tag("figure", drawing, tag("ul", *entries, class_="legend"), caption)


def _states(report: Report, scale: Scale) -> Iterator[Markup]:
    for one in report.timeline:
        strip = scale.strip(one.start, one.end)
        if strip is None:
            continue
        yield _rect(strip, 18, 26, _look(one.kms))
        if strip.width >= _ROOM:
            yield tag(
                "text",
                spoken(one.kms),
                x=f"{strip.left + strip.width / 2:.2f}%",
                y="35",
                text_anchor="middle",
                class_=f"on-{_look(one.kms)}",
            )


def _exposed(report: Report, scale: Scale) -> Iterator[Markup]:
    exposure = report.exposure
    strip = scale.strip(exposure.start, exposure.end) if exposure.start else None
    if strip:
        yield _rect(strip, 72, 26, "hatched", fill="url(#hatching)")


def _runs(report: Report, scale: Scale) -> Iterator[Markup]:
    for run in report.runs:
        strip = scale.strip(run.started_at, run.ended_at or run.started_at)
        if strip:
            yield _rect(strip, 128, 10, "run")


def courses(figure: Rates) -> Markup:
    """The speed of the passes, one after the other on one axis of seconds."""
    total = sum(course.seconds for course in figure.courses)
    spans = [rates(course.samples, course.seconds) for course in figure.courses]
    top = max((rate for some in spans for _, _, rate in some), default=0.0)
    if top <= 0 or total <= 0:
        return tag("figure", tag("figcaption", figure.caption))
    lines, began = [], 0.0
    for course, some in zip(figure.courses, spans, strict=True):
        points = " ".join(
            f"{1000 * (began + at) / total:.1f},{100 - 96 * rate / top:.1f}"
            for start, end, rate in some
            for at in (start, end)
        )
        lines.append(tag("polyline", points=points, class_=_line(course.purpose), vector_effect="non-scaling-stroke"))
        began += course.seconds
    drawing = tag(
        "svg",
        tag("text", f"{top:,.0f} Secrets a second", x="0", y="12", class_="soft"),
        tag(
            "svg", *lines, x="0", y="20", width="100%", height="110", viewBox="0 0 1000 100", preserveAspectRatio="none"
        ),
        tag("line", x1="0", y1="130", x2="100%", y2="130", class_="axis"),
        tag("text", "0 s", x="0", y="147", class_="soft"),
        tag("text", f"{total:,.1f} s", x="100%", y="147", text_anchor="end", class_="soft"),
        role="img",
        height="152",
        aria_label=f"Speed over time. {figure.caption}",
    )
    entries = [
        tag(
            "li",
            tag("svg", tag("line", x1="0", y1="6", x2="28", y2="6", class_=_line(purpose)), aria_hidden="true"),
            purpose,
        )
        for purpose in dict.fromkeys(course.purpose for course in figure.courses)
    ]
    return tag("figure", drawing, tag("ul", *entries, class_="legend"), tag("figcaption", figure.caption))


def _line(purpose: str) -> str:
    return "two" if purpose == "proof" else "one"


def _look(kms: str) -> str:
    return _LOOKS.get(kms, "v2")


def _name(words: str, y: int) -> Markup:
    return tag("text", words, x="0", y=str(y), class_="soft")


def _rect(strip: Bar, y: int, height: int, look: str, fill: str | None = None) -> Markup:
    return tag(
        "rect",
        x=f"{strip.left:.2f}%",
        y=str(y),
        width=f"{strip.width:.2f}%",
        height=str(height),
        rx="3",
        class_=look,
        fill=fill,
    )


def _hatching() -> Markup:
    stripe = tag("line", x1="0", y1="0", x2="0", y2="8", class_="stripe")
    pattern = tag(
        "pattern",
        stripe,
        id="hatching",
        width="8",
        height="8",
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    return tag("defs", pattern)


def _sample(look: str, fill: str | None = None) -> Markup:
    return tag(
        "svg", tag("rect", x="1", y="1", width="26", height="10", rx="2", class_=look, fill=fill), aria_hidden="true"
    )
