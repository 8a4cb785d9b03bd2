"""Targets: what a courier asks of whoever takes messages."""

from __future__ import annotations

from typing import Protocol

from nba.playbook.reactions import Retries
from nba.stores.ports import OutboxRow
from serving.delivery.message import Failure


class Target(Protocol):
    """One that messages are delivered to. Used by one task.

    Attributes:
        name: under which the store remembers how far it is.
        parallel: how many messages may be on their way at a time.
        since: a new target begins with messages of the last so many seconds.
    """

    @property
    def name(self) -> str: ...
    @property
    def retries(self) -> Retries: ...
    @property
    def parallel(self) -> int: ...
    @property
    def since(self) -> float: ...

    def wants(self, row: OutboxRow) -> bool:
        """Whether the message is for this target."""

    def not_before(self, row: OutboxRow) -> float | None:
        """Epoch seconds of the real clock until which the message has to wait; None for not at all."""

    async def send(self, row: OutboxRow, customer_id: str | None) -> Failure | None:
        """None where it was taken, or need not be any more. Raises nothing that can be foreseen.

        Args:
            customer_id: None for one who was erased.
        """

    async def close(self) -> None: ...
