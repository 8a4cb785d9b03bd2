"""The part of the ports that reactions need: tickets, looks at customers, deliveries. See `ports.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from nba.tickets import Status, TicketChangeRow, TicketRow

if TYPE_CHECKING:
    from nba.stores.ports import CustomerRow, Lease, OutboxRow


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRow:
    """When a customer is to be looked at again, and what was seen the last time (`nba/looking.py`).

    Attributes:
        due_at: epoch seconds on the store's clock; -inf for one who was never looked at.
        memory: JSON text.
    """

    surrogate: str
    due_at: float
    memory: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """A message of the outbox that a target has not taken yet, or never will.

    Attributes:
        number: of the message.
        tries: how often it was tried in vain.
        due_at: when it is tried again, epoch seconds of the real clock.
        status: `waiting`, or `dead` until it is sent again by hand.
        reason: of the last failure; nothing of a customer.
        at: the message's moment, by which `prune` forgets.
    """

    target: str
    number: int
    tries: int
    due_at: float
    status: Literal["waiting", "dead"]
    reason: str
    at: float


class TicketCounts(NamedTuple):
    """Of the tickets that are open or in progress: how many, and how many of them are past their time."""

    unsettled: int
    overdue: int


class ReactionTransaction(Protocol):
    """A part of `Transaction`, whose promises hold here too."""

    def tickets(self, ticket_ids: Sequence[str]) -> dict[str, TicketRow]:
        """Those among them that are there. Lock their customers before they are changed."""

    def unsettled_tickets(self, surrogates: Sequence[str]) -> list[TicketRow]:
        """Those of these customers that are open or in progress, by opened_at, then id."""

    def append_tickets(self, rows: Sequence[TicketRow]) -> None: ...

    def save_tickets(self, rows: Sequence[TicketRow]) -> None:
        """Put these in place of what they were."""

    def ticket_changes(self, ticket_id: str) -> list[TicketChangeRow]:
        """Its history, oldest first."""

    def append_ticket_changes(self, rows: Sequence[TicketChangeRow]) -> None: ...

    def forget_reactions(self, surrogates: Sequence[str]) -> None:
        """What `erase` does with these customers' tickets and looks.

        Tickets that are not settled are gone with their history: nobody can act on them any more. Settled
        ones keep rule and times, for the figures, and lose reason, owner, and what their history tells.
        What is remembered of looks is gone.
        """

    def watches(self, surrogates: Sequence[str]) -> dict[str, WatchRow]:
        """What is remembered of looks at these customers, who are locked; one never looked at is left out."""

    def save_watches(self, rows: Sequence[WatchRow]) -> None: ...


class ReactionStore(Protocol):
    """A part of `Store`, whose promises hold here too."""

    def messages(self, numbers: Sequence[int]) -> list[OutboxRow]:
        """The messages of these numbers that are there, in order."""

    def customer_of(self, surrogate: str) -> CustomerRow | None:
        """A customer's row, as it is committed; not to be written back."""

    def surrogate_of(self, customer_id: str) -> str | None: ...

    def tickets_of(self, surrogates: Sequence[str], limit: int) -> list[TicketRow]:
        """Tickets of these customers, the latest opened first."""

    def ticket(self, ticket_id: str) -> TicketRow | None: ...

    def ticket_changes(self, ticket_id: str) -> list[TicketChangeRow]:
        """Its history, oldest first."""

    def tickets(
        self,
        *,
        surrogates: Sequence[str] | None = None,
        status: Status | None = None,
        after: tuple[float, str] | None = None,
        limit: int = 100,
    ) -> list[TicketRow]:
        """By opened_at, then id; those behind `after`, which is such a pair. `surrogates`: theirs alone."""

    def ticket_counts(self, now: float) -> TicketCounts: ...

    def due(self, now: float, limit: int) -> list[str]:
        """Ids of the customers who are to be looked at by `now`, the longest due first."""

    def enlist(self, limit: int) -> int:
        """Customers of whom no look is remembered are to be looked at now; how many of them were found."""

    def deliveries(
        self,
        target: str | None = None,
        status: Literal["waiting", "dead"] | None = None,
        due: float | None = None,
        limit: int = 1_000,
    ) -> list[DeliveryRow]:
        """By target and number; with `due` those that are due by then."""

    def settle_deliveries(
        self,
        target: str,
        *,
        through: int | None,
        keep: Sequence[DeliveryRow],
        drop: Sequence[int],
        lease: Lease | None = None,
    ) -> None:
        """What became of messages to a target, in one transaction.

        Args:
            through: up to this number all messages were dealt with; `delivered` says so from now on.
            keep: rows to write in place of those that were.
            drop: numbers that need no row any more.

        Raises:
            Conflict: the lease is no longer the caller's; nothing was written.
        """

    def delivered(self, target: str) -> int | None:
        """The last `through` of a target; None where nothing was ever dealt with."""

    def revive(self, target: str, numbers: Sequence[int], due_at: float) -> int:
        """Dead ones among these wait again, as if never tried; how many there were."""
