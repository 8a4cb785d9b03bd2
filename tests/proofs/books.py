"""The store's own books, opened after the servers, held against what a witness was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import inf

import numpy as np

from nba.features.layout import Layout
from nba.features.state import States, Touchpoints
from nba.model import ContactRow
from nba.playbook.compile import Playbook
from nba.playbook.declaration import CONTACT
from nba.stores.open import open_store
from nba.stores.ports import CustomerRow, DecisionRow, Store, TouchpointRow
from tests.proofs.witness import DECISIONS, Witness

WEEK = 7 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """All there is.

    Attributes:
        customers: customer id → row.
        ledger: the contacts that count: reserved, held and shown.
    """

    decisions: list[DecisionRow]
    touchpoints: list[TouchpointRow]
    customers: dict[str, CustomerRow]
    ledger: list[ContactRow]

    @classmethod
    def of(cls, url: str) -> Books:
        with closing(open_store(url)) as store:
            return cls.read(store)

    @classmethod
    def read(cls, store: Store) -> Books:
        links = store.links()
        with store.transaction() as transaction:
            customers = transaction.customers(sorted(links.values()))
            ledger = transaction.contacts(sorted(links), -inf)
        return cls(
            decisions=[row for rows in store.decisions(-inf, inf) for row in rows],
            touchpoints=[row for rows in store.touchpoints(-inf, inf) for row in rows],
            customers=customers,
            ledger=ledger,
        )

    def contacts(self) -> dict[str, list[ContactRow]]:
        """customer id → contacts that count."""
        names = {row.surrogate: customer_id for customer_id, row in self.customers.items()}
        contacts: dict[str, list[ContactRow]] = {customer_id: [] for customer_id in self.customers}
        for contact in self.ledger:
            contacts[names[contact.surrogate]].append(contact)
        return contacts


def agree(books: Books, witness: Witness, playbook: Playbook) -> None:
    """What was answered is in the books, once, and nothing else; and the books agree with each other."""
    assert not witness.open, "settle first"
    _decisions_agree(books, witness)
    _touchpoints_agree(books, witness)
    _ledger_agrees(books, witness)
    assert all(most_in_a_week(contacts) <= 3 for contacts in books.contacts().values())
    _states_agree(books, playbook)


_OWN = ("stage_changed", "ticket_opened", "ticket_closed")


def most_in_a_week(contacts: Sequence[ContactRow]) -> int:
    """The most contacts that any seven days hold."""
    moments = [contact.send_at for contact in contacts]
    return max((sum(first <= m < first + WEEK for m in moments) for first in moments), default=0)


def _decisions_agree(books: Books, witness: Witness) -> None:
    answered = {id: reply.body for id, reply in witness.answers().items()}
    assert {row.decision_id: row.body for row in books.decisions} == answered
    assert len(books.decisions) == len(answered)
    statuses = {row.decision_id: row.status for row in books.decisions}
    assert {id for id, status in statuses.items() if status == "held"} == _held(witness) - _shown(witness)


def _touchpoints_agree(books: Books, witness: Witness) -> None:
    """But for those that the engine notes by itself."""
    stored = Counter((row.source, row.id) for row in books.touchpoints if row.type not in _OWN)
    assert stored == Counter((source, report[f"{source}_id"]) for source, report in witness.reports())
    assert max(stored.values()) == 1


def _ledger_agrees(books: Books, witness: Witness) -> None:
    """Reserved is what was decided, held what was not shown yet, released what was not sent."""
    unsent = {report["decision_id"] for _, report in witness.reports() if report["type"] == "not_sent"}
    held, shown = _held(witness), _shown(witness)
    expected = {
        id: (answer["action"], answer["channel"], _status(id, held, shown))
        for id, answer in ((id, reply.json()) for id, reply in witness.answers().items())
        if answer["channel"] is not None and id not in unsent
    }
    assert {c.decision_id: (c.action, c.channel, c.status) for c in books.ledger} == expected
    assert len(books.ledger) == len(expected)


def _status(id: str, held: set[str], shown: set[str]) -> str:
    if id not in held:
        return "reserved"
    return "shown" if id in shown else "held"


def _held(witness: Witness) -> set[str]:
    asked = [r.fields() for r in witness.told if r.path == DECISIONS]
    return {fields["decision_id"] for fields in asked if not fields["activate"]}


def _shown(witness: Witness) -> set[str]:
    return {r.path.split("/")[3] for r in witness.told if r.path.endswith("/activate")}


def _states_agree(books: Books, playbook: Playbook) -> None:
    """Each customer's feature state is the sum of what the store has of them: each part once."""
    layout = Layout.of(playbook.schema)
    customers = list(books.customers.values())
    place = {row.surrogate: i for i, row in enumerate(customers)}
    row, type, channel, action, at, value = zip(*_happened(books), strict=True)
    touchpoints = Touchpoints.of(
        playbook.schema,
        row=[place[surrogate] for surrogate in row],
        type=type,
        channel=channel,
        action=action,
        at=at,
        value=value,
    )
    expected = States.of(layout, len(customers), touchpoints)
    stored = States.unpack(layout, [customer.state for customer in customers])
    now = np.full(len(customers), max(at) + 1.0)
    np.testing.assert_allclose(stored.read(now), expected.read(now), rtol=1e-9, atol=1e-9)


def _happened(books: Books) -> Iterator[tuple[str, str, str | None, str | None, float, float]]:
    """(surrogate, type, channel, action, moment, value) of all touchpoints, contacts among them."""
    for t in books.touchpoints:
        yield t.surrogate, t.type, t.channel, None, t.occurred_at, t.value
    for d in books.decisions:
        if d.channel is not None and d.activated_at is not None:
            yield d.surrogate, CONTACT, d.channel, d.action, d.activated_at, 1.0
