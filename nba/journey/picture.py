"""The map as an SVG picture, drawn by ourselves: no script, no outside request, all text escaped.

Thickness is by crossings. Nothing is told by colour alone: what runs backwards is dashed and below, what
ends at a step is a bar and a figure. Colours are those of Okabe & Ito (2008), for every kind of sight.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from nba.journey.choose import choose
from nba.journey.layout import HEIGHT, WIDTH, Edge, arrange
from nba.journey.map import JourneyMap

FORWARD, BACKWARD, ENDING, INK, PAPER = "#0072B2", "#B34700", "#E69F00", "#1a1a1a", "#ffffff"
_THIN, _THICK = 1.2, 13.0
_LINE = 22  # letters of a step's name on a line
_LABELLED = 32
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_DURATIONS = (("y", 31_557_600.0), ("d", 86_400.0), ("h", 3_600.0), ("min", 60.0))
Box = tuple[float, float, float, float]


def plain(text: str) -> str:
    """Text as text, wherever it is put: in markup, in an attribute; what XML can't hold becomes �."""
    return escape(_NO_XML.sub("\ufffd", text), quote=True)


def duration(seconds: float) -> str:
    """`3.5 d`, `12 min`, in the largest unit that it fills."""
    for unit, size in _DURATIONS:
        if abs(seconds) >= size:
            amount = seconds / size
            return f"{amount:,.0f} {unit}" if amount >= 10 else f"{amount:.1f} {unit}"
    return f"{seconds:,.0f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """How the reader's language says it.

    Attributes:
        words: a text of this module, its `{names}` filled in; told: a sentence of another.
        count, share, time: a number, a part of 1, seconds.
    """

    words: Callable[..., str]
    told: Callable[[str], str]
    count: Callable[[int], str]
    share: Callable[[float], str]
    time: Callable[[float], str]


ENGLISH = Speech(
    words=lambda text, **values: text.format(**values),
    told=lambda text: text,
    count=lambda count: f"{count:,}",
    share=lambda share: f"{share:.0%}",
    time=duration,
)


def svg(found: JourneyMap, title: str, speech: Speech = ENGLISH) -> str:
    """The picture of the most frequent steps and transitions."""
    shown = choose(found)
    layout = arrange(shown.steps, shown.edges)
    most = max((edge.count for edge in layout.edges), default=1)
    median = {(a, b): m for a, b, m in shown.edges.select("from", "to", "median_seconds").iter_rows()}
    again = {a: n for a, b, n in shown.edges.select("from", "to", "count").iter_rows() if a == b}
    taken: list[Box] = [(x, y, x + WIDTH, y + HEIGHT) for x, y in layout.boxes.values()]
    lines = [_edge(edge, most, median[edge.start, edge.goal], speech) for edge in reversed(layout.edges)]
    texts = [_label(edge, median[edge.start, edge.goal], taken, speech) for edge in layout.edges[:_LABELLED]]
    rows = {row["step"]: row for row in shown.steps.to_dicts()}
    boxes = [_box(rows[name], x, y, again.get(name, 0), speech) for name, (x, y) in layout.boxes.items()]
    width, height = max(layout.width, 1120.0), layout.height + 52
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}" role="img" aria-labelledby="map-title map-words" '
            'font-family="system-ui, sans-serif" font-size="12">',
            f'<title id="map-title">{plain(title)}</title>',
            f'<desc id="map-words">{plain(in_words(found, speech))}</desc>',
            _DEFS,
            f'<rect width="100%" height="100%" fill="{PAPER}"/>',
            *lines,
            *boxes,
            *texts,
            *_legend(speech.told(shown.said), height, speech),
            "</svg>",
        ]
    )


def in_words(found: JourneyMap, speech: Speech = ENGLISH) -> str:
    """The map in a few sentences, for who can't see it."""
    words, count_of = speech.words, speech.count
    told = [
        words(
            "{cases} cases with {events} events in {steps} steps.",
            cases=count_of(found.cases),
            events=count_of(found.events),
            steps=count_of(found.steps.height),
        )
    ]
    edges = found.edges.filter(found.edges["from"] != found.edges["to"]).head(5)
    for a, b, count, share in edges.select("from", "to", "count", "share").iter_rows():
        told.append(
            words(
                "{step} is followed by {next} {count} times, {share} of its events.",
                step=a,
                next=b,
                count=count_of(count),
                share=speech.share(share),
            )
        )
    ends = found.steps.sort("ends", "step", descending=[True, False]).head(3)
    for step, count in ends.select("step", "ends").iter_rows():
        told.append(words("Cases that end at {step}: {count}.", step=step, count=count_of(count)))
    return " ".join(told)


_DEFS = (
    "<defs>"
    + "".join(
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerUnits="userSpaceOnUse" '
        f'markerWidth="11" markerHeight="11" orient="auto">'
        f'<path d="M0,0 L10,5 L0,10 z" fill="{colour}"/></marker>'
        for name, colour in (("ahead", FORWARD), ("back", BACKWARD))
    )
    + "</defs>"
)


def _edge(edge: Edge, most: int, median: float, speech: Speech) -> str:
    thick = _THIN + (_THICK - _THIN) * edge.count / most
    told = speech.words(
        "{step} → {next}: {count} times, median {time}",
        step=edge.start,
        next=edge.goal,
        count=speech.count(edge.count),
        time=speech.time(median),
    )
    look = f'stroke="{BACKWARD}" stroke-dasharray="7 4" marker-end="url(#back)"'
    if not edge.backward:
        look = f'stroke="{FORWARD}" marker-end="url(#ahead)"'
    way = {"ahead": _curve, "beside": _bend, "below": _lane}[edge.way](edge.points)
    return (
        f'<path d="{way}" fill="none" {look} stroke-width="{thick:.1f}" stroke-opacity="0.55">'
        f"<title>{plain(told)}</title></path>"
    )


def _curve(points: Sequence[tuple[float, float]]) -> str:
    """Bends between layers, straight lines across them."""
    (x, y), told = points[0], [f"M{points[0][0]:.1f},{points[0][1]:.1f}"]
    for i, (to_x, to_y) in enumerate(points[1:]):
        if i % 2:
            told.append(f"L{to_x:.1f},{to_y:.1f}")
        else:
            middle = (x + to_x) / 2
            told.append(f"C{middle:.1f},{y:.1f} {middle:.1f},{to_y:.1f} {to_x:.1f},{to_y:.1f}")
        x, y = to_x, to_y
    return " ".join(told)


def _bend(points: Sequence[tuple[float, float]]) -> str:
    """Out to the right, and back into the same layer."""
    (x, y), (_, to_y) = points
    return f"M{x:.1f},{y:.1f} C{x + 52:.1f},{y:.1f} {x + 52:.1f},{to_y:.1f} {x:.1f},{to_y:.1f}"


def _lane(points: Sequence[tuple[float, float]]) -> str:
    """Down, along the lane, and up again, with round corners."""
    (x, y), (_, low), (to_x, _), (_, to_y) = points
    return (
        f"M{x:.1f},{y:.1f} V{low - 10:.1f} Q{x:.1f},{low:.1f} {x - 10:.1f},{low:.1f} "
        f"H{to_x + 10:.1f} Q{to_x:.1f},{low:.1f} {to_x:.1f},{low - 10:.1f} V{to_y:.1f}"
    )


def _label(edge: Edge, median: float, taken: list[Box], speech: Speech) -> str:
    """Count and time beside the line, where there is room; the line's own title tells it anyway."""
    text = f"{speech.count(edge.count)} · {speech.time(median)}"
    half = 3.0 * len(text) + 3
    for x, y in _spots(edge):
        box = (x - half, y - 8, x + half, y + 8)
        if not any(_meet(box, other) for other in taken):
            taken.append(box)
            return (
                f'<rect x="{x - half:.1f}" y="{y - 8:.1f}" width="{2 * half:.1f}" height="16" rx="4" '
                f'fill="{PAPER}" fill-opacity="0.88"/><text x="{x:.1f}" y="{y + 4:.1f}" '
                f'text-anchor="middle" fill="{INK}" font-size="11">{plain(text)}</text>'
            )
    return ""


def _spots(edge: Edge) -> list[tuple[float, float]]:
    if edge.way == "below":
        (x, _), (_, low), (to_x, _), _ = edge.points
        return [(x + (to_x - x) * share, low) for share in (0.5, 0.35, 0.65)]
    if edge.way == "beside":
        (x, y), (_, to_y) = edge.points
        return [(x + 39, y + (to_y - y) * share) for share in (0.5, 0.35, 0.65)]
    found = []
    for i in range(0, len(edge.points) - 1, 2):
        (x, y), (to_x, to_y) = edge.points[i : i + 2]
        for share in (0.5, 0.4, 0.6):
            bend = share * share * (3 - 2 * share)  # near enough to the curve's own height
            found.append((x + (to_x - x) * share, y + (to_y - y) * bend))
    return found


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _box(row: dict[str, object], x: float, y: float, again: int, speech: Speech) -> str:
    name, count = str(row["step"]), int(str(row["count"]))
    starts, ends = int(str(row["starts"])), int(str(row["ends"]))
    told = speech.words(
        "{step}: {count} events, {starts} cases start here, {ends} end here, {again} times again",
        step=name,
        count=speech.count(count),
        starts=speech.count(starts),
        ends=speech.count(ends),
        again=speech.count(again),
    )
    lines = _wrapped(name)
    first = y + (24 if len(lines) == 1 else 17)
    parts = [
        f"<g><title>{plain(told)}</title>",
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{WIDTH:.0f}" height="{HEIGHT:.0f}" rx="7" fill="{PAPER}" '
        f'stroke="{INK}" stroke-width="1.3"/>',
    ]
    if starts:
        parts.append(f'<path d="M{x - 12:.1f},{y + 7:.1f} l9,6 l-9,6 z" fill="{INK}"/>')
    for i, line in enumerate(lines):
        parts.append(
            f'<text x="{x + WIDTH / 2:.1f}" y="{first + 14 * i:.1f}" text-anchor="middle" font-weight="600" '
            f'fill="{INK}">{plain(line)}</text>'
        )
    ending = speech.words("ends {share}", share=speech.share(ends / count)) if ends else ""
    figures = " · ".join(
        part for part in (speech.count(count), ending, f"↻ {speech.count(again)}" if again else "") if part
    )
    parts.append(
        f'<text x="{x + WIDTH / 2:.1f}" y="{y + 48:.1f}" text-anchor="middle" fill="{INK}" font-size="11">'
        f"{plain(figures)}</text>"
    )
    if ends:
        long = (WIDTH - 16) * ends / count
        parts.append(
            f'<rect x="{x + 8:.1f}" y="{y + HEIGHT - 10:.1f}" width="{long:.1f}" height="4" rx="2" '
            f'fill="{ENDING}"/>'
        )
    return "".join([*parts, "</g>"])


def _wrapped(name: str) -> list[str]:
    """A name on at most two lines; what is longer is cut, and whole in the title."""
    if len(name) <= _LINE:
        return [name]
    cut = name.rfind(" ", 0, _LINE + 1)
    cut = cut if cut > _LINE // 3 else _LINE
    rest = name[cut:].strip()
    return [name[:cut].strip(), rest if len(rest) <= _LINE else rest[: _LINE - 1] + "…"]


def _legend(said: str, height: float, speech: Speech) -> list[str]:
    words = speech.words(
        "Lines: crossings, with the median time; the thicker the more. Dashed, below: backwards. "
        "▶ cases start here. Bar: the share of events after which the case ends. ↻ the step follows itself."
    )
    return [
        f'<text x="28" y="{height - 34 + 17 * i:.0f}" fill="{INK}" font-size="11">{plain(line)}</text>'
        for i, line in enumerate((words, said))
    ]
