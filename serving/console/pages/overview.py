"""The overview: what the business cares about, week by week, and the uplift against the holdout."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from experiments.ab import Difference
from experiments.report import Report, ab_report
from experiments.report.customers import read_cohort
from nba.errors import InvalidInput, NotEnoughData, TooLarge
from nba.rewards.outcomes import main_outcome
from serving.console import kpis
from serving.console.charts import Point, intervals, line
from serving.console.desk import Ask, Desk, Shown
from serving.console.figure import Figure
from serving.console.kpis import Period
from serving.console.reading import DAY, newest_draws, newest_touchpoints
from serving.console.words import Words

_MOST_DRAWS, _MOST_TOUCHPOINTS = 150_000, 300_000
_LONGEST = 8 * 7 * DAY + 56 * DAY
_FRESH, _UPLIFT_FRESH = 60.0, 600.0
_MOST_COMPARED = 200_000  # decisions that a comparison of the groups reads at most
_PAIR = {"treatment": "Treatment", "holdout": "Holdout", "random_eligible": "Random eligible"}


def show(desk: Desk, ask: Ask) -> Shown:
    now = desk.now()
    if math.isnan(now):
        return Shown(template="overview.html", values={"cards": [], "uplift": None, "cut": False}, at=None)
    kept = desk.kept("kpis", _FRESH, lambda: _read(desk, now))
    found, cut = kept.value
    compared = desk.kept("uplift", _UPLIFT_FRESH, lambda: compare(desk, now)).value
    values = {
        "cards": _cards(found, ask.words, main_outcome(desk.live.playbook.spec.objectives)),
        "uplift": _uplift(compared, ask.words),
        "cut": cut,
        "moment": found[-1].end,
    }
    return Shown(template="overview.html", values=values, at=kept.at)


def _read(desk: Desk, now: float) -> tuple[list[Period], bool]:
    playbook = desk.live.playbook
    drawn = newest_draws(desk.store, until=now, longest=_LONGEST, most=_MOST_DRAWS)
    touched = newest_touchpoints(desk.store, until=now, longest=now - drawn.since, most=_MOST_TOUCHPOINTS)
    frames = kpis.drawn_frame(drawn.rows, playbook), kpis.touched_frame(touched.rows, playbook)
    since = max(drawn.since, touched.since)
    begun = drawn.rows[0].decided_at if drawn.rows else now
    until = kpis.last_midnight(now, begun, playbook.spec.timezone)
    weeks = kpis.periods(*frames, playbook, since=since, until=until)
    first = next((i for i, week in enumerate(weeks) if week.decisions), len(weeks) - 1)
    return weeks[first:], drawn.cut or touched.cut


def compare(desk: Desk, now: float) -> Report | str:
    """The groups over the whole log, or why they are not compared here."""
    read = 0

    def progress(decisions: int) -> None:
        nonlocal read
        read += decisions
        if read > _MOST_COMPARED:
            raise TooLarge("the log is too long to be compared while you wait: nba experiment report does it")

    try:
        cohort = read_cohort(desk.store, desk.live.playbook, as_of=now, progress=progress)
        return ab_report(cohort, desk.live.playbook)
    except (InvalidInput, NotEnoughData, TooLarge) as error:
        return error.detail


def _cards(found: list[Period], words: Words, outcome: str) -> list[dict[str, Any]]:
    def percent(value: float) -> str:
        return words.percent(value)

    def two(value: float) -> str:
        return words.number(value, 2)

    def whole(value: float) -> str:
        return words.number(value)

    told: list[tuple[str, str, Callable[[Period], Figure], Callable[[float], str]]] = [
        (
            words("Conversion"),
            words("Customers who had “{outcome}” in the week, after they were decided for", outcome=outcome),
            lambda p: p.conversion,
            percent,
        ),
        (
            words("Reward per customer"),
            words("Worth of outcomes less cost of contacts, a customer and week"),
            lambda p: p.reward,
            words.money,
        ),
        (
            words("Retention"),
            words("Customers of the 28 days before who were active again in 28 days"),
            lambda p: p.retention,
            percent,
        ),
        (
            words("NPS"),
            words("Promoters less detractors, from −100 to 100"),
            lambda p: p.nps,
            whole,
        ),
        (
            words("Contact pressure"),
            words("Contacts per customer and week"),
            lambda p: p.pressure,
            two,
        ),
        (
            words("Decisions"),
            words("Decisions that were shown, in the week"),
            lambda p: Figure(value=float(p.decisions), n=p.customers),
            whole,
        ),
    ]
    return [_card(title, text, [of(p) for p in found], found, say, words) for title, text, of, say in told]


def _card(
    title: str,
    text: str,
    figures: list[Figure],
    found: list[Period],
    say: Callable[[float], str],
    words: Words,
) -> dict[str, Any]:
    points = [
        Point(label=words.short_day(p.end), value=f.value, low=f.low, high=f.high)
        for p, f in zip(found, figures, strict=True)
    ]
    last, before = figures[-1], figures[-2] if len(figures) > 1 else None
    change = None
    if before is not None and last.value is not None and before.value is not None:
        change = last.value - before.value
    return {
        "title": title,
        "text": text,
        "value": None if last.value is None else say(last.value),
        "interval": ""
        if last.low is None or last.high is None
        else words("{low} to {high}", low=say(last.low), high=say(last.high)),
        "change": None if change is None else _signed(change, say, words),
        "chart": line(title, points, say) if sum(p.value is not None for p in points) > 1 else "",
        "rows": [
            (
                words.day(p.start),
                words.day(p.end),
                "" if f.value is None else say(f.value),
                ""
                if f.low is None or f.high is None
                else words("{low} to {high}", low=say(f.low), high=say(f.high)),
                words.number(f.n),
            )
            for p, f in zip(found, figures, strict=True)
        ],
    }


def _signed(value: float, say: Callable[[float], str], words: Words) -> str:
    """A change: of shares in points, of what rounds to nothing without a sign."""
    size, nothing = say(abs(value)), say(0.0)
    told = words("{size} points", size=size.replace("%", "").strip()) if "%" in size else size
    return words("unchanged") if size == nothing else f"{'+' if value > 0 else '−'}{told}"


def _uplift(compared: Report | str, words: Words) -> Mapping[str, Any]:
    if isinstance(compared, str):
        return {"said": compared, "rows": [], "chart": "", "headline": None}
    rows, drawn, headline = [], [], None
    for c in compared.comparisons:
        name = f"{words(_PAIR[c.treatment])} − {words(_PAIR[c.control])}"
        found, share = c.absolute, c.relative
        if isinstance(found, NotEnoughData):
            rows.append((name, words("not enough data"), "", "", found.detail))
            continue
        drawn.append((name, found.value, found.low, found.high))
        told = _told(found, words)
        relative = "" if isinstance(share, NotEnoughData) else words.percent(share.value)
        rows.append((name, words.money(found.value), told, relative, _verdict(found, words)))
        if (c.treatment, c.control) == ("treatment", "holdout"):
            headline = {
                "value": words.money(found.value),
                "interval": told,
                "verdict": _verdict(found, words),
            }
    groups = [
        (words(_PAIR[name]), words.number(g.customers), words.number(g.contacts), words.money(g.net.mean))
        for name, g in compared.groups.items()
        if g.customers
    ]
    title = words("Difference in net reward per customer, with 95% intervals")
    return {
        "said": None,
        "rows": rows,
        "groups": groups,
        "chart": intervals(title, drawn, words.money),
        "headline": headline,
        "since": compared.since,
        "recent": words.number(compared.recent) if compared.recent else None,
        "window": words.time(compared.window),
    }


def _told(found: Difference, words: Words) -> str:
    return words("{low} to {high}", low=words.money(found.low), high=words.money(found.high))


def _verdict(found: Difference, words: Words) -> str:
    if found.low > 0:
        return words("more, beyond chance")
    return words("less, beyond chance") if found.high < 0 else words("no difference shown")
