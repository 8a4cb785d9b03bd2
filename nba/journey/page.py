"""The map as one HTML page: the picture, and beside it all of it in words and tables. Loads nothing.

No script; a Content-Security-Policy that forbids any, and any request. All text is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence

from nba.errors import NotEnoughData
from nba.journey.funnel import Funnel
from nba.journey.map import JourneyMap
from nba.journey.pain import Pain, Pains
from nba.journey.picture import duration, in_words, plain, svg
from nba.model import timestamp

MOST_ROWS = 50
NO_CAUSE = (
    "Listed is where more cases stop than usual. Lost value is what goes along with stopping or waiting at a "
    "place; it claims no cause. Intervals of a table hold together."
)
Cells = Sequence[str]


def page(found: JourneyMap, title: str) -> str:
    """The whole page, in UTF-8."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta http-equiv="Content-Security-Policy" '
            "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">",
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{plain(title)}</title><style>{_STYLE}</style></head><body>",
            f'<main><h1 id="top">{plain(title)}</h1>',
            f"<p>{plain(in_words(found))} From {timestamp(found.since)} to {timestamp(found.until)}.</p>",
            *(f"<p>{count:,} rows were left out: {plain(why)}.</p>" for why, count in found.left_out.items()),
            '<div class="wide" tabindex="0" role="region" aria-label="Picture of the map, scrolls sideways">',
            svg(found, title),
            "</div>",
            *sections(found),
            *_parts(found),
            "</main></body></html>\n",
        ]
    )


def sections(found: JourneyMap) -> list[str]:
    """The map's tables as HTML."""
    return [
        *_funnel(found.funnel),
        *_table("Where it hurts: steps where cases stop", *point_rows(found.pains), note=NO_CAUSE),
        *([f"<p>{plain(unjudged(found.pains))}</p>"] if found.pains.unjudged else []),
        *([f"<p>{plain(ends(found.pains))}</p>"] if found.pains.ends else []),
        *_table("Where it waits: slow transitions", *wait_rows(found.pains)),
        *_table("Steps", *step_rows(found), cut=found.steps.height),
        *_table("Transitions", *edge_rows(found), cut=found.edges.height),
        *_table("Frequent variants", *variant_rows(found), cut=found.variants.height + found.variants_cut[0]),
    ]


_TEXTS = ("To", "Most frequent variant")


def step_rows(found: JourneyMap) -> tuple[Cells, list[Cells]]:
    """The steps as a table: head and rows."""
    head = ("Step", "Events", "Cases", "Start here", "End here", "Drop-off")
    rows = found.steps.head(MOST_ROWS).iter_rows()
    return head, [
        (name, f"{n:,}", f"{cases:,}", f"{starts:,}", f"{ends:,}", f"{drop:.1%}")
        for name, n, cases, starts, ends, drop in rows
    ]


def edge_rows(found: JourneyMap) -> tuple[Cells, list[Cells]]:
    """The transitions as a table: head and rows."""
    head = ("From", "To", "Count", "Share", "Median time")
    rows = found.edges.select("from", "to", "count", "share", "median_seconds").head(MOST_ROWS).iter_rows()
    return head, [(a, b, f"{n:,}", f"{share:.1%}", duration(median)) for a, b, n, share, median in rows]


def variant_rows(found: JourneyMap) -> tuple[Cells, list[Cells]]:
    """The frequent variants as a table: head and rows."""
    head = ("Steps", "Cases", "Share", "Median time")
    rows = found.variants.head(MOST_ROWS).iter_rows()
    return head, [
        (sequence(steps), f"{n:,}", f"{share:.1%}", duration(took)) for steps, n, share, took in rows
    ]


def sequence(steps: Sequence[str], most: int = 25) -> str:
    """A variant's steps in a line; the middle of a long one is left out, and counted."""
    if len(steps) <= most:
        return " → ".join(steps)
    head, tail = most - 5, 5
    left = f"… {len(steps) - head - tail:,} more …"
    return " → ".join([*steps[:head], left, *steps[-tail:]])


def point_rows(pains: Pains) -> tuple[Cells, list[Cells]]:
    """The steps where more stop than usual as a table: head and rows."""
    head: Cells = (
        "Step",
        "Visits",
        "Stop here",
        "Usual",
        f"Lost value, {pains.unit}",
        f"{pains.level:.0%} interval",
    )
    worse = [pain for pain in pains.points if pain.hits > pain.usual][:MOST_ROWS]
    return head, [(p.start, f"{p.units:,}", f"{p.hits:,}", f"{p.usual:,.0f}", *_lost(p)) for p in worse]


def unjudged(pains: Pains) -> str:
    """The steps of which nothing is said, and why."""
    names = ", ".join(pains.unjudged[:MOST_ROWS])
    return f"Not judged, since hardly a case goes on from there, so what that brings is not known: {names}"


def ends(pains: Pains) -> str:
    """The steps at which to end is no loss."""
    return (
        f"Not judged, since journeys are for it: {', '.join(pains.ends)}. With a goal the way there is judged"
    )


def wait_rows(pains: Pains) -> tuple[Cells, list[Cells]]:
    """The bottlenecks as a table: head and rows."""
    interval = f"{pains.level:.0%} interval"
    head = (
        "From",
        "To",
        "Crossings",
        "Slow",
        f"Lost value, {pains.unit}",
        interval,
        "Waited too long, in all",
        interval,
    )
    return head, [
        (p.start, p.goal or "", f"{p.units:,}", f"{p.hits:,}", *_lost(p), *_waited(p))
        for p in pains.bottlenecks[:MOST_ROWS]
    ]


def _lost(pain: Pain) -> tuple[str, str]:
    value, low, high = (f"{round(x, 1) + 0.0:,.1f}" for x in (pain.lost.value, pain.lost.low, pain.lost.high))
    return value, f"{low} to {high}"


def _waited(pain: Pain) -> tuple[str, str]:
    if pain.waited is None:
        return "", ""
    return duration(pain.waited.value), f"{duration(pain.waited.low)} to {duration(pain.waited.high)}"


def told(funnel: Funnel | NotEnoughData) -> str:
    """The funnel in a sentence."""
    if isinstance(funnel, NotEnoughData):
        return f"The funnel is not known: {funnel}"
    within = "" if funnel.window is None else f" within {duration(funnel.window)}"
    took = ""
    if funnel.seconds is not None:
        low, middle, high = map(duration, funnel.seconds)
        took = f"; half of those took between {low} and {high}, the median {middle}"
    open_ = f"; {funnel.open:,} more are too recent to know" if funnel.open else ""
    return (
        f"Of {funnel.cases:,} cases at {funnel.start}, {funnel.reached:,} reached {funnel.goal}{within}: "
        f"{funnel.share:.1%}, {funnel.level:.0%} interval {funnel.low:.1%} to {funnel.high:.1%}{took}{open_}."
    )


def _funnel(funnel: Funnel | NotEnoughData | None) -> list[str]:
    return [] if funnel is None else ["<h2>Funnel</h2>", f"<p>{plain(told(funnel))}</p>"]


def _parts(found: JourneyMap) -> list[str]:
    """Each part's tables, folded."""
    if not found.parts:
        return []
    rows = [
        (name, f"{part.cases:,}", f"{part.events:,}", f"{part.events / part.cases:.1f}", _most(part))
        for name, part in found.parts.items()
    ]
    head = (found.split_by or "", "Cases", "Events", "Events a case", "Most frequent variant")
    folded = [
        line
        for name, part in found.parts.items()
        for line in (f"<details><summary>{plain(name)}</summary>", *sections(part), "</details>")
    ]
    return [*_table(f"By {found.split_by}", head, rows), *folded]


def _most(part: JourneyMap) -> str:
    steps, count = part.variants.select("steps", "count").row(0)
    return f"{sequence(steps, 8)} ({count:,})"


def _table(
    title: str, head: Cells, rows: Sequence[Cells], *, cut: int | None = None, note: str | None = None
) -> list[str]:
    if not rows:
        return []
    left = f" (the first {len(rows):,} of {cut:,})" if cut is not None and cut > len(rows) else ""
    return [
        f'<div class="wide" tabindex="0" role="region" aria-label="{plain(title)}">',
        f"<table><caption>{plain(title + left)}</caption>",
        f"<thead><tr>{_cells(head, head, 'th scope=col')}</tr></thead><tbody>",
        *(
            f"<tr>{_cells(head, row[:1], 'th scope=row')}{_cells(head[1:], row[1:], 'td')}</tr>"
            for row in rows
        ),
        "</tbody></table></div>",
        *([f"<p>{plain(note)}</p>"] if note else []),
    ]


def _cells(head: Cells, cells: Cells, tag: str) -> str:
    end = tag.split(" ", 1)[0]
    kinds = [" class=text" if name in _TEXTS else "" for name in head]
    return "".join(f"<{tag}{kind}>{plain(cell)}</{end}>" for kind, cell in zip(kinds, cells, strict=False))


_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;margin:0}
main{max-width:1500px;margin:0 auto;padding:16px 20px}
h1{font-size:1.5rem;margin:.2em 0}
.wide{overflow-x:auto;margin:1.2em 0}
.wide:focus-visible,summary:focus-visible{outline:3px solid #0072B2;outline-offset:2px}
svg{display:block}
table{border-collapse:collapse;font-size:.9rem}
caption{text-align:left;font-weight:600;font-size:1.1rem;padding:.3em 0}
th,td{text-align:right;padding:.25em .7em;border-bottom:1px solid #ddd;font-variant-numeric:tabular-nums;
white-space:nowrap}
th:first-child,.text{text-align:left;white-space:normal;min-width:11em}
tbody th{font-weight:500}
thead th{border-bottom:2px solid #1a1a1a;vertical-align:bottom}
summary{cursor:pointer;padding:.4em 0;font-weight:600}
"""
