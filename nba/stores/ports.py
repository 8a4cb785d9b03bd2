"""Ports: what the service asks of a store, and what a store promises.

Writes happen in `Store.transaction`. Some stores run one at a time over all threads and processes that
share them; all of them lock the customers and the limits that a transaction has asked for until it ends, so
nobody else changes these meanwhile. What a transaction wrote is durable (synced to disk) when its `with`
block has ended without an error; when it raises, nothing of it stays. Reads outside a transaction see
committed data only.

Personal identity stands in one place, the link customer id → surrogate; everything else names the
surrogate, a random string without meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from nba.model import ContactRow as ContactRow
from nba.model import Used as Used
from nba.stores.persons import ClaimRow as ClaimRow
from nba.stores.persons import CustomerRow as CustomerRow
from nba.stores.persons import ErasedRow as ErasedRow
from nba.stores.persons import PersonsInStore, PersonsInTransaction
from nba.stores.reaction_ports import DeliveryRow as DeliveryRow
from nba.stores.reaction_ports import ReactionStore, ReactionTransaction
from nba.stores.reaction_ports import TicketCounts as TicketCounts
from nba.stores.reaction_ports import WatchRow as WatchRow

Clock = Literal["live", "request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """One decision as logged; see `nba/trace.py` for what the blobs hold.

    Attributes:
        status: `active`, or `held` until it is activated; held ones never train.
        digest: SHA-256 of the request's meaning; a repeat with another is a conflict.
        body: the answer's bytes, given again on a repeat.
        trace: orjson bytes: everything else that replay and explanation need.
        features, eligible, odds, values: packed rows (see `nba/trace.py`).

    Of one whose customer was erased, `trace` has the experiments alone and the other blobs are empty.
    """

    decision_id: str
    surrogate: str
    decided_at: float
    arm: str
    action: str
    channel: str | None
    timing: str | None
    send_at: float | None
    propensity: float
    group: str
    policy: str
    playbook: str
    status: Literal["active", "held"]
    activated_at: float | None
    digest: bytes
    body: bytes
    trace: bytes
    features: bytes
    eligible: bytes
    odds: bytes
    values: bytes

    @property
    def erased(self) -> bool:
        """Whether its customer was erased: what was drawn stays, and nothing of what it rested on."""
        return not self.body


class DrawRow(NamedTuple):
    """What was drawn for whom by which policy: the columns of a `DecisionRow` that are no blobs."""

    decision_id: str
    surrogate: str
    decided_at: float
    arm: str
    propensity: float
    group: str
    policy: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchpointRow:
    """An event or an outcome. `source` and `id` together are unique; `properties` is JSON text."""

    source: Literal["event", "outcome"]
    id: str
    surrogate: str
    type: str
    channel: str | None
    occurred_at: float
    value: float
    decision_id: str | None = None
    properties: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """Something that the orchestrator must be told, written in the transaction in which it happened.

    Attributes:
        number: its place in the outbox, from 1 and rising; the store gives it, 0 before.
        id: of the message, for whoever gets it twice.
        type: `decision.displaced`, …; see `nba.playbook.reactions.MESSAGES`.
        decision_id: "" where it is about none.
        body: JSON bytes.
    """

    number: int = 0
    id: str
    type: str
    surrogate: str
    decision_id: str
    at: float
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What serves: one row a kind, with its place in the audit table.

    Kinds: `policy` (the champion), `scores`, `segments`, `challenger` (looks on), `ramp` (decides for a
    share of treatment customers), `variant.<experiment>.<variant>` (an experiment's own policy).

    Attributes:
        number: counts publications over all kinds, from 1.
        version: the artefact's SHA-256; "" for a `policy` that takes back all that was trained, so that the
            fallback serves.
        origin: the number under which this artefact is known: its own, or an earlier one's where the same
            is published again, on the next step of a ramp or by a rollback. `linear@7` has the origin 7.
        share: of treatment customers for whom a `ramp` decides; 0 withdraws a `ramp`, a `challenger` or a
            variant's policy. 1 for all else.
        evidence: JSON text: rule, difference, the MLflow run's record, …; "" for none.
    """

    number: int
    kind: str
    version: str
    specification: str
    published_at: float
    who: str
    why: str
    origin: int
    share: float = 1.0
    evidence: str = ""

    @property
    def name(self) -> str:
        """As decisions name it."""
        return f"{self.specification}@{self.origin}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to do what only one may, such as to learn, until a moment.

    Attributes:
        token: rises each time that the lease changes hands; a write that carries an old one is refused.
        until: epoch seconds of the holder's clock; renew it before.
    """

    name: str
    holder: str
    token: int
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRow:
    """Something worth keeping beside the log: an attempt at promotion, a health report, an alert.

    Attributes:
        number: from 1 and rising over all kinds.
        at: epoch seconds on the store's clock.
        body: bytes, JSON but where its kind says otherwise.
    """

    number: int
    kind: str
    at: float
    body: bytes


class Transaction(PersonsInTransaction, ReactionTransaction, Protocol):
    """A write transaction. What it has read under a lock is as it was until the end.

    A row whose key another transaction has written meanwhile raises Conflict, at the latest when the
    transaction ends: whoever decides it again then finds that row.
    """

    def answers(self, decision_ids: Sequence[str]) -> dict[str, DecisionRow]:
        """The logged decisions among `decision_ids`."""

    def customers(self, customer_ids: Sequence[str], also: Sequence[str] = ()) -> dict[str, CustomerRow]:
        """Their rows, created with a new surrogate where missing; locked until the end.

        Of `also`, which are others, those that are there, after them.

        Ask for all of them at once: of two transactions that each wait for a customer of the other one is
        broken up, and raises Conflict.
        """

    def customers_of(self, surrogates: Sequence[str]) -> dict[str, CustomerRow]:
        """The rows by surrogate, not locked; an unknown one is left out."""

    def save_customers(self, rows: Sequence[CustomerRow]) -> None: ...

    def contacts(self, surrogates: Sequence[str], since: float) -> list[ContactRow]:
        """Contacts of these customers with `send_at` ≥ `since` that are reserved, held or shown.

        By send_at, then id. The customers are locked.
        """

    def append_decisions(self, rows: Sequence[DecisionRow]) -> None: ...

    def append_contacts(self, rows: Sequence[ContactRow]) -> None: ...

    def activate(self, decision_id: str, at: float) -> None:
        """Held decision → active, its contact shown, also a lapsed one. The caller has checked that the
        decision is held."""

    def release(
        self, decision_ids: Sequence[str], status: Literal["released", "displaced"]
    ) -> list[ContactRow]:
        """The contacts of these decisions no longer count; those that did until now, as they were, in the
        order asked."""

    def lapse(self, now: float) -> list[ContactRow]:
        """Held contacts that use up a daily limit and whose `expires_at` ≤ `now` no longer count; as they
        were, by expires_at, then id. One that another transaction is changing is left to it."""

    def used(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Used]:
        """(action, day) → what is used up, nothing included; locked until the end. Ask for all at once,
        after the customers."""

    def use(self, amounts: Mapping[tuple[str, str], Used]) -> None:
        """Add to what is used up; negative amounts give back. The keys are locked by `used`."""

    def append_outbox(self, rows: Sequence[OutboxRow]) -> None:
        """Tell the orchestrator when this transaction is committed; the store numbers the rows."""

    def append_touchpoints(self, rows: Sequence[TouchpointRow]) -> list[bool]:
        """True where the row is new; False where its (source, id) was there, which changes nothing."""

    def applied(self, file: str) -> bool:
        """Whether `mark_applied` was called with this name."""

    def mark_applied(self, file: str) -> None:
        """Note that a history file's touchpoints are in the customers' state now."""


class Store(PersonsInStore, ReactionStore, Protocol):
    """Durable state shared by all workers. Safe to use from several threads.

    `decisions`, `draws` and `touchpoints` tell whose a row is by person: where customers are linked, all of
    theirs stand under one surrogate, that of the person. Whoever counts by customer counts people. With `own`
    each row keeps its own.
    """

    @property
    def secret(self) -> bytes:
        """32 random bytes made with the store; all hashing is keyed by them."""

    @property
    def clock(self) -> Clock:
        """Chosen when the store was made, for good."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Raises StoreUnavailable where the store can't write now."""

    def decision(self, decision_id: str) -> DecisionRow | None: ...

    def contact(self, decision_id: str) -> ContactRow | None:
        """The contact of a decision, whatever became of it; None for silence."""

    def decisions(
        self, since: float, until: float, chunk: int = 10_000, own: bool = False
    ) -> Iterator[list[DecisionRow]]:
        """Decisions with since ≤ decided_at < until, by decided_at then id, in chunks read one by one."""

    def draws(self, since: float, until: float, chunk: int = 50_000) -> Iterator[list[DrawRow]]:
        """What was drawn in since ≤ decided_at < until, as `decisions`, without what it rested on."""

    def decisions_of(self, surrogates: Sequence[str], limit: int) -> list[DecisionRow]:
        """Decisions of these customers under their own surrogates, the latest first."""

    def touchpoints_of(
        self, surrogates: Sequence[str], limit: int, types: Sequence[str] | None = None
    ) -> list[TouchpointRow]:
        """Touchpoints of these customers, of some types or of all, likewise."""

    def touchpoints(
        self, since: float, until: float, chunk: int = 50_000, own: bool = False
    ) -> Iterator[list[TouchpointRow]]:
        """Events and outcomes with since ≤ occurred_at < until, by occurred_at, in chunks."""

    def moment_back(self, rows: Literal["decisions", "touchpoints"], count: int, before: float) -> float:
        """The moment of the `count`-th newest of these rows before a moment, -inf where there are fewer.

        From there on a reader who wants the newest rows alone has them, however many there are in all.
        """

    def latest(self) -> float:
        """The latest moment of a decision, touchpoint or publication, epoch seconds; -inf for none.

        On the request clock it is what comes nearest to now.
        """

    def links(self) -> dict[str, str]:
        """surrogate → customer id."""

    def names(self, surrogates: Sequence[str]) -> dict[str, str]:
        """surrogate → customer id, of the known ones among these."""

    def keep_playbook(self, fingerprint: str, text: str) -> None:
        """Keep a playbook's text for replay; repeating changes nothing."""

    def playbook(self, fingerprint: str) -> str | None: ...

    def playbooks(self) -> dict[str, str]:
        """Every playbook kept: fingerprint → text."""

    def publish(
        self,
        *,
        kind: str,
        version: str,
        specification: str,
        at: float,
        who: str,
        why: str,
        origin: int | None = None,
        share: float = 1.0,
        evidence: str = "",
        after: int | None = None,
        lease: Lease | None = None,
    ) -> Publication:
        """Make `version` what serves for its kind, and write the audit entry, in one transaction.

        Args:
            origin: the number that names it; its own by default.
            after: the number of the latest entry of kind `policy` or `ramp` that the caller has seen, 0 for
                none; for who decides by what serves now.
            lease: under which the caller acts.

        Raises:
            Conflict: what serves has changed after `after`, or the lease is no longer the caller's; nothing
                was published.
        """

    def serving(self) -> Mapping[str, Publication]:
        """The latest publication of each kind."""

    def audit(self) -> list[Publication]:
        """All publications, oldest first."""

    def lease(self, name: str, holder: str, now: float, seconds: float) -> Lease | None:
        """Take the lease for so long, or renew it; None where somebody else's has not ended by `now`.

        Of two that ask at once one gets it. A holder that asks again keeps its token; taking it over, also
        one's own after it ended, raises the token.
        """

    def give_back(self, lease: Lease) -> None:
        """End a lease at once; one that is no longer the caller's is left alone."""

    def keep(self, key: str, value: bytes, lease: Lease | None = None) -> None:
        """Keep a value under a key, in place of the one before. Raises Conflict as `publish` does."""

    def kept(self, key: str) -> bytes | None: ...

    def note(self, kind: str, at: float, body: bytes, lease: Lease | None = None) -> NoteRow:
        """Add a note, which stays until it is forgotten: `prune` leaves it alone.

        A number is never seen before a smaller one, and never given twice. Raises Conflict as `publish` does.
        """

    def notes(self, kind: str, after: int = 0, limit: int = 1_000) -> list[NoteRow]:
        """Notes of a kind with a number above `after`, in order."""

    def forget_notes(self, numbers: Sequence[int]) -> None:
        """Drop these notes; unknown numbers are let pass."""

    def outbox(self, after: int, limit: int = 1_000) -> list[OutboxRow]:
        """Messages with a number above `after`, in order. A number is never seen before a smaller one."""

    def prune(self, before: float) -> Mapping[str, int]:
        """Forget decisions, contacts (by `send_at`), touchpoints, outbox messages with their deliveries, and
        closed tickets with their history from before a moment, epoch seconds: table → rows.

        Feature state, customers, publications, playbooks, notes, what is kept by key and what is used up of
        daily limits stay. In chunks, so that others can write. A forgotten id is unknown: it can be used
        anew, so keep rows for longer than anyone repeats a request, and longer than caps and reward windows
        look back.
        """

    def free_bytes(self) -> int | None:
        """Room left on the disk that the store writes to; None where that can't be known from here."""

    def ping(self) -> None:
        """Raises StoreUnavailable where a decision could not be stored now."""

    def close(self) -> None: ...
