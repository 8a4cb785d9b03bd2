"""Zones and their calendars: days that are skipped, start at one o'clock or come back for an hour."""

from __future__ import annotations

from datetime import date, datetime
from math import floor
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba.contact.zones import (
    NO_DAY,
    Period,
    day_name,
    day_number,
    is_zone,
    local_day,
    local_days,
    next_period,
    period_of,
    start_of,
    zone_of,
)
from tests.contact.business import AMSTERDAM, DAY, at
from tests.contact.random_business import STARTS, ZONES
from tests.contact.reference import period

MOMENTS = st.builds(
    lambda start, ahead: start + ahead, st.sampled_from(STARTS), st.floats(-3 * DAY, 40 * DAY)
)
PERIODS: list[Period] = ["day", "week", "month"]


@pytest.mark.parametrize("name", ["UTC", AMSTERDAM, "Etc/GMT+5", "Pacific/Kiritimati", "EST5EDT"])
def test_a_place_or_an_offset_is_a_zone(name: str) -> None:
    assert is_zone(name)
    assert zone_of(name) == ZoneInfo(name)


@pytest.mark.parametrize(
    "name",
    ["localtime", "Factory", "posixrules", "", "europe/amsterdam", "Gone/Zone", "../etc/passwd", "UTC\0",
     "posix/UTC", "right/UTC", "zone.tab", "/usr/share/zoneinfo/UTC"],
)  # fmt: skip
def test_what_means_another_thing_on_another_machine_or_nothing_is_no_zone(name: str) -> None:
    assert not is_zone(name)
    assert zone_of(name) == ZoneInfo("UTC")


@given(st.lists(MOMENTS, min_size=1, max_size=5), st.sampled_from(ZONES))
def test_days_weeks_and_months_are_those_on_the_wall(moments: list[float], zone: str) -> None:
    days = local_days(np.array([moments, [np.nan] * len(moments)]), [zone, zone])
    assert days[1].tolist() == [NO_DAY] * len(moments)
    local = [datetime.fromtimestamp(floor(moment), ZoneInfo(zone)).date() for moment in moments]
    assert [day_name(day) for day in days[0].tolist()] == [day.isoformat() for day in local]
    for per in PERIODS:
        ours, theirs = period_of(per, days[0]), [period(per, moment, zone) for moment in moments]
        for i in range(len(moments)):
            assert [number == ours[i] for number in ours] == [first == theirs[i] for first in theirs]


@given(MOMENTS, st.sampled_from(ZONES), st.sampled_from(PERIODS))
def test_the_next_period_starts_at_the_first_second_that_is_in_no_period_up_to_now(
    moment: float, zone: str, per: Period
) -> None:
    after = next_period(per, moment, zone)
    assert after > moment
    assert after == floor(after)
    assert period(per, after, zone) > period(per, moment, zone)
    assert period(per, after - 1, zone) <= period(per, moment, zone)


def test_a_day_that_the_clocks_cut_short_or_leave_out_has_a_start_all_the_same() -> None:
    beirut = start_of(day_number("2026-03-29"), "Asia/Beirut")  # the clocks go from 00:00 to 01:00
    assert datetime.fromtimestamp(beirut, ZoneInfo("Asia/Beirut")).hour == 1
    samoa = [start_of(day_number(f"2011-12-{day}"), "Pacific/Apia") for day in (29, 30, 31)]
    assert samoa[1] == samoa[2] == samoa[0] + DAY  # there was no 30 December
    assert next_period("day", samoa[0], "Pacific/Apia") == samoa[2]


def test_names_and_numbers_of_days_are_each_others_inverse() -> None:
    assert day_number("1970-01-01") == 0
    assert local_day(int(at("2026-11-22 12:00")), "UTC") == day_number("2026-11-22")
    assert day_name(day_number("2026-11-22")) == "2026-11-22"
    assert date.fromisoformat(day_name(-1)) == date(1969, 12, 31)
