"""Touchpoints as arrays: the border at which names become codes and numbers are checked.

Types that the playbook does not declare are no touchpoints of its own: they are ignored wholly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nba.errors import FieldError, InvalidInput
from nba.features.layout import Array, Codes

DAY = 86_400.0
EARLIEST, LATEST = -62_135_596_800.0, 253_402_300_800.0  # the years 1 to 9999, which ISO 8601 can write
VALUE_LIMIT = 1e15  # a value beyond counts as this much, so that no sum can ever overflow


class Vocabulary(Protocol):
    """What gives names their codes: a `FeatureSchema` or a `Layout`."""

    @property
    def types(self) -> tuple[str, ...]: ...
    @property
    def channels(self) -> tuple[str, ...]: ...
    @property
    def actions(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Touchpoints:
    """m touchpoints of n customers, in any order.

    Attributes:
        row: (m,) which of the n customers, 0 ≤ row < n.
        type: (m,) index into the types; -1 for one that is not declared.
        channel: (m,) index into the channels; -1 for none or unknown.
        action: (m,) index into the actions; -1 for none. Only a contact's action has a meaning.
        at: (m,) epoch seconds UTC, between EARLIEST and LATEST.
        value: (m,) in the touchpoint's own unit, between ±VALUE_LIMIT.
    """

    row: Codes
    type: Codes
    channel: Codes
    action: Codes
    at: Array
    value: Array

    @classmethod
    def of(
        cls,
        vocabulary: Vocabulary,
        *,
        row: ArrayLike,
        type: Sequence[str],
        channel: Sequence[str | None],
        action: Sequence[str | None],
        at: ArrayLike,
        value: ArrayLike,
    ) -> Touchpoints:
        """From names, one item per touchpoint. Raises InvalidInput where a time or value is no number."""
        return cls(
            row=np.asarray(row, dtype=np.int64),
            type=_codes(vocabulary.types, type),
            channel=_codes(vocabulary.channels, channel),
            action=_codes(vocabulary.actions, action),
            at=_within("occurred_at", at, EARLIEST, LATEST),
            value=np.clip(_within("value", value, -np.inf, np.inf), -VALUE_LIMIT, VALUE_LIMIT),
        )

    def __len__(self) -> int:
        return len(self.row)

    def declared(self) -> Touchpoints:
        """Without those of types that are not declared."""
        known = self.type >= 0
        return self if known.all() else self.where(known)

    def moved(self, by: int) -> Touchpoints:
        """The same ones, of customers whose rows are `by` further on."""
        return replace(self, row=self.row + by)

    def where(self, rows: NDArray[np.bool_] | slice) -> Touchpoints:
        """Those for which the mask holds, or the slice, in the same order."""
        return Touchpoints(
            row=self.row[rows],
            type=self.type[rows],
            channel=self.channel[rows],
            action=self.action[rows],
            at=self.at[rows],
            value=self.value[rows],
        )


def _codes(names: tuple[str, ...], items: Sequence[str | None]) -> Codes:
    index = {name: code for code, name in enumerate(names)}
    return np.array([-1 if item is None else index.get(item, -1) for item in items], dtype=np.int64)


def _within(field: str, values: ArrayLike, low: float, high: float) -> Array:
    array = np.asarray(values, dtype=np.float64)
    wrong = ~(np.isfinite(array) & (array >= low) & (array <= high))
    if wrong.any():
        positions = np.flatnonzero(wrong)[:10]
        what = "must be a finite number" if np.isinf(low) else "must be a time in the years 1 to 9999"
        raise InvalidInput([FieldError(field=f"[{i}].{field}", detail=what) for i in positions])
    return array
