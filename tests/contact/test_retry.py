"""retry_at: what lifts with time besides windows and quiet hours, and that it is the first that does."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.contact.eligibility import Gatekeeper, Situation
from nba.model import ContactRow, Used
from tests.contact.business import AMSTERDAM, DAY, HEAD, HOUR, at, contact, playbook, situation
from tests.contact.random_business import ZONES

NOON = at("2026-03-11 12:00", AMSTERDAM)  # a Wednesday


def gate(action: str = "", contact: str = "", extra: str = "") -> Gatekeeper:
    offer = f"offer: {{channels: [email], timings: [now]{action}}}"
    timings = "timezone: Europe/Amsterdam\ntimings: {now: {}}\n"
    return Gatekeeper(playbook(HEAD + timings + f"actions: {{{offer}{extra}}}\ncontact: {{{contact}}}"))


def retry_at(keeper: Gatekeeper, asked: Situation) -> float | None:
    return keeper.retry_at(asked, 0, keeper.judge(asked))


@pytest.mark.parametrize(
    ("per", "expected"),
    [("day", "2026-03-12 00:00"), ("week", "2026-03-16 00:00"), ("month", "2026-04-01 00:00")],
)
def test_a_calendar_cap_lifts_when_the_customers_next_period_starts(per: str, expected: str) -> None:
    keeper = gate(contact=f"caps: [{{max: 1, per: {per}}}]")
    asked = situation(keeper.playbook, [NOON], [[contact(NOON - HOUR)]], zones=[AMSTERDAM])
    assert retry_at(keeper, asked) == at(expected, AMSTERDAM)


def test_a_calendar_cap_lifts_after_the_quiet_hours_of_the_next_day() -> None:
    keeper = gate(contact='caps: [{max: 1, per: day}], quiet_hours: {from: "22:00", to: "08:00"}')
    asked = situation(keeper.playbook, [NOON], [[contact(NOON - HOUR)]], zones=[AMSTERDAM])
    assert retry_at(keeper, asked) == at("2026-03-12 08:00", AMSTERDAM)


def test_an_action_that_stops_after_a_visit_comes_back_when_the_visit_is_old_enough() -> None:
    keeper = gate(", stop_after: {visit: 36h}")
    asked = situation(keeper.playbook, [NOON], zones=[AMSTERDAM], days_since_visit=0.25)
    verdict = keeper.judge(asked)
    assert keeper.reasons[verdict.codes[0, 1]] == "actions.offer.stop_after"
    found = retry_at(keeper, asked)
    assert found is not None
    assert NOON + 30 * HOUR <= found <= NOON + 30 * HOUR + 1  # an age in days is a rounding error off
    for seen in (math.nan, 1.5):  # never, or long enough ago
        fine = situation(keeper.playbook, [NOON], zones=[AMSTERDAM], days_since_visit=seen)
        assert keeper.judge(fine).eligible.all()


@given(st.floats(0, 1.4999), st.floats(0, 1e6))
def test_at_retry_at_a_visit_is_old_enough_whatever_the_rounding(seen: float, later: float) -> None:
    keeper = KEEPER
    asked = situation(keeper.playbook, [NOON + later], zones=[AMSTERDAM], days_since_visit=seen)
    found = retry_at(keeper, asked)
    assert found is not None
    for moment, expected in ((found, True), (found - 2, False)):
        age = seen + (moment - NOON - later) / DAY
        moved = situation(keeper.playbook, [moment], zones=[AMSTERDAM], days_since_visit=age)
        assert keeper.judge(moved).eligible[0, 1] == expected


KEEPER = gate(", stop_after: {visit: 36h}")


def test_a_rule_over_days_since_something_is_asked_of_the_later_moment() -> None:
    """The cap lifts after a day, and by then the last visit is too long ago."""
    keeper = gate(", when: days_since_visit < 2", "caps: [{max: 1, within: 1d}]")
    for seen, expected in ((0.5, NOON + DAY - HOUR), (1.5, None)):
        asked = situation(
            keeper.playbook, [NOON], [[contact(NOON - HOUR)]], zones=[AMSTERDAM], days_since_visit=seen
        )
        assert retry_at(keeper, asked) == expected


def test_a_daily_limit_lifts_with_the_playbooks_next_day() -> None:
    keeper = gate(", daily: {contacts: 5}")
    full = Used(contacts=5)
    used = {("offer", "2026-03-11"): full}
    asked = replace(situation(keeper.playbook, [NOON], zones=["Asia/Tokyo"]), used=used)
    assert retry_at(keeper, asked) == at("2026-03-12 00:00", AMSTERDAM)
    both = replace(asked, used={**used, ("offer", "2026-03-12"): full})
    assert retry_at(keeper, both) == at("2026-03-13 00:00", AMSTERDAM)


def test_a_pause_has_no_end() -> None:
    keeper = gate(", daily: {contacts: 0}")
    assert retry_at(keeper, situation(keeper.playbook, [NOON], zones=[AMSTERDAM])) is None


def test_the_first_to_come_back_may_be_what_displaces_the_others() -> None:
    """A sale that begins tomorrow takes the place of a newsletter planned for the day after."""
    extra = (
        ", sale: {channels: [email], timings: [now], priority: 2, valid_from: 2026-03-12T09:00:00Z}"
        ", news: {channels: [push], timings: [now]}"
    )
    keeper = gate(contact="caps: [{max: 1, within: 7d}]", extra=extra)
    asked = situation(keeper.playbook, [NOON], [[contact(NOON + 2 * DAY, "news", "push")]], zones=[AMSTERDAM])
    asked.asked_actions[0] = [name != "news" for name in keeper.playbook.arms.actions]
    assert retry_at(keeper, asked) == at("2026-03-12 09:00")


CALENDAR = gate(
    ", cooldown: 5h",
    'caps: [{max: 2, per: day}, {max: 3, per: week}], quiet_hours: {from: "23:00", to: "06:30"}',
)
MOMENTS = st.integers(0, 900).map(lambda i: at("2026-03-20 00:00") + i * 900.0)


@settings(max_examples=100, deadline=None)
@given(MOMENTS, st.lists(MOMENTS.map(contact), max_size=5), st.sampled_from(ZONES))
def test_with_calendar_caps_nothing_is_eligible_before_retry_at_and_something_then(
    now: float, rows: list[ContactRow], zone: str
) -> None:
    asked = situation(CALENDAR.playbook, [now], [rows], zones=[zone])
    verdict = CALENDAR.judge(asked)
    found = CALENDAR.retry_at(asked, 0, verdict)
    if verdict.eligible[0, 1:].any():
        assert found is None
        return
    assert found is not None
    grid = np.append(np.arange(now, found, 900.0), np.nextafter(found, 0))
    assert not CALENDAR.judge(asked.repeated(0, grid.tolist())).eligible[:, 1:].any()
    assert CALENDAR.judge(asked.repeated(0, [found])).eligible[0, 1:].any()
