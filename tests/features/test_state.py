"""Feature state: a commutative monoid that computes the declared features."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba.errors import CorruptArtefact, InvalidInput, SchemaMismatch
from nba.features.layout import Layout
from nba.features.state import States
from nba.playbook.declaration import Window, declare
from tests.features.definition import assert_close, assert_equal, touchpoints
from tests.strategies import PLAYBOOK, SCHEMA, Event, histories

LAYOUT = Layout.of(SCHEMA)
N = 3
LATER = 1_900_000_000.0
MONDAY = 1_718_582_400  # 2024-06-17T00:00:00Z


def folded(events: list[Event]) -> States:
    return States.of(LAYOUT, N, touchpoints(events))


def event(type: str, second: float, **fields: Any) -> Event:
    event = Event(
        customer=0, type=type, channel=None, action=None, millis=int((MONDAY + second) * 1e3), value=0.0
    )
    return replace(event, **fields)


def read(states: States, at: float = LATER) -> dict[str, float]:
    return dict(zip(SCHEMA.state_names, states.read(np.full(len(states), at))[0].tolist(), strict=True))


@given(histories())
def test_a_folded_state_reads_as_the_features_are_defined(events: list[Event]) -> None:
    theirs = [[e for e in events if e.customer == i] for i in range(N)]
    at = [max([e.millis / 1e3 for e in mine], default=LATER) + 3_600 * i for i, mine in enumerate(theirs)]
    assert_equal(folded(events).read(np.array(at)), theirs, at)


@given(histories(), st.randoms(use_true_random=False))
def test_touchpoints_in_any_order_give_the_same_state(events: list[Event], random: Random) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)
    assert_close(folded(shuffled), folded(events), events)


@given(histories(), st.data())
def test_folding_in_any_parts_gives_the_same_state(events: list[Event], data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.integers(0, 3), min_size=len(events), max_size=len(events)))
    states = States.empty(LAYOUT, N)
    for part in range(4):
        states = states.fold(touchpoints([e for e, p in zip(events, parts, strict=True) if p == part]))
    assert_close(states, folded(events), events)


@given(histories(), histories())
def test_merge_is_commutative_to_the_bit(one: list[Event], other: list[Event]) -> None:
    a, b = folded(one), folded(other)
    np.testing.assert_array_equal(a.merge(b).data, b.merge(a).data)


@given(histories(max_size=10), histories(max_size=10), histories(max_size=10))
def test_merge_is_associative(one: list[Event], two: list[Event], three: list[Event]) -> None:
    a, b, c = folded(one), folded(two), folded(three)
    assert_close(a.merge(b).merge(c), a.merge(b.merge(c)), one + two + three)
    assert_close(a.merge(b).merge(c), folded(one + two + three), one + two + three)


@given(histories())
def test_the_empty_state_changes_nothing(events: list[Event]) -> None:
    states = folded(events)
    np.testing.assert_array_equal(states.merge(States.empty(LAYOUT, N)).data, states.data)
    np.testing.assert_array_equal(States.empty(LAYOUT, N).merge(states).data, states.data)


@given(histories())
def test_packed_states_unpack_to_the_same_numbers(events: list[Event]) -> None:
    states = folded(events)
    np.testing.assert_array_equal(States.unpack(LAYOUT, states.pack()).data, states.data)


@given(histories(max_size=12))
def test_every_feature_is_finite_or_not_known(events: list[Event]) -> None:
    huge = [replace(e, value=e.value * 1e270) for e in events] * 3
    assert not np.isinf(folded(huge).read(np.full(N, 1e11))).any()


def test_one_at_a_time_gives_the_bits_of_bulk() -> None:
    random = np.random.default_rng(7)
    n, m = 700, 9_000
    names = [np.array(names)[random.integers(0, len(names), m)] for names in (SCHEMA.types, SCHEMA.channels)]
    events = [
        Event(customer=int(c), type=str(t), channel=str(ch), action="survey", millis=int(ms), value=float(v))
        for c, t, ch, ms, v in zip(
            random.integers(0, n, m),
            *names,
            random.integers(1_600_000_000_000, 1_700_000_000_000, m),
            random.normal(20, 10, m),
            strict=True,
        )
    ]
    bulk = States.of(LAYOUT, n, touchpoints(events)).read(np.full(n, LATER))
    for i in range(0, n, 50):
        own = [replace(e, customer=0) for e in events if e.customer == i]
        one = States.of(LAYOUT, 1, touchpoints(own)).read(np.array([LATER]))
        np.testing.assert_array_equal(one[0], bulk[i])


def test_a_customer_of_whom_nothing_is_known_has_zero_counts_and_missing_times() -> None:
    features = read(States.empty(LAYOUT, 1))
    assert features["purchase_count_hl1"] == features["purchase_total"] == features["visit_count_1d"] == 0.0
    missing = ["days_since_visit", "days_since_bogo_10", "tenure_days", "hour_00_share", "weekday_6_share"]
    assert all(np.isnan(features[name]) for name in missing)


def test_undeclared_types_are_ignored_wholly() -> None:
    np.testing.assert_array_equal(
        folded([event("undeclared", 5, channel="email")]).data, States.empty(LAYOUT, N).data
    )


def test_contacts_count_on_their_channel_but_not_as_the_customers_activity() -> None:
    features = read(folded([event("contact", 5, channel="email", action="survey")]), MONDAY + 5 + 86_400)
    assert features["via_email_count_hl1"] == features["contact_count_hl1"] == 0.5
    assert features["days_since_survey"] == 1.0
    assert np.isnan(features["weekday_0_share"])


def test_only_a_contact_says_when_an_action_was_last_taken() -> None:
    assert np.isnan(read(folded([event("opened", 5, action="survey")]))["days_since_survey"])


def test_monday_and_its_first_hour_are_number_zero() -> None:
    features = read(folded([event("visit", 60), event("visit", 86_400 + 7_200)]))
    assert features["weekday_0_share"] < 0.5 < features["weekday_1_share"]
    assert features["hour_00_share"] + features["hour_02_share"] == pytest.approx(1.0)


def test_a_state_read_before_its_last_touchpoint_is_as_of_that_touchpoint() -> None:
    states = folded([event("purchase", 0, value=7.0), event("visit", 3 * 86_400)])
    last = np.full(N, MONDAY + 3 * 86_400.0)
    np.testing.assert_array_equal(states.read(last - 86_400 * 2), states.read(last))


def test_a_late_touchpoint_falls_into_its_own_day() -> None:
    late = folded([event("visit", 40 * 86_400)]).fold(
        touchpoints([event("purchase", 12 * 86_400, value=3.0)])
    )
    assert read(late, MONDAY + 40 * 86_400)["purchase_value_30d"] == 3.0
    assert read(late, MONDAY + 40 * 86_400)["purchase_value_7d"] == 0.0
    assert read(late, MONDAY + 42 * 86_400)["purchase_value_30d"] == 0.0


@pytest.mark.parametrize(("gap", "expected"), [(29, 1.0), (30, 0.0), (31, 0.0), (60, 0.0)])
def test_a_day_gives_up_its_slot_to_the_day_that_takes_it(gap: int, expected: float) -> None:
    older, newer = touchpoints([event("purchase", 5)]), touchpoints([event("visit", gap * 86_400)])
    at = MONDAY + gap * 86_400.0
    one, other = States.of(LAYOUT, 1, older), States.of(LAYOUT, 1, newer)
    for states in (one.fold(newer), other.fold(older), one.merge(other), other.merge(one)):
        assert read(states, at)["purchase_count_30d"] == expected


def test_a_window_of_one_day_ends_at_midnight() -> None:
    states = folded([event("visit", 86_399)])
    assert read(states, MONDAY + 86_399.5)["visit_count_1d"] == 1.0
    assert read(states, MONDAY + 86_400)["visit_count_1d"] == 0.0


def test_more_tickets_closed_than_opened_are_no_open_tickets() -> None:
    assert read(folded([event("ticket_closed", 1)]))["open_tickets"] == 0.0
    assert read(folded([event("ticket_opened", 1), event("ticket_opened", 2)]))["open_tickets"] == 2.0


@pytest.mark.parametrize(("field", "number"), [("value", np.nan), ("value", np.inf), ("at", 1e12)])
def test_numbers_that_are_none_are_refused_by_name(field: str, number: float) -> None:
    fields = {"at": [0.0, 0.0], "value": [0.0, 0.0], field: [0.0, number]}
    with pytest.raises(InvalidInput, match=r"\[1\]\.(value|occurred_at)"):
        type(touchpoints([])).of(
            SCHEMA, row=[0, 0], type=["visit"] * 2, channel=[None] * 2, action=[None] * 2, **fields
        )


def test_take_and_concat_put_customers_where_asked() -> None:
    states = folded([event("visit", 1), event("opened", 2, customer=1)])
    np.testing.assert_array_equal(
        States.concat([states.take([1, 0]), states.take([2])]).data, states.take([1, 0, 2]).data
    )


def test_none_unpacks_to_the_empty_state() -> None:
    states = folded([event("visit", 1)])
    mixed = States.unpack(LAYOUT, [None, states.pack()[0], None])
    np.testing.assert_array_equal(mixed.data, np.stack([LAYOUT.empty, states.data[0], LAYOUT.empty]))


@pytest.mark.parametrize("cut", [8, 40, -1, -8])
def test_a_cut_blob_is_corrupt(cut: int) -> None:
    blob = folded([event("visit", 1)]).pack()[0]
    with pytest.raises(CorruptArtefact):
        States.unpack(LAYOUT, [blob[:cut], blob])


def test_a_changed_playbook_carries_over_what_has_the_same_name() -> None:
    spec = PLAYBOOK.model_copy(
        update={"touchpoints": ["purchase", "review", "visit"], "channels": {"web": PLAYBOOK.channels["web"]}}
    )
    schema = declare(spec, ["purchase_value_10d", "review_count_5d"])
    layout = Layout.of(schema)
    events = [event("purchase", day * 86_400 + 5, value=2.0**day, channel="web") for day in range(30)]
    blob = folded(events).pack()[0]
    states = States.unpack(layout, [blob, None], {LAYOUT.fingerprint: LAYOUT})
    at = np.full(2, MONDAY + 32 * 86_400.0)
    after = dict(zip(schema.state_names, states.read(at)[0].tolist(), strict=True))
    before = read(folded(events), at[0])
    shared = set(after) & set(before)
    assert {"purchase_value_hl7", "days_since_bogo_10", "via_web_count_hl90", "tenure_days"} <= shared
    np.testing.assert_array_equal([after[k] for k in shared], [before[k] for k in shared])
    assert after["purchase_value_10d"] == sum(2.0**day for day in range(23, 30))
    assert after["review_total"] == after["review_count_5d"] == 0.0
    with pytest.raises(SchemaMismatch):
        States.unpack(layout, [blob])


def test_a_longer_ring_keeps_the_days_of_the_shorter() -> None:
    short = replace(SCHEMA.windows[0], name="visit_count_3d", type="visit", measure="count", days=3)
    narrow = replace(LAYOUT, windows=(short,))
    wide = replace(LAYOUT, windows=(Window(name="visit_count_11d", type="visit", measure="count", days=11),))
    events = [event("visit", day * 86_400.0) for day in range(5)]
    states = States.of(narrow, 1, touchpoints(events)).relayout(wide)
    assert states.read(np.array([MONDAY + 5 * 86_400.0]))[0, -1] == 3.0


def test_a_layout_survives_json() -> None:
    again = Layout.from_json(LAYOUT.to_json())
    assert again == LAYOUT
    assert again.fingerprint == LAYOUT.fingerprint
    assert len(set(LAYOUT.columns)) == LAYOUT.width
