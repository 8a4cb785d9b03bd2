"""Charts as SVG of our own: no script, no style of its own, nothing loaded, readable without colour.

Each is a picture with a title; the table that every chart has beside it is the template's. Sizes are in the
units of the picture, which scales with the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite

from markupsafe import Markup

INK, SOFT, LINE, BAND = "#1d2733", "#56616d", "#0b5c8f", "#cfe3f0"
_HALO = 'stroke="#ffffff" stroke-width="3" paint-order="stroke"'
_FONT = 'font-family="system-ui, sans-serif" font-size="13"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One figure of a line: where it is not known `value` is None, and the line has a gap."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None


def line(title: str, points: Sequence[Point], told: Callable[[float], str]) -> Markup:
    """A line over time with its interval as a band; the last figure is written at its end.

    Args:
        told: a figure as the reader's language writes it.
    """
    known = [v for p in points for v in (p.value, p.low, p.high) if v is not None and isfinite(v)]
    if not known:
        return Markup("")
    width, height, left, right, top, bottom = 360, 132, 6, 6, 22, 22
    low, high = min(known), max(known)
    if high - low < 1e-12:
        low, high = low - max(abs(low), 1.0) * 0.05, high + max(abs(high), 1.0) * 0.05

    def x(i: int) -> float:
        return left + (width - left - right) * (i / max(len(points) - 1, 1))

    def y(value: float) -> float:
        return top + (height - top - bottom) * (1 - (value - low) / (high - low))

    parts = [_band(stretch) for stretch in _edges(points, x, y)]
    parts += [_path(run) for run in _runs(points, x, y)]
    dots = [(x(i), y(p.value)) for i, p in enumerate(points) if p.value is not None]
    parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.6" fill="{LINE}"/>' for a, b in dots]
    grid = "".join(
        f'<line x1="{left}" x2="{width - right}" y1="{y(v):.1f}" y2="{y(v):.1f}" stroke="#d5dbe1"/>'
        f'<text x="{left}" y="{y(v) + dy:.1f}" fill="{SOFT}">{escape(told(v))}</text>'
        for v, dy in ((high, -5), (low, 14))
    )
    ends = (
        f'<text x="{width - right}" y="{height - 6}" text-anchor="end" fill="{SOFT}">'
        f"{escape(points[0].label)} – {escape(points[-1].label)}</text>"
    )
    return _picture(title, width, height, grid + "".join(parts) + ends)


def intervals(
    title: str,
    rows: Sequence[tuple[str, float, float, float]],
    told: Callable[[float], str],
    mark: float | None = 0.0,
) -> Markup:
    """Figures with their intervals on one scale, a line a row; the figure is written behind the name.

    Args:
        rows: name, value, low, high.
        mark: a value that is marked by a line, such as that of no difference; None for none.
    """
    known = [v for _, *values in rows for v in values if isfinite(v)]
    if not known:
        return Markup("")
    marks = [] if mark is None else [mark]
    low, high = min(*marks, *known), max(*marks, *known)
    margin = (high - low or 1.0) * 0.06
    low, high = low - margin, high + margin
    width, step, edge = 420, 46, 8
    top = 8 if mark is None else 26
    height = top + step * len(rows) + 4

    def x(value: float) -> float:
        return edge + (width - 2 * edge) * (value - low) / (high - low)

    parts = []
    if mark is not None:
        middle = "start" if x(mark) < 40 else "end" if x(mark) > width - 40 else "middle"
        parts = [
            f'<line x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="{top - 4}" y2="{height}" stroke="{SOFT}" '
            'stroke-dasharray="4 3"/>',
            f'<text x="{x(mark):.1f}" y="{top - 10}" text-anchor="{middle}" fill="{SOFT}">'
            f"{escape(told(mark))}</text>",
        ]
    for i, (name, value, a, b) in enumerate(rows):
        y = top + step * i
        parts.append(
            f'<text x="{edge}" y="{y + 14}" fill="{INK}" {_HALO}>{_short(name, 40)}</text>'
            f'<text x="{width - edge}" y="{y + 14}" text-anchor="end" font-weight="600" fill="{INK}" {_HALO}>'
            f"{escape(told(value))}</text>"
        )
        y += 30
        if isfinite(a) and isfinite(b):
            parts.append(_stroke(x(a), y, x(b), y))
            parts += [_stroke(x(v), y - 6, x(v), y + 6) for v in (a, b)]
        parts.append(f'<circle cx="{x(value):.1f}" cy="{y}" r="5.5" fill="{LINE}"/>')
    return _picture(title, width, height, "".join(parts))


def _stroke(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{LINE}" stroke-width="3"/>'


def bars(title: str, rows: Sequence[tuple[str, float]], told: Callable[[float], str]) -> Markup:
    """Horizontal bars from zero, negative ones hollow; the figure is written behind each."""
    known = [value for _, value in rows if isfinite(value)]
    if not known:
        return Markup("")
    low, high = min(0.0, *known), max(0.0, *known)
    width, step, edge, room = 420, 36, 8, 64
    scale = (width - 2 * edge - room) / ((high - low) or 1.0)
    zero = edge - low * scale
    parts = []
    for i, (name, value) in enumerate(rows):
        y, long = step * i + 19, abs(value) * scale
        start = zero if value >= 0 else zero - long
        fill = LINE if value >= 0 else "#ffffff"
        parts.append(
            f'<text x="{edge}" y="{y - 5}" fill="{INK}">{_short(name, 46)}</text>'
            f'<rect x="{start:.1f}" y="{y}" width="{max(long, 1):.1f}" height="12" fill="{fill}" '
            f'stroke="{LINE}" stroke-width="1.5"/><text x="{max(zero, start + long) + 6:.1f}" '
            f'y="{y + 11}" fill="{INK}">{escape(told(value))}</text>'
        )
    return _picture(title, width, step * len(rows) + 4, "".join(parts))


def _picture(title: str, width: int, height: float, inside: str) -> Markup:
    return Markup(
        f'<svg viewBox="0 0 {width} {height:.0f}" role="img" aria-label="{escape(title, quote=True)}" '
        f"{_FONT}>{inside}</svg>"
    )


def _edges(
    points: Sequence[Point], x: Callable[[int], float], y: Callable[[float], float]
) -> list[list[tuple[float, float, float]]]:
    """The intervals' edges, by stretches without a gap."""
    found: list[list[tuple[float, float, float]]] = [[]]
    for i, point in enumerate(points):
        if point.low is None or point.high is None:
            found.append([])
        else:
            found[-1].append((x(i), y(point.low), y(point.high)))
    return found


def _band(edges: Sequence[tuple[float, float, float]]) -> str:
    if len(edges) < 2:
        return ""
    there = [f"{a:.1f},{low:.1f}" for a, low, _ in edges]
    back = [f"{a:.1f},{high:.1f}" for a, _, high in reversed(edges)]
    return f'<polygon points="{" ".join([*there, *back])}" fill="{BAND}"/>'


def _runs(
    points: Sequence[Point], x: Callable[[int], float], y: Callable[[float], float]
) -> list[list[tuple[float, float]]]:
    """The stretches without a gap."""
    runs: list[list[tuple[float, float]]] = [[]]
    for i, point in enumerate(points):
        if point.value is None:
            runs.append([])
        else:
            runs[-1].append((x(i), y(point.value)))
    return [run for run in runs if len(run) > 1]


def _path(run: Sequence[tuple[float, float]]) -> str:
    told = " ".join(f"{a:.1f},{b:.1f}" for a, b in run)
    return f'<polyline points="{told}" fill="none" stroke="{LINE}" stroke-width="2.2"/>'


def _short(name: str, most: int) -> str:
    return escape(name if len(name) <= most else name[: most - 1] + "…")
