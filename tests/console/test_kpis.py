"""The overview's figures, on frames small enough to count by hand."""

from __future__ import annotations

import polars as pl
import pytest

from nba.playbook.compile import parse
from nba.playbook.feedback import Feedback, Survey
from nba.rewards.outcomes import main_outcome
from serving.console import kpis
from serving.console.kpis import WEEK
from serving.console.surveys import surveyed
from tests.serving.running import sample

DAY = 86_400.0
UNTIL = 10 * WEEK


def drawn(*rows: tuple[str, float, str, float]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=kpis._DRAWN, orient="row")


def touched(*rows: tuple[str, str, float, float, float]) -> pl.DataFrame:
    """customer, type, at, value, worth."""
    cells = [(str(i), *row) for i, row in enumerate(rows)]
    return pl.DataFrame(cells, schema={**kpis._TOUCHED, "worth": pl.Float64}, orient="row")


def last(of: pl.DataFrame, happened: pl.DataFrame) -> kpis.Period:
    return kpis.periods(of, happened, sample(), since=0.0, until=UNTIL)[-1]


def test_the_main_outcome_is_what_is_worth_its_amount_else_the_best() -> None:
    assert main_outcome(sample().spec.objectives) == "purchase"
    text = sample().text.replace("purchase: {value: amount}", "purchase: {value: 3}")
    assert main_outcome(parse(text).spec.objectives) == "purchase"


def test_a_week_counts_customers_once_and_outcomes_after_their_decision_only() -> None:
    start = UNTIL - WEEK
    week = last(
        drawn(
            ("ada", start + DAY, "bogo-10/email/now", 0.61),
            ("ada", start + 2 * DAY, "no_contact", 0.0),
            ("bob", start + DAY, "no_contact", 0.0),
            ("old", start - 1.0, "no_contact", 0.0),
        ),
        touched(
            ("ada", "purchase", start + 2 * DAY, 10.0, 10.0),
            ("ada", "purchase", start + 3 * DAY, 5.0, 5.0),
            ("bob", "purchase", start, 99.0, 99.0),
            ("cem", "purchase", start + 2 * DAY, 99.0, 99.0),
        ),
    )
    assert (week.decisions, week.customers) == (3, 2)
    assert week.conversion.value == 0.5
    assert week.reward.value == pytest.approx((15.0 - 0.61) / 2)
    assert week.pressure.value == 0.5


def test_retention_is_the_share_of_those_before_who_came_again() -> None:
    before, after = UNTIL - 40 * DAY, UNTIL - 3 * DAY
    happened = touched(
        *((customer, "visit", before, 0.0, 0.0) for customer in ("ada", "bob", "cem", "dee")),
        *((customer, "visit", after, 0.0, 0.0) for customer in ("ada", "new")),
    )
    week = last(drawn(), happened)
    assert (week.retention.value, week.retention.n) == (0.25, 4)


def test_a_figure_without_anything_to_make_it_of_is_none_and_not_zero() -> None:
    week = last(drawn(), touched())
    for figure in (week.conversion, week.reward, week.pressure, week.retention, week.nps):
        assert (figure.value, figure.n) == (None, 0)
    early = kpis.periods(drawn(), touched(), sample(), since=UNTIL - WEEK, until=UNTIL)
    assert early[-1].retention.value is None


@pytest.mark.parametrize(
    ("answers", "score"), [([10, 9, 7, 0], 25.0), ([6, 6], -100.0), ([11, -1], None), ([9], 100.0)]
)
def test_nps_is_promoters_less_detractors_of_answers_on_the_scale(
    answers: list[int], score: float | None
) -> None:
    at = UNTIL - DAY
    told = touched(*(("ada", "nps", at + i, float(a), 0.0) for i, a in enumerate(answers)))
    assert last(drawn(), told).nps.value == score


def test_nps_goes_by_the_playbooks_scale() -> None:
    text = sample().text + "feedback:\n  nps: {lowest: 1, highest: 5, unhappy: 2, happy: 4}\n"
    told = touched(*((f"c{i}", "nps", UNTIL - DAY, float(a), 0.0) for i, a in enumerate([5, 4, 4, 3])))
    week = kpis.periods(drawn(), told, parse(text), since=0.0, until=UNTIL)[-1]
    assert (week.nps.value, week.nps.n) == (75.0, 4)


@pytest.mark.parametrize(("survey", "value"), [("nps", 10.0), ("csat", 5.0), ("ces", 7.0)])
def test_an_interval_never_says_that_nothing_else_could_have_been(survey: Survey, value: float) -> None:
    """Where all answer alike it is not nothing wide, and of fewer than five customers there is none."""
    scale = Feedback().scale(survey)
    few = surveyed(survey, scale, [(f"c{i}", value) for i in range(4)])
    assert (few.n, few.low, few.high) == (4, None, None)
    some = surveyed(survey, scale, [(f"c{i}", value) for i in range(30)])
    assert some.low is not None
    assert some.high == some.value == few.value
    assert some.low < some.high


def test_one_customer_who_answers_often_is_one_customer() -> None:
    often = surveyed("nps", Feedback().nps, [("ada", 10.0)] * 50)
    assert (often.value, often.n, often.low) == (100.0, 50, None)


def test_weeks_are_counted_back_from_the_moment_and_a_short_log_is_one_period() -> None:
    weeks = kpis.periods(drawn(), touched(), sample(), since=0.0, until=UNTIL)
    assert len(weeks) == 8
    assert [(w.start, w.end) for w in weeks][-1] == (UNTIL - WEEK, UNTIL)
    [one] = kpis.periods(drawn(), touched(), sample(), since=UNTIL - DAY, until=UNTIL)
    assert (one.start, one.end) == (UNTIL - DAY, UNTIL)


def test_weeks_end_at_midnight_so_that_a_weekly_batch_falls_into_one_week_with_what_followed() -> None:
    monday = 1_767_614_400.0  # 5 January 2026, 13:00 in Amsterdam
    batches = [monday + i * WEEK for i in range(5)]
    of = drawn(*(("ada", at, "no_contact", 0.0) for at in batches))
    happened = touched(*(("ada", "purchase", at + DAY, 10.0, 10.0) for at in batches))
    now = batches[-1] + WEEK + 1e-3  # a batch of just now, at which the store's time stands
    until = kpis.last_midnight(now, monday, "Europe/Amsterdam")
    assert until == batches[-1] + WEEK - 13 * 3_600.0
    weeks = kpis.periods(of, happened, sample(), since=monday, until=until)
    assert [week.conversion.value for week in weeks] == [1.0] * 4
    assert kpis.last_midnight(monday + DAY, monday, "Europe/Amsterdam") == monday + DAY
