"""Days of outcomes that can't be right are found, and no others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nba.playbook.compile import parse
from tests.service.business import NOON, OPEN
from training.health.outcome_days import OutcomeDay, midnight, next_midnight
from training.health.wrong_outcomes import judged
from training.quarantine import Quarantine

PLAYBOOK = parse(OPEN)
START = midnight(NOON, PLAYBOOK)
DAY = 86_400.0
Change = Callable[[OutcomeDay], OutcomeDay]


def _days(count: int, seed: int = 0, rate: float = 30.0, **changed: Change) -> list[OutcomeDay]:
    """Purchases by day, lognormal; `on_20=…` changes the twentieth."""
    chance, found = np.random.default_rng(seed), []
    for i in range(count):
        n = int(chance.poisson(rate))
        day = OutcomeDay(
            type="purchase",
            start=START + i * DAY,
            end=START + (i + 1) * DAY,
            rows=n,
            others=500 + int(chance.poisson(100)),
            customers=n,
            negative=0,
            positive=n,
            repeated=0,
            sizes=np.sort(chance.lognormal(2, 0.5, n)),
        )
        found.append(changed.get(f"on_{i}", lambda d: d)(day))
    return found


def _wrong(days: list[OutcomeDay], known: tuple[Quarantine, ...] = (), until: float = 0.0) -> list[int]:
    """Which days."""
    as_of = until or days[-1].end + DAY
    found = judged(days, PLAYBOOK, known, as_of=as_of, since=float("-inf"))
    return [round((q.start - START) / DAY) for q in found]


def _turned(day: OutcomeDay) -> OutcomeDay:
    return replace(day, negative=day.customers, positive=0)


def _scaled(by: float) -> Change:
    return lambda day: replace(day, sizes=day.sizes * by)


def _counted(**figures: Any) -> Change:
    return lambda day: replace(day, **figures)


NONE = {"rows": 0, "customers": 0, "positive": 0, "sizes": np.empty(0)}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_turned, id="signs turned"),
        pytest.param(_scaled(100), id="cents for euros"),
        pytest.param(_scaled(0.01), id="euros for cents"),
        pytest.param(lambda d: replace(d, repeated=d.customers, rows=2 * d.rows), id="sent twice"),
        pytest.param(lambda d: replace(d, rows=d.rows * 12), id="a flood"),
        pytest.param(_counted(**NONE), id="a stop"),
    ],
)
def test_a_bad_day_is_found_and_no_other(change: Change) -> None:
    assert _wrong(_days(30, on_20=change)) == [20]


def test_two_bad_days_in_a_row_are_both_found_since_the_first_is_no_history() -> None:
    assert _wrong(_days(30, on_20=_turned, on_21=_turned)) == [20, 21]


def test_clean_days_are_never_found() -> None:
    """Seeds 0 to 199, each 60 days: at 10⁻⁶ a test and seven tests a day less than 0.1 alarms in all."""
    for seed in range(200):
        assert _wrong(_days(60, seed, rate=[3.0, 30.0, 300.0][seed % 3])) == []


def test_days_of_few_customers_are_left_alone() -> None:
    assert _wrong(_days(30, rate=1.0, on_20=_turned)) == []
    assert _wrong(_days(30, on_3=_turned)) == [], "three days are no history"


def test_mondays_are_no_floods_and_sundays_no_stops() -> None:
    """All week nothing, on Mondays hundreds, as where everybody is decided for on one day."""
    weekly = {f"on_{i}": (_counted(rows=400) if i % 7 == 0 else _counted(**NONE)) for i in range(60)}
    assert _wrong(_days(60, **weekly)) == []


def test_when_everything_stops_it_is_the_business_and_not_the_outcomes() -> None:
    silent = {f"on_{i}": _counted(**NONE, others=0) for i in range(20, 30)}
    assert _wrong(_days(30, **silent)) == []


def test_a_day_that_is_not_over_has_not_stopped_and_can_be_turned_all_the_same() -> None:
    days = _days(21, on_20=_counted(**NONE))
    assert _wrong(days, until=days[-1].start + DAY / 2) == []
    days = _days(21, on_20=_turned)
    assert _wrong(days, until=days[-1].start + DAY / 2) == [20]


def test_what_was_under_quarantine_is_not_given_again_nor_what_a_person_lifted() -> None:
    days = _days(30, on_20=_turned)
    bad = Quarantine(type="purchase", start=days[20].start, end=days[20].end, why="wrong sign", who="a test")
    assert _wrong(days, (bad,)) == []
    assert _wrong(days, (replace(bad, lifted=True),)) == []
    assert _wrong(days, (replace(bad, type="visit"),)) == [20]


def test_signs_matter_only_where_the_amount_is_the_worth() -> None:
    fixed = parse(OPEN.replace("value: amount", "value: 3"))
    days = _days(30, on_20=_turned)
    assert judged(days, fixed, (), as_of=days[-1].end, since=float("-inf")) == []


def test_days_begin_at_the_midnights_of_the_playbooks_zone_also_when_the_clock_is_changed() -> None:
    zoned = parse(OPEN + "\ntimezone: Europe/Amsterdam")
    start = midnight(1_774_785_600.0, zoned)  # noon UTC of 29 March 2026, when summer time begins
    assert start == 1_774_738_800.0
    assert next_midnight(start, zoned) - start == 23 * 3_600
