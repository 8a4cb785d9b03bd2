"""The journey map for the page: the picture, its sentences and its tables, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from nba.journey import picture
from nba.journey.map import JourneyMap
from nba.journey.page import MOST_ROWS, sequence
from nba.journey.pain import Pain, Total
from serving.console.words import Words


class Table(NamedTuple):
    """A title, heads, rows, which columns are figures, and a remark."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int]
    remark: str = ""


def speech(words: Words) -> picture.Speech:
    """The picture's texts; its cases are customers here."""

    def said(text: str, **values: object) -> str:
        return words(_of_customers(text), **values)

    return picture.Speech(
        words=said,
        told=words.told_plainly,
        count=words.number,
        share=lambda share: words.percent(share, 0),
        time=words.time,
    )


def _of_customers(text: str) -> str:
    """A text of the picture, whose cases are customers here."""
    return text.replace("cases", "customers").replace("{customers}", "{cases}").replace("Cases", "Customers")


def drawn(found: JourneyMap, words: Words) -> Markup:
    return Markup(picture.svg(found, words("Journey map"), speech(words)))


def tables(found: JourneyMap, words: Words) -> list[Table]:
    """Those with rows; the first two are the most telling."""
    made = [
        _points(found, words),
        _steps(found, words),
        _waits(found, words),
        _edges(found, words),
        _variants(found, words),
    ]
    return [table for table in made if table.rows]


def _points(found: JourneyMap, words: Words) -> Table:
    pains = found.pains
    worse = [pain for pain in pains.points if pain.hits > pain.usual][:MOST_ROWS]
    rows = [
        (p.start, words.number(p.units), words.number(p.hits), words.number(p.usual), *_lost(p.lost, words))
        for p in worse
    ]
    heads = [words(head) for head in ("Step", "Visits", "Stop here", "Usual")]
    remark = words(
        "Lost value is what goes along with stopping or waiting at a place; it claims no cause. Intervals of "
        "a table hold together."
    )
    return Table(
        words("Where more stop than usual"), [*heads, *_heads(found, words)], rows, range(1, 6), remark
    )


def _waits(found: JourneyMap, words: Words) -> Table:
    rows = [
        (
            p.start,
            p.goal or "",
            words.number(p.units),
            words.number(p.hits),
            *_lost(p.lost, words),
            *_waited(p, words),
        )
        for p in found.pains.bottlenecks[:MOST_ROWS]
    ]
    heads = [words(head) for head in ("From step", "To step", "Crossings", "Slow")]
    more = [words("Waited too long"), words("Interval")]
    return Table(words("Bottlenecks"), [*heads, *_heads(found, words), *more], rows, range(2, 8))


def _heads(found: JourneyMap, words: Words) -> list[str]:
    unit = words.told_plainly(found.pains.unit)
    return [
        words("Lost value, {unit}", unit=unit),
        words("{level} interval", level=words.percent(found.pains.level, 0)),
    ]


def _lost(lost: Total, words: Words) -> tuple[str, str]:
    value, low, high = (words.number(round(x, 1) + 0.0, 1) for x in (lost.value, lost.low, lost.high))
    return value, words("{low} to {high}", low=low, high=high)


def _waited(pain: Pain, words: Words) -> tuple[str, str]:
    if pain.waited is None:
        return "", ""
    ends = words("{low} to {high}", low=words.time(pain.waited.low), high=words.time(pain.waited.high))
    return words.time(pain.waited.value), ends


def _steps(found: JourneyMap, words: Words) -> Table:
    rows = [
        (name, *(words.number(n) for n in counts), words.percent(drop))
        for name, *counts, drop in found.steps.head(MOST_ROWS).iter_rows()
    ]
    heads = ("Step", "Events", "Customers", "Start here", "End here", "Drop-off")
    return Table(words("Steps"), [words(head) for head in heads], rows, range(1, 6))


def _edges(found: JourneyMap, words: Words) -> Table:
    cells = found.edges.select("from", "to", "count", "share", "median_seconds").head(MOST_ROWS).iter_rows()
    rows = [(a, b, words.number(n), words.percent(share), words.time(took)) for a, b, n, share, took in cells]
    heads = ("From step", "To step", "Count", "Share", "Median time")
    return Table(words("Transitions"), [words(head) for head in heads], rows, range(2, 5))


def _variants(found: JourneyMap, words: Words) -> Table:
    rows = [
        (sequence(steps, 12), words.number(n), words.percent(share), words.time(took))
        for steps, n, share, took in found.variants.head(MOST_ROWS).iter_rows()
    ]
    heads = ("Journey", "Customers", "Share", "Median time")
    return Table(words("Frequent variants"), [words(head) for head in heads], rows, range(1, 4))
