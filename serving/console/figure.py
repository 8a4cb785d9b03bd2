"""A figure with what it rests on: pages never show one as if it were certain."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure of one period; None where there is nothing to make it of. `n` is what it rests on."""

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
