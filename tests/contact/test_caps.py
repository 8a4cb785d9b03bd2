"""Caps: no rolling window ever holds more than it may, and nothing is refused that would fit."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nba.contact.caps import PURPOSES, Ledger, breaks_cap
from nba.playbook.schema import Cap
from tests.contact.business import BARE, HEAD, contact, playbook

BOOK = playbook(HEAD + BARE)
WIDTH = 10.0


def cap(most: int, **fields: object) -> Cap:
    return Cap.model_validate({"max": most, "within": "10s", **fields})


def fullest(times: list[float]) -> int:
    """The most contacts in any window [t, t + 10): a fullest one starts at a contact."""
    return max((sum(start <= at < start + WIDTH for at in times) for start in times), default=0)


def allowed(times: list[float], moment: float, most: int) -> bool:
    ledger = Ledger.of(BOOK, [[contact(at) for at in times]])
    return not breaks_cap(ledger, np.array([[moment]]), cap(most), None)[0, 0]


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
    ledger, now = Ledger.of(BOOK, [rows]), np.array([[5.0]])

    def full_at(most: int, channel: int | None = None, **fields: object) -> bool:
        return bool(breaks_cap(ledger, now, cap(most, **fields), channel)[0, 0])

    assert full_at(2)
    assert not full_at(3)
    assert full_at(4, purposes=list(PURPOSES))
    assert not full_at(5, purposes=list(PURPOSES))
    assert full_at(1, purposes=["service"], channel=1)
    assert not full_at(1, purposes=["service"], channel=0)


def test_a_cap_of_none_refuses_the_first_and_no_moment_breaks_no_cap() -> None:
    ledger = Ledger.of(BOOK, [[], [contact(1.0)]])
    candidates = np.array([[2.0, np.nan], [2.0, np.nan]])
    assert breaks_cap(ledger, candidates, cap(0), None).tolist() == [[True, False], [True, False]]
    assert breaks_cap(ledger, candidates, cap(1), None).tolist() == [[False, False], [True, False]]


@given(st.lists(st.lists(moments, max_size=5), min_size=1, max_size=4), moments, st.integers(0, 3))
def test_one_customers_contacts_are_no_business_of_anothers(
    histories: list[list[float]], moment: float, most: int
) -> None:
    ledger = Ledger.of(BOOK, [[contact(at) for at in times] for times in histories])
    together = breaks_cap(ledger, np.full((len(histories), 1), moment), cap(most), None)[:, 0]
    assert together.tolist() == [not allowed(times, moment, most) for times in histories]
