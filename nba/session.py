"""One write transaction's view of the customers it touches: read once, changed in place, written once."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Literal

import orjson

from nba.companions import Companions
from nba.contact.pools import counted
from nba.customers import Customers
from nba.errors import SchemaMismatch
from nba.features.layout import Layout
from nba.features.state import States, Touchpoints
from nba.live import Live
from nba.model import ContactRow, Used
from nba.observer import Observer
from nba.playbook.compile import Playbook, parse
from nba.stores.ports import (
    Clock,
    CustomerRow,
    DecisionRow,
    OutboxRow,
    Store,
    Transaction,
    WatchRow,
)


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


@lru_cache(maxsize=16)
def _mailed(playbook: Playbook) -> frozenset[str]:
    """The channels whose contacts `nba deliver` sends itself."""
    return frozenset(name for name, channel in playbook.spec.channels.items() if channel.deliver)


@dataclass(frozen=True, slots=True)
class Fired:
    """A trigger that has gone off: for whom, and on which occasion, of which each has one decision."""

    trigger: str
    customer: CustomerRow
    occasion: str


class Session(Customers):
    """What the commands of a batch share.

    Attributes:
        live: what serves; taken once for the whole batch.
        now: the server's clock.
        clock: whether time is the server's or comes with the requests.
        observer: whoever measures.
        fired: triggers whose decisions are still to be made.
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
        secret: bytes,
        companions: Companions | None = None,
        extra: set[str] | None = None,
    ) -> None:
        super().__init__(transaction, companions, extra)
        self._secret = secret
        self.live = live
        self.now = now
        self.clock = clock
        self.observer = observer
        self._layout = layout_of(live.playbook)
        self._packed = packed
        self._decisions: dict[str, DecisionRow] = {}
        self._new_decisions: list[DecisionRow] = []
        self._new_contacts: list[ContactRow] = []
        self._new_messages: list[OutboxRow] = []
        self._ledger: dict[str, tuple[float, list[ContactRow]]] = {}  # read from a moment on
        self._used: dict[tuple[str, str], Used] = {}
        self._using: dict[tuple[str, str], Used] = {}
        self.fired: list[Fired] = []
        self._watches: dict[str, WatchRow | None] = {}
        self._watched: set[str] = set()

    def secretly(self, text: str) -> str:
        """An id that only this store can make, the same each time: nobody else's can be it by chance."""
        return hmac.digest(self._secret, text.encode(), hashlib.sha256).hex()[:32]

    def owners(self, decision_ids: Sequence[str]) -> dict[str, str]:
        """Decision id → customer id, of the logged ones among them."""
        rows = self.decisions(decision_ids)
        customers = self.customers_of([row.surrogate for row in rows.values()])
        return {d: customers[r.surrogate].customer_id for d, r in rows.items() if r.surrogate in customers}

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
            self._mail(row)
        for contact in contacts:
            self._new_contacts.append(contact)
            if contact.surrogate in self._ledger:
                self._ledger[contact.surrogate][1].append(contact)
            if contact.day is not None:
                self._use(contact.action, contact.day, Used(contacts=1, spend=contact.cost))

    def _mail(self, row: DecisionRow) -> None:
        """Ask for a decided contact to be sent, where that is done here."""
        if row.status == "active" and row.channel in _mailed(self.live.playbook):
            self.tell([_contact_decided(row)])

    def shown(self, row: DecisionRow) -> None:
        """A decision that was held is active now."""
        self._mail(row)

    def tell(self, messages: Iterable[OutboxRow]) -> None:
        """Tell the orchestrator, once this is committed."""
        self._new_messages += messages

    def watches(self, surrogates: Sequence[str]) -> dict[str, WatchRow]:
        """What is remembered of looks at these customers, who are locked; an unknown one is left out."""
        missing = [s for s in dict.fromkeys(surrogates) if s not in self._watches]
        if missing:
            self._watches.update(dict.fromkeys(missing))
            self._watches.update(self.transaction.watches(missing))
        known = {s: self._watches[s] for s in surrogates}
        return {s: row for s, row in known.items() if row is not None}

    def watch(self, row: WatchRow) -> None:
        """Remember this of a customer from now on."""
        self._watches[row.surrogate] = row
        self._watched.add(row.surrogate)

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
        """Use up a part of a day's limit, and of its pool's, or give it back."""
        keys = counted(action, day)
        self.used(keys)
        for kept in (self._used, self._using):
            for key in keys:
                old = kept.get(key, Used())
                kept[key] = Used(contacts=old.contacts + amount.contacts, spend=old.spend + amount.spend)

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
            self.used(counted(contact.action, contact.day))
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
        if self._watched:
            self.transaction.save_watches(list(self.watches(sorted(self._watched)).values()))
        if self._new_messages:
            self.transaction.append_outbox(self._new_messages)
        self.transaction.save_customers(self.unsaved())


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


def _contact_decided(row: DecisionRow) -> OutboxRow:
    """The message that a contact is to be sent, at its time, by the company's own server."""
    return OutboxRow(
        id=f"contact.{row.decision_id}",
        type="contact.decided",
        surrogate=row.surrogate,
        decision_id=row.decision_id,
        at=row.decided_at if row.activated_at is None else row.activated_at,
        body=orjson.dumps({"action": row.action, "channel": row.channel, "send_at": row.send_at}),
    )
