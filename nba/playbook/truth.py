"""Three-valued array code: what the rule expressions compile to.

A boolean expression is, row by row, surely true, surely false, or neither: unknown (Kleene 1938). Every
row is computed by itself, so one row gives what it gives among a million.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Truth = tuple[Bools, Bools]  # (surely true, surely false)
BooleanCode = Callable[[Floats], Truth]
NumberCode = Callable[[Floats], Floats]


def every(parts: list[BooleanCode]) -> BooleanCode:
    """Kleene's and."""

    def code(X: Floats) -> Truth:
        truths = [part(X) for part in parts]
        return np.all([t for t, _ in truths], axis=0), np.any([f for _, f in truths], axis=0)

    return code


def some(parts: list[BooleanCode]) -> BooleanCode:
    """Kleene's or."""

    def code(X: Floats) -> Truth:
        truths = [part(X) for part in parts]
        return np.any([t for t, _ in truths], axis=0), np.all([f for _, f in truths], axis=0)

    return code


def negated(part: BooleanCode) -> BooleanCode:
    """Unknown stays unknown."""

    def code(X: Floats) -> Truth:
        true, false = part(X)
        return false, true

    return code


def same(left: BooleanCode, right: BooleanCode) -> BooleanCode:
    """Whether both are true or both are false."""

    def code(X: Floats) -> Truth:
        (a, not_a), (b, not_b) = left(X), right(X)
        return (a & b) | (not_a & not_b), (a & not_b) | (not_a & b)

    return code


def always(value: bool) -> BooleanCode:
    """A constant."""

    def code(X: Floats) -> Truth:
        true = np.full(len(X), value)
        return true, ~true

    return code


def truthy(column: int) -> BooleanCode:
    """A boolean column."""

    def code(X: Floats) -> Truth:
        values = X[:, column]
        return values == 1.0, values == 0.0

    return code


def is_known(column: int) -> BooleanCode:
    """Never unknown itself."""

    def code(X: Floats) -> Truth:
        missing = np.isnan(X[:, column])
        return ~missing, missing

    return code


def is_in(column: int, codes: Floats) -> BooleanCode:
    """Whether a column's value is one of `codes`."""

    def code(X: Floats) -> Truth:
        values = X[:, column]
        true: Bools = np.isin(values, codes)
        return true, ~true & ~np.isnan(values)

    return code


def compared(op: Callable[[Floats, Floats], Bools], left: NumberCode, right: NumberCode) -> BooleanCode:
    """Unknown where either side is."""

    def code(X: Floats) -> Truth:
        a, b = left(X), right(X)
        unknown = np.isnan(a) | np.isnan(b)
        true: Bools = op(a, b)
        return true & ~unknown, ~true & ~unknown

    return code


def number(value: float) -> NumberCode:
    """A constant."""

    def code(X: Floats) -> Floats:
        return np.full(len(X), value)

    return code


def column(column: int) -> NumberCode:
    """A column of numbers."""

    def code(X: Floats) -> Floats:
        return X[:, column]

    return code


def combined(op: Callable[[Floats, Floats], Floats], left: NumberCode, right: NumberCode) -> NumberCode:
    """Unknown where the result is not finite."""

    def code(X: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            value = op(left(X), right(X))
        return np.where(np.isfinite(value), value, np.nan)

    return code
