"""One arm of a ratio metric as sums: earned per order, opens per message, where both are sums per customer.

The customer stays the unit: orders of one customer depend on each other, so a ratio of their sums has an
error that no count of orders knows. It keeps out any comparison of arms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.ab.moments import finite
from nba.errors import InvalidInput

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """The sums of one arm, which add with +.

    Attributes:
        n: customers.
        totals: Σ of numerator and denominator; then, for CUPED, of the same two from before.
        products: Σ of the products of each pair of them, as rows of a symmetric matrix, (2, 2) or (4, 4).
    """

    n: int
    totals: tuple[float, ...]
    products: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        width = len(self.totals)
        if width not in (2, 4):
            raise InvalidInput.of("totals", f"must be 2 sums, or 4 with those from before, but are {width}")
        if len(self.products) != width or any(len(row) != width for row in self.products):
            raise InvalidInput.of("products", f"must be {width} rows of {width}")
        if self.n < 0:
            raise InvalidInput.of("n", f"must be at least 0, but is {self.n}")
        for name, value in [("totals", x) for x in self.totals] + [
            ("products", x) for row in self.products for x in row
        ]:
            if not math.isfinite(value):
                raise InvalidInput.of(name, f"must be finite, but hold {value}")
        self._check_products()

    @classmethod
    def of(
        cls,
        numerator: ArrayLike,
        denominator: ArrayLike,
        before: ArrayLike | None = None,
        before_denominator: ArrayLike | None = None,
    ) -> Ratio:
        """The sums of (n,) customers' numerator and denominator; from before too, both or none."""
        if (before is None) != (before_denominator is None):
            raise InvalidInput.of("before", "give before and before_denominator together, or neither")
        given = {"numerator": numerator, "denominator": denominator}
        if before is not None and before_denominator is not None:
            given |= {"before": before, "before_denominator": before_denominator}
        columns = {name: finite(name, values) for name, values in given.items()}
        sizes = {name: len(column) for name, column in columns.items()}
        for name, size in sizes.items():
            if size != sizes["numerator"]:
                raise InvalidInput.of(name, f"has {size} customers, but numerator has {sizes['numerator']}")
        table = np.column_stack(list(columns.values()))
        gram = table.T @ table
        return cls(
            n=len(table),
            totals=tuple(float(x) for x in table.sum(axis=0)),
            products=tuple(tuple(float(x) for x in row) for row in gram),
        )

    def __add__(self, other: Ratio) -> Ratio:
        if len(self.totals) != len(other.totals):
            raise InvalidInput.of(
                "before", "one of the two has no figures from before, so they can't be added"
            )
        return Ratio(
            n=self.n + other.n,
            totals=tuple(a + b for a, b in zip(self.totals, other.totals, strict=True)),
            products=tuple(
                tuple(a + b for a, b in zip(left, right, strict=True))
                for left, right in zip(self.products, other.products, strict=True)
            ),
        )

    @property
    def value(self) -> float:
        """Σ numerator / Σ denominator."""
        return self.totals[0] / self.totals[1]

    @property
    def means(self) -> Floats:
        """(2,) or (4,) per customer."""
        return np.asarray(self.totals) / self.n

    @property
    def covariance(self) -> Floats:
        """(2, 2) or (4, 4) over customers, with n − 1 below."""
        sums = np.asarray(self.totals)
        centred: Floats = (np.asarray(self.products) - np.outer(sums, sums) / self.n) / (self.n - 1)
        return centred

    def _check_products(self) -> None:
        """Cauchy and Schwarz for each column, and symmetry; but for rounding."""
        for i, total in enumerate(self.totals):
            squares = self.products[i][i]
            if squares < 0 or self.n * squares < total * total * (1 - 1e-9):
                raise InvalidInput.of("products", f"{squares:g} is less than {self.n} values can have")
        if not np.allclose(self.products, np.transpose(self.products), rtol=1e-9, atol=1e-12):
            raise InvalidInput.of("products", "must be the same above and below the diagonal")
