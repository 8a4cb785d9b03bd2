"""Health in the built-in world: clean months raise no alarm, bad days and changed tastes are found."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from experiments.simulate import day_start
from tests.training.health.world import Company
from training.demo.lives import Item
from training.health.examine import examine
from training.health.report import Check
from training.health.wrong_outcomes import wrong_outcomes

BAD = "2026-02-10"  # world day 36


def _turned(day: int, item: Item) -> Item:
    """Purchases of one calendar day with the sign turned."""
    local = datetime.fromisoformat(item["occurred_at"]).astimezone(ZoneInfo("Europe/Amsterdam"))
    bad = item["type"] == "purchase" and local.date().isoformat() == BAD
    return {**item, "value": -item["value"]} if bad else item


def _found(company: Company) -> list[Check]:
    return list(examine(company.store, company.playbook, as_of=_now(company), policy=None).breached)


def _now(company: Company) -> float:
    return day_start(company.lives.day)


@pytest.mark.slow
def test_ninety_clean_days_have_no_wrong_outcomes() -> None:
    """Seed 4, 600 customers, looked at weekly: at 10⁻⁶ a test and 90 × 3 types × 7 tests, 0.002 alarms."""
    company = Company.of(600, 4)
    for _ in range(13):
        company.live(7)
        assert wrong_outcomes(company.store, company.playbook, as_of=_now(company)) == []


def test_a_day_of_turned_purchases_is_found_on_that_day_and_no_other() -> None:
    company = Company.of(400, 4, spoil=_turned)
    company.live(38)
    (found,) = wrong_outcomes(company.store, company.playbook, as_of=_now(company))
    assert found.type == "purchase"
    start = datetime.fromtimestamp(found.start, ZoneInfo("Europe/Amsterdam"))
    assert start.isoformat() == f"{BAD}T00:00:00+01:00"
    assert found.end - found.start == 86_400
    assert "below zero" in found.why


@pytest.mark.slow
def test_changed_tastes_are_found_within_ten_days_and_nothing_before() -> None:
    """Seed 5, 3,000 customers, a ridge policy from day 21, tastes change on day 42: the reward at half the
    clock of 3.5 days has fallen by 4 standard errors on day 50, and by 5.4 on day 52."""
    company = Company.of(3_000, 5)
    company.live(21)
    company.train()
    company.live(18)
    assert _found(company) == []
    company.live(3)
    assert _found(company) == []
    company.lives.drift(3)
    company.live(10)
    assert "reward" in {check.name for check in _found(company)}
