"""What a store knows of persons: identities that customers claimed, who is one person, who was erased.

Each customer id keeps a row, a state and a ledger of its own, whoever it is linked to; a person is the sum
of them, made when it is asked for. So a link adds up exactly, and to undo it is to forget it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from nba.model import ContactRow

Status = Literal["linked", "noted", "refused", "withdrawn"]


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
        person: the surrogate that all linked customers of one person share; None for who is not linked.
    """

    customer_id: str
    surrogate: str
    state: bytes | None = None
    attributes: dict[str, list[Any]] = field(default_factory=dict)
    consents: dict[str, list[Any]] = field(default_factory=dict)
    last_at: float = float("-inf")
    version: int = 0
    person: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow:
    """A customer says to have an identity. `kind`, `value` and `surrogate` together are unique.

    Attributes:
        value: keyed hash of the identity, never the identity.
        at: when it was first said, epoch seconds.
        status: `linked` makes one person of all who have it; `noted`, the playbook doesn't link by its
            kind; `refused`, too many would have become one person; `withdrawn` by an operator.
    """

    kind: str
    value: str
    surrogate: str
    at: float
    status: Status

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedRow:
    """That a customer was erased: the audit entry.

    Attributes:
        surrogate: under which what is left of them stands; nothing leads to it from the customer id.
        digest: keyed hash of the customer id, to know it again.
        at: epoch seconds on the store's clock.
        who: asked for it, in words.
    """

    surrogate: str
    digest: str
    at: float
    who: str


class PersonsInTransaction(Protocol):
    """The part of a write transaction that concerns persons."""

    def members(self, persons: Sequence[str]) -> dict[str, list[str]]:
        """Person → customer ids, in their order. Of a person of whom one customer is locked they stay as
        they are: whoever changes `person` has locked all whom it concerns."""

    def claims(self, keys: Collection[tuple[str, str]]) -> list[ClaimRow]:
        """The linked claims of these (kind, value). Until the end nobody else is told of these keys.

        Ask for all at once, after the customers.
        """

    def claims_of(self, surrogates: Sequence[str]) -> list[ClaimRow]:
        """All claims of these customers, whatever their status, in the order of their keys."""

    def save_claims(self, rows: Sequence[ClaimRow]) -> None:
        """Write claims, in place of those with the same kind, value and surrogate."""

    def erase(self, rows: Sequence[ErasedRow], strip: Callable[[bytes], bytes]) -> Mapping[str, int]:
        """Erase these customers: table → rows changed. The caller has locked those that are here.

        Customer, profile and claims are gone. Of their decisions all blobs are emptied, but `trace`, of which
        `strip` says what stays; of their touchpoints the properties, of their messages the body. What is
        left stands under the surrogate. A surrogate that is no customer here is erased likewise.
        """


class PersonsInStore(Protocol):
    """The part of a store that concerns persons. What it reads is committed."""

    def people(self) -> dict[str, str]:
        """Surrogate → person, of the linked customers."""

    def known(self, customer_id: str) -> list[CustomerRow]:
        """The customer and all who are linked to it, by customer id; empty for an unknown one."""

    def claims_of(self, surrogates: Sequence[str]) -> list[ClaimRow]:
        """As in a transaction."""

    def erased(self) -> list[ErasedRow]:
        """Everybody who was erased, by moment, then surrogate."""

    def erasure(self, digest: str) -> ErasedRow | None:
        """The latest erasure of a customer id."""

    def contacts_of(self, surrogates: Sequence[str], limit: int) -> list[ContactRow]:
        """Their contacts, whatever became of them, the latest `send_at` first."""
