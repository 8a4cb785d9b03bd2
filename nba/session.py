"""One write transaction's view of the customers it touches: read once, changed in place, written once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from nba.contact.eligibility import Gatekeeper
from nba.errors import SchemaMismatch
from nba.features.layout import Layout
from nba.features.state import States, Touchpoints
from nba.live import Live
from nba.model import ContactRow
from nba.playbook.compile import Playbook
from nba.stores.ports import Clock, CustomerRow, DecisionRow, Transaction


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
        live: Live,
        gatekeeper: Gatekeeper,
        now: float,
        clock: Clock,
        playbooks: Callable[[], Iterable[Playbook]],
    ) -> None:
        self.transaction = transaction
        self.live = live
        self.gatekeeper = gatekeeper
        self.now = now
        self.clock = clock
        self.layout = Layout.of(live.playbook.schema)
        self._playbooks = playbooks
        self._rows: dict[str, CustomerRow] = {}
        self._by_surrogate: dict[str, CustomerRow] = {}
        self._changed: set[str] = set()
        self._decisions: dict[str, DecisionRow] = {}
        self._contacts: list[ContactRow] = []
        self._ledger: dict[str, list[ContactRow]] = {}

    def customers(self, customer_ids: Sequence[str]) -> list[CustomerRow]:
        missing = [c for c in dict.fromkeys(customer_ids) if c not in self._rows]
        if missing:
            self._remember(self.transaction.customers(missing).values())
        return [self._rows[c] for c in customer_ids]

    def customers_of(self, surrogates: Sequence[str]) -> dict[str, CustomerRow]:
        missing = [s for s in dict.fromkeys(surrogates) if s not in self._by_surrogate]
        if missing:
            self._remember(self.transaction.customers_of(missing).values())
        return {s: self._by_surrogate[s] for s in surrogates if s in self._by_surrogate}

    def _remember(self, rows: Iterable[CustomerRow]) -> None:
        for row in rows:
            known = self._rows.setdefault(row.customer_id, row)
            self._by_surrogate[known.surrogate] = known

    def changed(self, row: CustomerRow, at: float) -> None:
        """The row has been changed by something that happened at `at`."""
        if row.customer_id not in self._changed:
            row.version += 1
            self._changed.add(row.customer_id)
        row.last_at = max(row.last_at, at)

    def decisions(self, decision_ids: Sequence[str]) -> dict[str, DecisionRow]:
        """The logged ones among them, those of this batch included."""
        asked = [d for d in decision_ids if d not in self._decisions]
        return {
            **(self.transaction.answers(asked) if asked else {}),
            **{d: self._decisions[d] for d in decision_ids if d in self._decisions},
        }

    def append(self, rows: Iterable[DecisionRow], contacts: Iterable[ContactRow]) -> None:
        self._decisions.update((row.decision_id, row) for row in rows)
        for contact in contacts:
            self._contacts.append(contact)
            self._ledger.setdefault(contact.surrogate, []).append(contact)

    def flush(self) -> None:
        """Write the decisions so far, for what has to find them in the store."""
        self.transaction.append_decisions(list(self._decisions.values()))
        self.transaction.append_contacts(self._contacts)
        self._decisions, self._contacts = {}, []

    def contacts(self, surrogates: Sequence[str], since: float) -> list[list[ContactRow]]:
        """Per customer, the contacts that still count."""
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
        blobs = [row.state for row in rows]
        try:
            return States.unpack(self.layout, blobs)
        except SchemaMismatch:
            layouts = [Layout.of(playbook.schema) for playbook in self._playbooks()]
            return States.unpack(self.layout, blobs, {layout.fingerprint: layout for layout in layouts})

    def fold(self, rows: Sequence[CustomerRow], touchpoints: Touchpoints) -> None:
        """Add touchpoints, whose `row` points into `rows`, to the customers' states."""
        packed = self.states(rows).fold(touchpoints).pack()
        for row, state in zip(rows, packed, strict=True):
            row.state = state

    def save(self) -> None:
        self.flush()
        self.transaction.save_customers([self._rows[c] for c in sorted(self._changed)])
