"""How much room the store's disk has, and when that is too little."""

from __future__ import annotations

from dataclasses import dataclass

_LOW, _FULL = 2**30, 2**26


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Room where the store writes; None where that can't be known from here."""

    free_bytes: int | None

    @property
    def low(self) -> bool:
        """Less than 1 GiB: time to make room."""
        return self.free_bytes is not None and self.free_bytes < _LOW

    @property
    def full(self) -> bool:
        """Less than 64 MiB: what writes now may fail soon, so requests should go elsewhere."""
        return self.free_bytes is not None and self.free_bytes < _FULL
