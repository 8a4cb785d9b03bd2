"""What the engine tells whoever measures it. Numbers and names of rules only, nothing of a customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

Kind = tuple[str, bool, bool]  # group, explored, contact


class Observer(Protocol):
    """Called inside the write path, so every method is cheap and raises nothing."""

    def stage(self, name: Literal["fetch", "decide", "record", "commit"], seconds: float) -> None:
        """A batch spent so long in a stage."""

    def rounds(self, count: int) -> None:
        """A write transaction took so many rounds."""

    def decided(
        self, *, kinds: Mapping[Kind, int], entropies: Sequence[float], refused: Mapping[str, int]
    ) -> None:
        """New decisions that were made together.

        Args:
            kinds: how many there are of each (group, explored, contact).
            entropies: of their odds, in nats.
            refused: how many arms each rule refused, over all of them.
        """

    def shadow(self, name: str, agrees: bool) -> None:
        """A policy that looks on would have taken the same arm as the one that decided, or not."""

    def policy_failed(self, name: str, error: Exception) -> None:
        """A policy that should decide or look on raised: the next rung decided, or it was left out."""

    def experiment(self, name: str, variant: str, decisions: int) -> None:
        """So many decisions were made for customers in a variant of an experiment."""

    def fallback(self, reason: str, decisions: int) -> None:
        """So many decisions were made by something else than the champion."""

    def activation(self, action: str, event: Literal["held", "activated"]) -> None:
        """A decision for this action was held, or a held one was shown."""

    def ignored_features(self, count: int) -> None:
        """A request brought so many features that the learner does not know."""

    def identity(self, outcome: Literal["linked", "refused"]) -> None:
        """A claimed identity counts, or would have made one person of too many customer ids."""

    def ticket(self, rule: str, event: Literal["opened", "noted", "settled", "reopened"]) -> None:
        """What became of a ticket of a rule of the playbook; "" for one that was opened by hand."""

    def trigger(self, name: str, result: Literal["pushed", "silent", "failed"]) -> None:
        """A trigger made a decision: to contact, for silence, or none could be made."""


class NullObserver:
    """Measures nothing."""

    def stage(self, name: Literal["fetch", "decide", "record", "commit"], seconds: float) -> None: ...

    def rounds(self, count: int) -> None: ...

    def decided(
        self, *, kinds: Mapping[Kind, int], entropies: Sequence[float], refused: Mapping[str, int]
    ) -> None: ...

    def shadow(self, name: str, agrees: bool) -> None: ...

    def policy_failed(self, name: str, error: Exception) -> None: ...

    def experiment(self, name: str, variant: str, decisions: int) -> None: ...

    def fallback(self, reason: str, decisions: int) -> None: ...

    def activation(self, action: str, event: Literal["held", "activated"]) -> None: ...

    def ignored_features(self, count: int) -> None: ...

    def identity(self, outcome: Literal["linked", "refused"]) -> None: ...

    def ticket(self, rule: str, event: Literal["opened", "noted", "settled", "reopened"]) -> None: ...

    def trigger(self, name: str, result: Literal["pushed", "silent", "failed"]) -> None: ...
