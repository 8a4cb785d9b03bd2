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
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from nba.model import ContactRow as ContactRow
from nba.model import Used as Used

Clock = Literal["live", "request"]


@dataclass(slots=True, kw_only=True)
class CustomerRow:
    """A customer inside a transaction; changed in place, written by `save_customers`.

    Attributes:
        customer_id: as the caller names them.
        surrogate: as the log names them.
        state: packed feature state; None is empty.
        attributes: name → [value, set at], the latest set wins; `timezone` among them.
        consents: `purpose|channel` → [granted, set at]; a channel of `*` is all channels.
        last_at: the latest moment known of the customer, epoch seconds; -inf for a new one.
        version: counts the changes of the row.
    """

    customer_id: str
    surrogate: str
    state: bytes | None = None
    attributes: dict[str, list[Any]] = field(default_factory=dict)
    consents: dict[str, list[Any]] = field(default_factory=dict)
    last_at: float = float("-inf")
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """One decision as logged; see `nba/trace.py` for what the blobs hold.

    Attributes:
        status: `active`, or `held` until it is activated; held ones never train.
        digest: SHA-256 of the request's meaning; a repeat with another is a conflict.
        body: the answer's bytes, given again on a repeat.
        trace: orjson bytes: everything else that replay and explanation need.
        features, eligible, odds, values: packed rows (see `nba/trace.py`).
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
        type: `decision.displaced`, …
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
    """What serves: one row a kind (`policy`, `scores`), with its place in the audit table.

    Attributes:
        number: counts publications over all kinds, from 1; `linear@7` is publication 7.
        version: the artefact's SHA-256.
    """

    number: int
    kind: str
    version: str
    specification: str
    published_at: float
    who: str
    why: str


class Transaction(Protocol):
    """A write transaction. What it has read under a lock is as it was until the end.

    A row whose key another transaction has written meanwhile raises Conflict, at the latest when the
    transaction ends: whoever decides it again then finds that row.
    """

    def answers(self, decision_ids: Sequence[str]) -> dict[str, DecisionRow]:
        """The logged decisions among `decision_ids`."""

    def customers(self, customer_ids: Sequence[str]) -> dict[str, CustomerRow]:
        """Their rows, created with a new surrogate where missing; locked until the end.

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


class Store(Protocol):
    """Durable state shared by all workers. Safe to use from several threads."""

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

    def decisions(self, since: float, until: float, chunk: int = 10_000) -> Iterator[list[DecisionRow]]:
        """Decisions with since ≤ decided_at < until, by decided_at then id, in chunks read one by one."""

    def touchpoints(self, since: float, until: float, chunk: int = 50_000) -> Iterator[list[TouchpointRow]]:
        """Events and outcomes with since ≤ occurred_at < until, by occurred_at, in chunks."""

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
        self, *, kind: str, version: str, specification: str, at: float, who: str, why: str
    ) -> Publication:
        """Make `version` what serves for its kind, and write the audit entry, in one transaction."""

    def serving(self) -> Mapping[str, Publication]:
        """The latest publication of each kind."""

    def audit(self) -> list[Publication]:
        """All publications, oldest first."""

    def outbox(self, after: int, limit: int = 1_000) -> list[OutboxRow]:
        """Messages with a number above `after`, in order. A number is never seen before a smaller one."""

    def prune(self, before: float) -> Mapping[str, int]:
        """Forget decisions, contacts (by `send_at`), touchpoints and outbox messages from before a moment,
        epoch seconds: table → rows.

        Feature state, customers, publications, playbooks and what is used up of daily limits stay. In
        chunks, so that others can write. A forgotten id is unknown: it can be used anew, so keep rows for
        longer than anyone repeats a request, and longer than caps and reward windows look back.
        """

    def free_bytes(self) -> int | None:
        """Room left on the disk that the store writes to; None where that can't be known from here."""

    def ping(self) -> None:
        """Raises StoreUnavailable where a decision could not be stored now."""

    def close(self) -> None: ...
