"""Caps: no window or period ever holds more than it may, and nothing is refused that would fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba.contact.caps import PURPOSES, CapRule, Ledger, cap_rules
from nba.model import ContactRow
from nba.playbook.schema import Cap
from tests.contact.business import AMSTERDAM, BARE, HEAD, HOUR, at, contact, playbook

BOOK = playbook(HEAD + BARE)
WIDTH = 10.0


def rule(most: int, **fields: object) -> CapRule:
    """A cap of ten seconds, unless `per` says otherwise; one that concerns some arm of the playbook."""
    length = {} if "per" in fields else {"within": "10s"}
    caps = [Cap.model_validate({"max": most, **length, **fields})]
    contact = BOOK.spec.contact.model_copy(update={"caps": caps})
    [compiled] = cap_rules(replace(BOOK, spec=BOOK.spec.model_copy(update={"contact": contact})))
    return compiled


def over(
    compiled: CapRule, contacts: Sequence[Sequence[ContactRow]], moments: object, zone: str = "UTC"
) -> list[list[bool]]:
    """(n, t) where one more contact would break the cap."""
    ledger, s = Ledger.of(BOOK, contacts), np.array(moments)
    found = compiled.over(ledger.at, compiled.counts(ledger), s, [zone] * len(s))
    return np.zeros(s.shape, dtype=bool).tolist() if found is None else found.tolist()


def fullest(times: list[float]) -> int:
    """The most contacts in any window [t, t + 10): a fullest one starts at a contact."""
    return max((sum(start <= at < start + WIDTH for at in times) for start in times), default=0)


def allowed(times: list[float], moment: float, most: int) -> bool:
    return not over(rule(most), [[contact(at) for at in times]], [[moment]])[0][0]


moments = st.integers(0, 40).map(float) | st.floats(0, 40)


@given(st.lists(moments, max_size=25), st.integers(0, 4))
def test_whatever_is_planned_in_whatever_order_no_window_is_overfull(asked: list[float], most: int) -> None:
    """Contacts are planned for earlier and later moments than others that stand already."""
    planned: list[float] = []
    for moment in asked:
        if allowed(planned, moment, most):
            planned.append(moment)
    assert fullest(planned) <= most


@given(st.lists(moments, max_size=8), moments, st.integers(1, 4))
def test_a_contact_is_refused_only_where_a_window_that_holds_it_would_be_overfull(
    times: list[float], moment: float, most: int
) -> None:
    """Also where contacts outside its windows are more than the cap already, as an old playbook allowed."""
    starts = [start for start in [*times, moment] if start <= moment < start + WIDTH]
    worst = max(sum(start <= at < start + WIDTH for at in [*times, moment]) for start in starts)
    assert allowed(times, moment, most) == (worst <= most)


def test_a_window_lets_go_of_a_contact_at_its_end_and_not_before() -> None:
    assert not allowed([100.0], np.nextafter(110.0, 0), 1)
    assert allowed([100.0], 110.0, 1)
    assert not allowed([100.0], np.nextafter(90.0, 100), 1)
    assert allowed([100.0], 90.0, 1)


def test_a_cap_counts_its_own_purposes_and_channel_alone() -> None:
    rows = [
        contact(0, purpose="marketing"),
        contact(1, purpose="service", channel="push"),
        contact(2, purpose="transactional"),
        contact(3, channel="fax"),  # a channel that the playbook no longer has
        contact(4, purpose="gossip"),  # a purpose that no version of it had
    ]

    def full_at(most: int, **fields: object) -> bool:
        return over(rule(most, **fields), [rows], [[5.0]])[0][0]

    assert full_at(2)
    assert not full_at(3)
    assert full_at(4, purposes=list(PURPOSES))
    assert not full_at(5, purposes=list(PURPOSES))
    assert full_at(1, purposes=["marketing", "service"], channel="push")
    assert full_at(1, channel="email")
    assert not full_at(2, channel="email")
    assert not full_at(1, channel="push")


def test_a_cap_of_none_refuses_the_first_and_no_moment_breaks_no_cap() -> None:
    contacts, candidates = [[], [contact(1.0)]], [[2.0, np.nan], [2.0, np.nan]]
    assert over(rule(0), contacts, candidates) == [[True, False], [True, False]]
    assert over(rule(1), contacts, candidates) == [[False, False], [True, False]]


@given(st.lists(st.lists(moments, max_size=5), min_size=1, max_size=4), moments, st.integers(0, 3))
def test_one_customers_contacts_are_no_business_of_anothers(
    histories: list[list[float]], moment: float, most: int
) -> None:
    contacts = [[contact(at) for at in times] for times in histories]
    together = over(rule(most), contacts, [[moment]] * len(histories))
    assert together == [[not allowed(times, moment, most)] for times in histories]


def test_a_cap_on_a_category_counts_and_concerns_that_category_alone() -> None:
    """`offer` is of the category `general`; contacts of categories that are gone count for nothing."""
    rows = [contact(1), contact(2, category="gone"), contact(3, category="news")]
    assert not over(rule(2, category="general"), [rows], [[5.0]])[0][0]
    assert over(rule(1, category="general"), [rows], [[5.0]])[0][0]
    caps = [Cap.model_validate({"max": 1, "within": "10s", "category": "news"})]
    contacts = BOOK.spec.contact.model_copy(update={"caps": caps})
    news = replace(BOOK, spec=BOOK.spec.model_copy(update={"contact": contacts}))
    assert cap_rules(news) == ()  # no arm is of that category


@pytest.mark.parametrize(
    ("per", "sent", "last_refused", "first_free"),
    [
        # The day on which Amsterdam's clocks go forward has 23 hours, the one on which they go back 25.
        ("day", "2026-03-29 00:00", "2026-03-29 23:59:59", "2026-03-30 00:00"),
        ("day", "2026-10-25 00:00", "2026-10-25 23:59:59", "2026-10-26 00:00"),
        ("day", "2026-10-25 23:59:59", "2026-10-25 00:00", "2026-10-24 23:59:59"),
        ("week", "2026-10-19 00:00", "2026-10-25 23:59:59", "2026-10-26 00:00"),  # from Monday on
        ("week", "2026-12-28 12:00", "2027-01-03 23:59:59", "2027-01-04 00:00"),  # also over New Year
        ("month", "2026-02-01 00:00", "2026-02-28 23:59:59", "2026-03-01 00:00"),
        ("month", "2026-03-31 23:59:59", "2026-03-01 00:00", "2026-02-28 23:59:59"),
    ],
)
def test_a_calendar_cap_counts_the_customers_own_day_week_or_month(
    per: str, sent: str, last_refused: str, first_free: str
) -> None:
    contacts = [[contact(at(sent, AMSTERDAM))]]
    moments = [[at(last_refused, AMSTERDAM), at(first_free, AMSTERDAM)]]
    assert over(rule(1, per=per), contacts, moments, AMSTERDAM) == [[True, False]]
    assert over(rule(2, per=per), contacts, moments, AMSTERDAM) == [[False, False]]


def test_the_same_moment_is_another_day_elsewhere() -> None:
    contacts = [[contact(at("2026-03-10 23:30"))]]
    later = [[at("2026-03-11 00:30")]]
    assert over(rule(1, per="day"), contacts, later, "UTC") == [[False]]
    assert over(rule(1, per="day"), contacts, later, AMSTERDAM) == [[True]]
    assert over(rule(1, per="day"), contacts, [[later[0][0] + 24 * HOUR]], AMSTERDAM) == [[False]]
