"""One write transaction's view of the customers it touches: read once, changed in place, written once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import inf
from typing import Literal

import orjson

from nba.errors import SchemaMismatch
from nba.features.layout import Layout
from nba.features.state import States, Touchpoints
from nba.live import Live
from nba.model import ContactRow, Used
from nba.observer import Observer
from nba.playbook.compile import Playbook, parse
from nba.stores.ports import Clock, CustomerRow, DecisionRow, OutboxRow, Store, Transaction


class PackedStates:
    """Reads packed feature states, whichever of the store's playbooks they were packed under."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._layouts: dict[str, Layout] = {}
        self._read: set[str] = set()

    def unpack(self, layout: Layout, blobs: Sequence[bytes | None]) -> States:
        """Under `layout`; columns of the same name carry over from another.

        Raises:
            SchemaMismatch: packed under a playbook that the store has not kept.
        """
        try:
            return States.unpack(layout, blobs, self._layouts)
        except SchemaMismatch:
            self._read_playbooks()
            return States.unpack(layout, blobs, self._layouts)

    def _read_playbooks(self) -> None:
        for version, text in self._store.playbooks().items():
            if version not in self._read:
                former = layout_of(parse(text, source=version, kept=True))
                self._layouts[former.fingerprint] = former
                self._read.add(version)


@lru_cache(maxsize=16)
def layout_of(playbook: Playbook) -> Layout:
    """The layout of the playbook's feature states; checking it takes longer than deciding."""
    return Layout.of(playbook.schema)


class Session:
    """What the commands of a batch share.

    Attributes:
        live: what serves; taken once for the whole batch.
        now: the server's clock.
        clock: whether time is the server's or comes with the requests.
        observer: whoever measures.
    """

    def __init__(
        self,
        transaction: Transaction,
        *,
        live: Live,
        now: float,
        clock: Clock,
        packed: PackedStates,
        observer: Observer,
    ) -> None:
        self.transaction = transaction
        self.live = live
        self.now = now
        self.clock = clock
        self.observer = observer
        self._layout = layout_of(live.playbook)
        self._packed = packed
        self._rows: dict[str, CustomerRow] = {}
        self._locked: set[str] = set()
        self._by_surrogate: dict[str, CustomerRow] = {}
        self._changed: set[str] = set()
        self._decisions: dict[str, DecisionRow] = {}
        self._new_decisions: list[DecisionRow] = []
        self._new_contacts: list[ContactRow] = []
        self._new_messages: list[OutboxRow] = []
        self._ledger: dict[str, tuple[float, list[ContactRow]]] = {}  # read from a moment on
        self._used: dict[tuple[str, str], Used] = {}
        self._using: dict[tuple[str, str], Used] = {}

    def customers(self, customer_ids: Sequence[str]) -> list[CustomerRow]:
        """Their rows, made where they are missing and locked; only these may be changed."""
        missing = [c for c in dict.fromkeys(customer_ids) if c not in self._locked]
        if missing:
            self._locked.update(missing)
            for row in self.transaction.customers(missing).values():
                self._rows[row.customer_id] = self._by_surrogate[row.surrogate] = row
        return [self._rows[c] for c in customer_ids]

    def customers_of(self, surrogates: Sequence[str]) -> dict[str, CustomerRow]:
        """By surrogate, to be read and not changed; an unknown one is left out."""
        missing = [s for s in dict.fromkeys(surrogates) if s not in self._by_surrogate]
        if missing:
            self._by_surrogate.update(self.transaction.customers_of(missing))
        return {s: self._by_surrogate[s] for s in surrogates if s in self._by_surrogate}

    def owners(self, decision_ids: Sequence[str]) -> dict[str, str]:
        """Decision id → customer id, of the logged ones among them."""
        rows = self.decisions(decision_ids)
        customers = self.customers_of([row.surrogate for row in rows.values()])
        return {d: customers[r.surrogate].customer_id for d, r in rows.items() if r.surrogate in customers}

    def changed(self, row: CustomerRow, at: float) -> None:
        """The row has been changed by something that happened at `at`."""
        row.version += 1
        row.last_at = max(row.last_at, at)
        self._changed.add(row.customer_id)

    def decisions(self, decision_ids: Sequence[str]) -> dict[str, DecisionRow]:
        """The logged ones among them, those of this batch included."""
        asked = [d for d in dict.fromkeys(decision_ids) if d not in self._decisions]
        if asked:
            self._decisions.update(self.transaction.answers(asked))
        return {d: self._decisions[d] for d in decision_ids if d in self._decisions}

    def append(self, rows: Iterable[DecisionRow], contacts: Iterable[ContactRow]) -> None:
        """Log new decisions and their contacts; written by `flush`."""
        for row in rows:
            self._decisions[row.decision_id] = row
            self._new_decisions.append(row)
        for contact in contacts:
            self._new_contacts.append(contact)
            if contact.surrogate in self._ledger:
                self._ledger[contact.surrogate][1].append(contact)
            if contact.day is not None:
                self._use(contact.action, contact.day, Used(contacts=1, spend=contact.cost))

    def flush(self) -> None:
        """Write the decisions so far, for what has to find them in the store."""
        if self._new_decisions:
            self.transaction.append_decisions(self._new_decisions)
            self.transaction.append_contacts(self._new_contacts)
            self._new_decisions, self._new_contacts = [], []

    def used(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Used]:
        """(action, day) → what is used up by now, this batch included."""
        missing = [key for key in keys if key not in self._used]
        if missing:
            self._used.update(self.transaction.used(missing))
        return {key: self._used[key] for key in keys}

    def _use(self, action: str, day: str, amount: Used) -> None:
        """Use up a part of a day's limit, or give it back."""
        key = (action, day)
        self.used([key])
        for kept in (self._used, self._using):
            before = kept.get(key, Used())
            kept[key] = Used(contacts=before.contacts + amount.contacts, spend=before.spend + amount.spend)

    def release(
        self, decision_ids: Sequence[str], status: Literal["released", "displaced"]
    ) -> list[ContactRow]:
        """The contacts of these decisions count no longer, in caps and in limits; those that did."""
        self.flush()
        released = self.transaction.release(decision_ids, status)
        self._given_back(released)
        for contact in released:
            self._ledger.pop(contact.surrogate, None)  # it is read again
        return released

    def lapse(self, now: float) -> None:
        """Give back what held contacts used up whose time is over."""
        self._given_back(self.transaction.lapse(now))

    def _given_back(self, contacts: Iterable[ContactRow]) -> None:
        for contact in contacts:
            if contact.day is not None:
                self._use(contact.action, contact.day, Used(contacts=-1, spend=-contact.cost))

    def displace(self, giving_way: Iterable[tuple[DecisionRow, tuple[str, ...]]]) -> None:
        """Contacts that make room for those of new decisions; the orchestrator is told."""
        for row, displaced in giving_way:
            if displaced:
                self.release(displaced, "displaced")
                self._new_messages += [_displaced(row, decision_id) for decision_id in displaced]

    def contacts(self, surrogates: Sequence[str], since: float) -> list[list[ContactRow]]:
        """Per customer, the contacts from `since` on, this batch's among them, and maybe earlier ones."""
        missing = {s for s in surrogates if s not in self._ledger or self._ledger[s][0] > since}
        if missing:
            if any(contact.surrogate in missing for contact in self._new_contacts):
                self.flush()  # they are read with the rest
            self._ledger.update((s, (since, [])) for s in missing)
            for contact in self.transaction.contacts(sorted(missing), since):
                self._ledger[contact.surrogate][1].append(contact)
        return [self._ledger[s][1] for s in surrogates]

    def again(self, decision_id: str) -> DecisionRow:
        """A logged decision as the store has it now; its customer's ledger is read anew too."""
        self.flush()
        row = self.transaction.answers([decision_id])[decision_id]
        self._decisions[decision_id] = row
        self._ledger.pop(row.surrogate, None)
        return row

    def gone(self, row: DecisionRow) -> bool:
        """Whether a decision's contact is no longer in the ledger: displaced, lapsed or not sent.

        A held one's daily limit is locked before that is read, so that no other server lets it lapse then.
        """
        if row.channel is None:
            return False
        self.flush()
        contact = self._contact(row)
        if contact is not None and contact.status == "held" and contact.day is not None:
            self.used([(contact.action, contact.day)])
            contact = self._contact(row)
        return contact is None

    def _contact(self, row: DecisionRow) -> ContactRow | None:
        found = self.transaction.contacts([row.surrogate], -inf)
        return next((contact for contact in found if contact.decision_id == row.decision_id), None)

    def states(self, rows: Sequence[CustomerRow]) -> States:
        """Their feature states, carried over where they were packed under another playbook."""
        return self._packed.unpack(self._layout, [row.state for row in rows])

    def fold(
        self, rows: Sequence[CustomerRow], touchpoints: Touchpoints, states: States | None = None
    ) -> None:
        """Add touchpoints, whose `row` points into `rows`, to the customers' states.

        Args:
            states: theirs, where they are known already.
        """
        packed = (self.states(rows) if states is None else states).fold(touchpoints).pack()
        for row, state in zip(rows, packed, strict=True):
            row.state = state

    def save(self) -> None:
        """Write what has changed."""
        self.flush()
        if self._using:
            self.transaction.use(self._using)
        if self._new_messages:
            self.transaction.append_outbox(self._new_messages)
        self.transaction.save_customers([self._rows[c] for c in sorted(self._changed)])


def _displaced(row: DecisionRow, decision_id: str) -> OutboxRow:
    """The message that a contact decided earlier must not be sent, since `row` took its place."""
    return OutboxRow(
        id=f"displaced.{decision_id}",
        type="decision.displaced",
        surrogate=row.surrogate,
        decision_id=decision_id,
        at=row.decided_at,
        body=orjson.dumps({"displaced_by": row.decision_id, "displaced_by_action": row.action}),
    )
