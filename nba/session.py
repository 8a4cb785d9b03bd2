"""One write transaction's view of the customers it touches: read once, changed in place, written once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from nba.contact.eligibility import Gatekeeper
from nba.errors import SchemaMismatch
from nba.features.layout import Layout
from nba.features.state import States, Touchpoints
from nba.live import Live
from nba.model import ContactRow
from nba.playbook.compile import Playbook, parse
from nba.stores.ports import Clock, CustomerRow, DecisionRow, Store, Transaction


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
                former = layout_of(parse(text, source=version))
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
    """

    def __init__(
        self,
        transaction: Transaction,
        *,
        live: Live,
        gatekeeper: Gatekeeper,
        now: float,
        clock: Clock,
        packed: PackedStates,
    ) -> None:
        self.transaction = transaction
        self.live = live
        self.gatekeeper = gatekeeper
        self.now = now
        self.clock = clock
        self._layout = layout_of(live.playbook)
        self._packed = packed
        self._rows: dict[str, CustomerRow] = {}
        self._by_surrogate: dict[str, CustomerRow] = {}
        self._changed: set[str] = set()
        self._decisions: dict[str, DecisionRow] = {}
        self._new_decisions: list[DecisionRow] = []
        self._new_contacts: list[ContactRow] = []
        self._ledger: dict[str, list[ContactRow]] = {}

    def customers(self, customer_ids: Sequence[str]) -> list[CustomerRow]:
        """Their rows, made where they are missing."""
        missing = [c for c in dict.fromkeys(customer_ids) if c not in self._rows]
        if missing:
            self._remember(self.transaction.customers(missing).values())
        return [self._rows[c] for c in customer_ids]

    def customers_of(self, surrogates: Sequence[str]) -> dict[str, CustomerRow]:
        """By surrogate; an unknown one is left out."""
        missing = [s for s in dict.fromkeys(surrogates) if s not in self._by_surrogate]
        if missing:
            self._remember(self.transaction.customers_of(missing).values())
        return {s: self._by_surrogate[s] for s in surrogates if s in self._by_surrogate}

    def owners(self, decision_ids: Sequence[str]) -> dict[str, str]:
        """Decision id → customer id, of the logged ones among them."""
        rows = self.decisions(decision_ids)
        customers = self.customers_of([row.surrogate for row in rows.values()])
        return {d: customers[r.surrogate].customer_id for d, r in rows.items() if r.surrogate in customers}

    def _remember(self, rows: Iterable[CustomerRow]) -> None:
        for row in rows:
            known = self._rows.setdefault(row.customer_id, row)
            self._by_surrogate[known.surrogate] = known

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
            self._ledger.setdefault(contact.surrogate, []).append(contact)

    def flush(self) -> None:
        """Write the decisions so far, for what has to find them in the store."""
        self.transaction.append_decisions(self._new_decisions)
        self.transaction.append_contacts(self._new_contacts)
        self._new_decisions, self._new_contacts = [], []

    def contacts(self, surrogates: Sequence[str], since: float) -> list[list[ContactRow]]:
        """Per customer, the contacts from `since` on, and maybe earlier ones."""
        missing = [s for s in dict.fromkeys(surrogates) if s not in self._ledger]
        if missing:
            self._ledger.update((s, []) for s in missing)
            for contact in self.transaction.contacts(missing, since):
                self._ledger[contact.surrogate].append(contact)
        return [self._ledger[s] for s in surrogates]

    def forget(self, decision: DecisionRow) -> None:
        """Read the decision and its customer's contacts again when they are next asked for."""
        self._decisions.pop(decision.decision_id, None)
        self._ledger.pop(decision.surrogate, None)

    def states(self, rows: Sequence[CustomerRow]) -> States:
        """Their feature states, carried over where they were packed under another playbook."""
        return self._packed.unpack(self._layout, [row.state for row in rows])

    def fold(self, rows: Sequence[CustomerRow], touchpoints: Touchpoints) -> None:
        """Add touchpoints, whose `row` points into `rows`, to the customers' states."""
        packed = self.states(rows).fold(touchpoints).pack()
        for row, state in zip(rows, packed, strict=True):
            row.state = state

    def save(self) -> None:
        """Write what has changed."""
        self.flush()
        self.transaction.save_customers([self._rows[c] for c in sorted(self._changed)])
