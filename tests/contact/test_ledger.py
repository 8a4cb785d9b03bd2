"""The ledger as arrays: names become places in the playbook, what is gone becomes none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nba.contact.ledger import Ledger
from tests.contact.business import HEAD, contact, playbook

BOOK = playbook(
    HEAD
    + """
timings: {now: {}}
actions:
  offer: {channels: [email, push], timings: [now], priority: 3}
  news: {category: letters, channels: [email], timings: [now], priority: -2}
"""
)


def test_contacts_stand_by_customer_padded_to_the_longest() -> None:
    rows = [
        contact(10.0, "offer", "push", "service", id="a"),
        contact(20.0, "news", category="letters", id="b", status="held"),
    ]
    ledger = Ledger.of(BOOK, [[], rows, [contact(30.0, "gone", "fax", "gossip", id="c", category="old")]])
    np.testing.assert_array_equal(ledger.at, [[np.nan, np.nan], [10, 20], [30, np.nan]])
    assert ledger.channel.tolist() == [[-1, -1], [1, 0], [-1, -1]]
    assert ledger.purpose.tolist() == [[-1, -1], [1, 0], [-1, -1]]
    assert ledger.action.tolist() == [[-1, -1], [0, 1], [-1, -1]]
    assert ledger.category.tolist() == [[-1, -1], [0, 1], [-1, -1]]
    assert ledger.priority.tolist() == [[0, 0], [3, -2], [0, 0]]
    assert ledger.reserved.tolist() == [[False, False], [True, False], [True, False]]
    assert ledger.ids == ((), ("a", "b"), ("c",))


def test_rows_of_a_ledger_are_the_ledgers_of_these_customers() -> None:
    contacts = [[contact(1.0, id="a")], [], [contact(2.0, "news", id="b"), contact(3.0, id="c")]]
    ledger = Ledger.of(BOOK, contacts)
    picked = ledger.rows(np.array([2, 0, 2]))
    for field in ("at", "channel", "purpose", "action", "category", "priority", "reserved"):
        np.testing.assert_array_equal(getattr(picked, field), getattr(ledger, field)[[2, 0, 2]])
    assert picked.ids == (("b", "c"), ("a",), ("b", "c"))


def test_what_is_reserved_for_later_is_unsent_and_what_is_held_can_not_be_called_off() -> None:
    rows = [contact(1.0), contact(2.0), contact(3.0), replace(contact(3.0), status="held", expires_at=9.0)]
    assert Ledger.of(BOOK, [rows]).unsent(np.array([2.0])).tolist() == [[False, False, True, False]]


def test_no_customers_and_customers_without_contacts_have_empty_ledgers() -> None:
    assert Ledger.of(BOOK, []).at.shape == (0, 0)
    empty = Ledger.of(BOOK, [[], []])
    assert empty.at.shape == empty.priority.shape == empty.reserved.shape == (2, 0)
    assert empty.ids == ((), ())
