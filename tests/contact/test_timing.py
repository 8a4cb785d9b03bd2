"""When a contact would be sent: against a reference that looks at the customer's clock minute by minute."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nba.contact.timing import Timetable, first_within, local_clock
from nba.errors import InvalidPlaybook
from nba.playbook.compile import parse
from tests.contact.business import AMSTERDAM, BARE, HEAD, NEW_YORK, TEXT, at, playbook
from tests.contact.random_business import STARTS, ZONES

MINUTE, DAY_MINUTES = 60.0, 1_440
# Each with a moment near which its clocks change: by an hour, half an hour, or a whole day.
CHANGES = [
    (AMSTERDAM, "2026-03-29T01:00"),
    (AMSTERDAM, "2026-10-25T01:00"),
    (NEW_YORK, "2026-03-08T07:00"),
    (NEW_YORK, "2026-11-01T06:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),
    ("Australia/Lord_Howe", "2026-10-03T15:30"),
    ("Asia/Kolkata", "2026-01-01T00:00"),
    ("Asia/Kathmandu", "2026-01-01T00:00"),
    ("Pacific/Apia", "2011-12-30T10:00"),
    ("Africa/Casablanca", "2026-02-15T02:00"),
]


WORN = Timetable.of(playbook().spec)


def clock(hours: int) -> str:
    return f"{hours // 60:02d}:{hours % 60:02d}"


def timetable(quiet: tuple[int, int] | None, part: tuple[int, int]) -> Timetable | None:
    """`now` and one part of the day, in minutes; None where the playbook would not load."""
    if part[0] >= part[1] or (quiet and (quiet[0] == quiet[1] or quiet == (0, DAY_MINUTES))):
        return None
    timings = f'timings: {{now: {{}}, part: {{from: "{clock(part[0])}", to: "{clock(part[1])}"}}}}\n'
    text = HEAD + BARE.replace("timings: {now: {}}\n", timings)
    if quiet is not None:
        text += f'contact: {{quiet_hours: {{from: "{clock(quiet[0])}", to: "{clock(quiet[1])}"}}}}'
    if all(_quiet(quiet, minute) for minute in range(*part)):
        with pytest.raises(InvalidPlaybook, match="wholly in the quiet hours"):
            parse(text)
        return None
    return Timetable.of(parse(text).spec)


def _quiet(quiet: tuple[int, int] | None, minute: int) -> bool:
    if quiet is None:
        return False
    start, end = quiet
    return start <= minute < end if start < end else minute >= start or minute < end


def wall(moment: float, zone: str) -> int:
    local = datetime.fromtimestamp(moment, ZoneInfo(zone))
    return local.hour * 60 + local.minute


edges = st.integers(0, DAY_MINUTES)


@given(
    st.sampled_from(CHANGES),
    st.integers(-2 * DAY_MINUTES, DAY_MINUTES),
    st.none() | st.tuples(edges, edges),
    st.tuples(edges, edges).map(sorted).map(tuple),
)
@settings(max_examples=200)
@example(CHANGES[0], -60, None, (150, 180))  # a part that this day has not got
@example(CHANGES[0], -60, (180, 480), (150, 300))  # its start is skipped, and then it is quiet
@example(CHANGES[1], 10, (1_320, 150), (0, 1_440))  # quiet hours end in the hour that comes twice
@example(CHANGES[1], -5, (165, 210), (0, 1_440))  # the clocks go back out of the quiet hours
def test_a_contact_goes_out_at_the_first_minute_that_fits_the_customers_own_clock(
    change: tuple[str, str], offset: int, quiet: tuple[int, int] | None, part: tuple[int, int]
) -> None:
    times = timetable(quiet, part)
    if times is None:
        return
    zone, around = change
    now = datetime.fromisoformat(around).replace(tzinfo=UTC).timestamp() + offset * MINUTE
    sent = times.send_at(np.array([now]), [zone])[0]
    opens = times.opens(now, zone)

    later = (now + i * MINUTE for i in range(5 * DAY_MINUTES))
    awake = ((moment, wall(moment, zone)) for moment in later)
    open_minutes = [(moment, minute) for moment, minute in awake if not _quiet(quiet, minute)]
    first_open = open_minutes[0][0]
    in_part = next((moment for moment, minute in open_minutes if part[0] <= minute < part[1]), math.nan)
    assert opens == first_open
    assert sent[0] == now if first_open == now else math.isnan(sent[0])
    assert sent[1] == in_part


@pytest.mark.parametrize(
    ("zone", "now", "expected"),
    [
        # In the gap of 29 March 02:30 is never shown: 03:00, the moment after the gap, is in the part.
        (AMSTERDAM, at("2026-03-29 00:00", AMSTERDAM), "2026-03-29T01:00:00+00:00"),
        # 02:30 comes twice on 25 October: the first counts,
        (AMSTERDAM, at("2026-10-25 00:00", AMSTERDAM), "2026-10-25T00:30:00+00:00"),
        # and after the first pass through the part its second is still part of it.
        (AMSTERDAM, at("2026-10-25 02:10", AMSTERDAM, fold=1), "2026-10-25T01:30:00+00:00"),
        (NEW_YORK, at("2026-03-08 00:00", NEW_YORK), "2026-03-08T07:00:00+00:00"),
        (NEW_YORK, at("2026-11-01 00:00", NEW_YORK), "2026-11-01T07:30:00+00:00"),
        ("Asia/Kolkata", at("2026-03-29 00:00", "Asia/Kolkata"), "2026-03-28T21:00:00+00:00"),
        ("Asia/Kathmandu", at("2026-03-29 00:00", "Asia/Kathmandu"), "2026-03-28T20:45:00+00:00"),
    ],
)
def test_half_past_two_on_the_days_when_clocks_change(zone: str, now: float, expected: str) -> None:
    times = timetable(None, (150, 210))
    assert times is not None
    sent = float(times.send_at(np.array([now]), [zone])[0, 1])
    assert datetime.fromtimestamp(sent, UTC).isoformat() == expected


def test_a_part_that_has_passed_is_the_next_days() -> None:
    times = Timetable.of(playbook().spec)
    inside, after = at("2026-03-10 09:29:59.5"), at("2026-03-10 09:30")
    sent = times.send_at(np.array([inside, after]), ["UTC", "UTC"])
    assert sent[0].tolist() == [inside, inside, at("2026-03-10 18:00")]
    assert sent[1].tolist() == [after, at("2026-03-11 08:00"), at("2026-03-10 18:00")]


def test_quiet_hours_are_taken_out_of_the_parts_of_the_day() -> None:
    """Morning starts at 07:00, quiet ends at 08:00; evening ends at 23:00, quiet starts at 22:00."""
    times = Timetable.of(playbook().spec)
    sent = times.send_at(np.array([at("2026-03-10 21:59"), at("2026-03-10 22:00")]), ["UTC"] * 2)
    assert sent[0].tolist() == [at("2026-03-10 21:59"), at("2026-03-11 08:00"), at("2026-03-10 21:59")]
    assert sent[1, 1:].tolist() == [at("2026-03-11 08:00"), at("2026-03-11 18:00")]
    assert math.isnan(sent[1, 0])
    assert times.opens(at("2026-03-10 22:00"), "UTC") == at("2026-03-11 08:00")


def test_each_customer_has_the_day_of_their_own_zone() -> None:
    times = Timetable.of(playbook().spec)
    now = at("2026-01-10 12:00")
    zones = ["UTC", NEW_YORK, "Asia/Kolkata", "Asia/Tokyo", "Gone/Zone"]
    sent = times.send_at(np.full(len(zones), now), zones)
    alone = [times.send_at(np.array([now]), [zone])[0] for zone in zones]
    np.testing.assert_array_equal(sent, alone)
    assert [wall(moment, zone) for moment, zone in zip(sent[:4, 2], zones, strict=False)] == [
        1_080, 1_080, 1_080, 21 * 60
    ]  # fmt: skip
    assert sent[4].tolist() == sent[0].tolist()  # a name that no longer exists is UTC


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_moments_do_not_depend_on_what_was_asked_before(data: st.DataObject) -> None:
    """What is remembered of a zone's clock is exact: a table asked about much answers as a fresh one does."""
    around = st.sampled_from([*STARTS, *(datetime.fromisoformat(at + "Z").timestamp() for _, at in CHANGES)])
    moments = st.builds(lambda start, ahead: start + ahead, around, st.floats(-2 * 86_400, 2 * 86_400))
    now = np.array(data.draw(st.lists(moments, min_size=1, max_size=12)))
    zones = [data.draw(st.sampled_from(ZONES)) for _ in now]
    sent = WORN.send_at(now, zones)
    for i, zone in enumerate(zones):
        fresh = Timetable(hours=WORN.hours, waits=WORN.waits, open=WORN.open)
        np.testing.assert_array_equal(sent[i], fresh.send_at(now[i : i + 1], [zone])[0])
        alone = [first_within(hours, now[i], ZoneInfo(zone)) for hours in WORN.hours]
        assert alone[1:] == sent[i, 1:].tolist()
        assert alone[0] == now[i] if sent[i, 0] == now[i] else math.isnan(sent[i, 0])


def test_what_a_timetable_remembers_is_bounded() -> None:
    table = Timetable(hours=WORN.hours, waits=WORN.waits, open=WORN.open)
    hours = 3_600.0 * np.arange(10_000)
    table.send_at(hours, ["UTC"] * len(hours))
    assert len(table._stretches) <= 8_192


def test_no_customers_have_no_moments() -> None:
    assert Timetable.of(playbook(TEXT).spec).send_at(np.empty(0), []).shape == (0, 3)
    assert [len(column) for column in local_clock(np.empty(0), [])] == [0, 0]


def test_the_hour_and_weekday_are_the_customers_own() -> None:
    now = at("2026-03-29 00:30")  # a Sunday
    zones = ["UTC", AMSTERDAM, NEW_YORK, "Asia/Kathmandu"]
    hour, weekday = local_clock(np.full(4, now), zones)
    assert hour.tolist() == [0.5, 1.5, 20.5, 6.25]
    assert weekday.tolist() == [6, 6, 5, 6]
    after = local_clock(np.array([now + timedelta(hours=1).total_seconds()]), [AMSTERDAM])
    assert after[0].tolist() == [3.5]  # the clocks went forward
