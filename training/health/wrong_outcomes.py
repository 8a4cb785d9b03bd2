"""Days whose outcomes can't be right: turned signs, another scale, sent twice, a flood, or nothing at all.

Each day of an outcome type is held against the days before it, those under quarantine left out. What can't be
right is both unlikely, at most one chance in a million, and large:

    sign      share of customers with a value below (above) zero, 0.2 more than before
    scale     share of customers with sizes beyond 1.5 times the ninth decile (below the first over 1.5),
              0.25 more than before
    repeated  share of customers with one outcome under several ids, 0.2 more than before
    flood     four times the largest day before, and twice its share of all that came in
    stop      a twentieth of the smallest day before, while other things came in as ever

Shares are tested exactly: of n customers X ~ BetaBinomial(n, K + ½, N − K + ½), K of N being those before
(Jeffreys' prior), so few earlier days make a weak test and not a false one. Customers are the units, since
one with a hundred refunds is one. Counts are negative binomial with the earlier days' mean and variance. The
outer deciles stand for median and MAD of log |value|, which jump where most customers pay one of two prices.
Signs and sizes matter where the objective is worth its `amount`, and only there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from zoneinfo import ZoneInfo

import numpy as np
from scipy.stats import betabinom, nbinom, poisson

from nba.playbook.compile import Playbook
from nba.stores.ports import Store
from training import quarantine
from training.health.outcome_days import OutcomeDay, midnight, read_days
from training.quarantine import Quarantine

WHO = "health"
CHANCE = 1e-6
HISTORY = 35 * 86_400.0
LATE = 6 * 3_600.0  # after midnight, before a day without outcomes is thought of as one
_DAYS, _DAYS_OF_COUNTS = 7, 14  # least days of history
_CUSTOMERS, _TODAY = 50, 5  # least customers, before and on the day itself
_SHARE, _SCALE_SHARE, _BEYOND = 0.2, 0.25, 1.5
_FLOOD, _FLOOD_SHARE, _STOP, _AS_EVER = 4.0, 2.0, 0.05, 0.5


def wrong_outcomes(store: Store, playbook: Playbook, *, as_of: float) -> list[Quarantine]:
    """The days that should be under quarantine and never were, of the playbook's health window and reference.

    Not from before the first decision: what came in then was another business.
    """
    health = playbook.spec.health
    known = quarantine.known(store)
    until = as_of - health.window - health.reference
    days = read_days(store, playbook, *span(store, playbook, until - HISTORY, as_of))
    return judged(days, playbook, known, as_of=as_of, since=until)


def span(store: Store, playbook: Playbook, since: float, as_of: float) -> tuple[float, float]:
    """From the midnight at `since`, or the one after the first decision where that is later."""
    first = next(store.draws(float("-inf"), as_of, chunk=1), None)
    start = as_of if first is None else max(since, first[0].decided_at)
    return midnight(start, playbook), as_of


def judged(
    days: Sequence[OutcomeDay],
    playbook: Playbook,
    known: Sequence[Quarantine],
    *,
    as_of: float,
    since: float,
) -> list[Quarantine]:
    """What is wrong with the days that end after `since`, by type, then by time.

    Args:
        days: by time.
        known: all quarantines, lifted ones too: their days are not given again.
    """
    found = []
    for type, outcome in playbook.spec.objectives.outcomes.items():
        good: list[OutcomeDay] = []
        for day in (d for d in days if d.type == type):
            named = [q for q in known if q.type == type and q.start < day.end and q.end > day.start]
            before = Before.of([d for d in good if d.start >= day.start - HISTORY])
            why = None
            if not named and day.end > since:
                why = _wrong(day, before, outcome.value == "amount", as_of >= _over(day, playbook))
            if why is not None:
                said = f"{type} on {_date(day, playbook)}: {why}"
                found.append(Quarantine(type=type, start=day.start, end=day.end, why=said, who=WHO))
            elif all(q.lifted for q in named):
                good.append(day)
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Before:
    """The days before one, as far as they are believed."""

    days: Sequence[OutcomeDay]
    customers: int

    @classmethod
    def of(cls, days: Sequence[OutcomeDay]) -> Before:
        return cls(days=days, customers=sum(d.customers for d in days))

    def total(self, figure: str) -> int:
        return sum(getattr(d, figure) for d in self.days)


def _wrong(day: OutcomeDay, before: Before, amounts: bool, over: bool) -> str | None:
    """In words; None where nothing is."""
    values = _values(day, before) if amounts else iter(())
    return next(chain(values, _repeated(day, before), _counts(day, before, over)), None)


def _values(day: OutcomeDay, before: Before) -> Iterator[str]:
    for figure, side in (("negative", "below"), ("positive", "above")):
        now, was = getattr(day, figure), before.total(figure)
        if _more(now, day.customers, was, before, _SHARE):
            yield f"{_share(now, day.customers)} of the customers are {side} zero, {_was(was, before)}"
    if not before.customers:
        return
    sizes = np.concatenate([d.sizes for d in before.days])
    low, high = np.quantile(sizes, [0.1, 0.9], method="nearest")
    for word in ("larger", "smaller"):
        now, was = (
            int(np.sum(x > high * _BEYOND if word == "larger" else x < low / _BEYOND))
            for x in (day.sizes, sizes)
        )
        if _more(now, day.customers, was, before, _SCALE_SHARE):
            yield f"{_share(now, day.customers)} of the customers have far {word} values, {_was(was, before)}"


def _repeated(day: OutcomeDay, before: Before) -> Iterator[str]:
    now, was = day.repeated, before.total("repeated")
    if _more(now, day.customers, was, before, _SHARE):
        yield f"{_share(now, day.customers)} of the customers have the same one twice, {_was(was, before)}"


def _counts(day: OutcomeDay, before: Before, over: bool) -> Iterator[str]:
    if len(before.days) < _DAYS_OF_COUNTS:
        return
    rows = np.array([d.rows for d in before.days], dtype=np.float64)
    others = np.array([d.others for d in before.days], dtype=np.float64)
    flood = day.rows > _FLOOD * rows.max() and day.rows / (day.others + 1) > _FLOOD_SHARE * float(
        np.max(rows / (others + 1))
    )
    if flood and _count_tail(day.rows, rows, above=True) < CHANCE:
        yield f"{day.rows:,} came in, {rows.max():,.0f} at most on a day before"
    stop = over and day.rows <= _STOP * rows.min() and day.others >= _AS_EVER * float(np.median(others))
    if stop and _count_tail(day.rows, rows, above=False) < CHANCE:
        yield f"{day.rows:,} came in, {rows.min():,.0f} at least on a day before"


def _more(now: int, customers: int, was: int, before: Before, much: float) -> bool:
    """Whether a share of customers is larger than before, by much and beyond chance."""
    if len(before.days) < _DAYS or before.customers < _CUSTOMERS or customers < _TODAY:
        return False
    if now / customers - was / before.customers < much:
        return False
    return float(betabinom.sf(now - 1, customers, was + 0.5, before.customers - was + 0.5)) < CHANCE


def _count_tail(count: int, days: np.ndarray[tuple[int], np.dtype[np.float64]], *, above: bool) -> float:
    """The probability of so many or more (fewer); a new day varies as days do, and so does their mean."""
    mean = float(days.mean())
    variance = max(mean, float(days.var(ddof=1))) * (1 + 1 / len(days))
    if mean <= 0:
        return 1.0
    if variance > mean:
        size, p = mean**2 / (variance - mean), mean / variance
        return float(nbinom.sf(count - 1, size, p) if above else nbinom.cdf(count, size, p))
    return float(poisson.sf(count - 1, mean) if above else poisson.cdf(count, mean))


def _over(day: OutcomeDay, playbook: Playbook) -> float:
    """From when nothing more is to be expected of a day."""
    return day.end + max(LATE, playbook.spec.learning.settle or 0.0)


def _share(count: int, of: int) -> str:
    return f"{count / of:.0%}"


def _was(count: int, before: Before) -> str:
    return f"before {_share(count, before.customers)}"


def _date(day: OutcomeDay, playbook: Playbook) -> str:
    return datetime.fromtimestamp(day.start, ZoneInfo(playbook.spec.timezone)).date().isoformat()
