"""What rows tell of customers when they answered: nothing that came later, and nothing that was not read."""

from __future__ import annotations

import math

import polars as pl
import pytest

from experiments.report.feedback.heard import Heard
from experiments.report.feedback.known import LATE, Stood, heard_with
from experiments.report.feedback.report import report
from experiments.report.feedback.stored import said
from nba.playbook.feedback import Feedback
from nba.stores.ports import TouchpointRow

DAY = 86_400.0
NOW = 200 * DAY


def answer(customer: str, at: float, value: float = 9.0) -> TouchpointRow:
    return TouchpointRow(
        source="event",
        id=f"{customer}-{at}",
        surrogate=customer,
        type="nps",
        channel="email",
        occurred_at=at,
        value=value,
    )


def frame(*rows: tuple[str, float]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema={"customer": pl.String, "at": pl.Float64}, orient="row")


def heard(
    rows: list[TouchpointRow],
    stood: list[Stood] | None = None,
    happened: dict[str, pl.DataFrame] | None = None,
    since: float = 0.0,
) -> Heard:
    return heard_with(*said([rows]), stood=stood or [], happened=happened or {}, since=since)


def test_an_answer_has_the_stage_that_was_known_last_before_it_else_the_first_that_is_known() -> None:
    stood = [
        Stood("ada", 10.0, "purchase", None),
        Stood("ada", 30.0, "advocacy", "regulars"),
        Stood("bob", 90.0, "awareness", None),
    ]
    rows = [answer("ada", 20.0), answer("ada", 30.0), answer("bob", 50.0), answer("cem", 60.0)]
    splits = heard(rows, stood).splits
    assert splits["stage"].to_list() == ["purchase", "advocacy", "awareness", None]
    assert splits["segment"].to_list() == ["regulars", "regulars", None, None]
    assert splits["channel"].to_list() == ["email"] * 4


def test_of_late_counts_the_thirty_days_before_an_answer_and_nothing_of_its_own_moment_or_later() -> None:
    at = NOW - DAY
    visits = frame(
        ("ada", at - LATE - 1.0),
        ("ada", at - LATE),
        ("ada", at - DAY),
        ("ada", at),
        ("ada", at + DAY),
        ("bob", at - 2 * DAY),
    )
    facts = heard([answer("ada", at), answer("cem", at)], happened={"visit": visits}).facts
    assert facts["visit of late"].tolist() == [2.0, 0.0]


def test_what_reaches_back_further_than_was_read_is_not_known() -> None:
    rows = [answer("ada", 20 * DAY), answer("ada", 31 * DAY)]
    found = heard(rows, happened={"visit": frame(("ada", 19 * DAY))}).facts["visit of late"].tolist()
    assert math.isnan(found[0])
    assert found[1] == 1.0


def test_too_many_contacts_stand_out_where_they_make_customers_unhappy() -> None:
    rows = [answer(f"c{i}", NOW, 2.0 if i % 2 else 9.0) for i in range(80)]
    contacts = frame(*((f"c{i}", NOW - (j + 1) * DAY) for i in range(80) for j in range(6 if i % 2 else 1)))
    found = report(heard(rows, happened={"contacts": contacts}), Feedback())
    assert found.drivers is not None
    [driver] = found.drivers.standing_out  # type: ignore[union-attr]
    assert (driver.name, driver.delta) == ("contacts of late", pytest.approx(1.0))
