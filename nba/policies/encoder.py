"""Raw features → bounded columns for a linear model. Fitted once, then fixed; knows no arms, no rewards.

A number becomes its scaled value beside the one-hots of its quantile bins; a boolean, a category and
"not known" become one-hots. Columns that never vary in training are left out.

A skewed non-negative number x (a count, an amount) is bent by x / (x + m), m the median of its positive
values, before scaling: like a logarithm it tells 0 from 1 better than 30 from 31, but it is bounded, and
division is exactly rounded where log1p is not, so an encoded row has the same bits on every processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nba.playbook.declaration import Feature, FeatureSchema
from nba.policies.policy import Floats, Ints

CLIP = 4.0  # standard deviations
_SAMPLE = 100_000  # rows from which medians and quantiles are taken
_SKEWED = 2.0
_ARRAYS = ("value_source", "low", "high", "bend", "median", "mean", "scale")
_BANDS = ("band_source", "band_low", "band_high", "missing_source")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoder:
    """d columns: values, then bands (1 where low < x ≤ high), then indicators of "not known".

    Attributes:
        names: (d,) column names, for people.
        value_source: (v,) feature of each value column.
        low, high: (v,) x is clipped to them.
        bend, median: (v,) t = x / (bend·x + median); bend 0 and median 1 leave x as it is.
        mean, scale: (v,) the column is (t − mean)·scale; 0 where x is not known.
        band_source, band_low, band_high: (b,) feature and bounds of each band.
        missing_source: (m,) feature of each indicator.
    """

    names: tuple[str, ...]
    value_source: Ints
    low: Floats
    high: Floats
    bend: Floats
    median: Floats
    mean: Floats
    scale: Floats
    band_source: Ints
    band_low: Floats
    band_high: Floats
    missing_source: Ints

    @classmethod
    def fit(cls, schema: FeatureSchema, X: Floats, bins: int = 4, columns: int = 400) -> Encoder:
        """Fit on (n, F) training features.

        Above `columns` columns, bins are left out, those of the state features first (a playbook has
        hundreds of them, in four half-lives each; what it declares itself comes before).
        """
        sample = X[:: max(len(X) // _SAMPLE, 1)]
        parts = [_feature(i, f, sample[:, i], bins) for i, f in enumerate(schema.features)]
        spent = sum(len(p.values) + len(p.bands) + len(p.missing) for p in parts)
        order = sorted(range(len(parts)), key=lambda i: schema.features[i].group == "state")
        kept = set()
        for i in order:
            spent += len(parts[i].bins)
            if spent > columns:
                break
            kept.add(i)
        values = [v for p in parts for v in p.values]
        bands = [b for i, p in enumerate(parts) for b in (*p.bands, *(p.bins if i in kept else ()))]
        missing = [m for p in parts for m in p.missing]
        return cls._of(values, bands, missing)

    @classmethod
    def _of(cls, values: list[_Value], bands: list[_Band], missing: list[_Missing]) -> Encoder:
        value = np.array([v[1:] for v in values], dtype=np.float64).reshape(-1, 7).T
        band = np.array([b[1:] for b in bands], dtype=np.float64).reshape(-1, 3).T
        return cls(
            names=(*(v[0] for v in values), *(b[0] for b in bands), *(m[0] for m in missing)),
            value_source=value[0].astype(np.int64),
            **dict(zip(_ARRAYS[1:], value[1:].copy(), strict=True)),
            band_source=band[0].astype(np.int64),
            band_low=band[1].copy(),
            band_high=band[2].copy(),
            missing_source=np.array([m[1] for m in missing], dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def source(self) -> Ints:
        """(d,) the feature that each column comes from."""
        return np.concatenate((self.value_source, self.band_source, self.missing_source))

    def encode(self, features: Floats) -> Floats:
        """(n, F) features, NaN where not known → (n, d), every entry within ±4."""
        v, b = len(self.value_source), len(self.value_source) + len(self.band_source)
        encoded = np.empty((len(features), len(self.names)))
        x = features.take(self.value_source, axis=1)
        np.maximum(x, self.low, out=x)
        np.minimum(x, self.high, out=x)
        x /= self.bend * x + self.median
        x -= self.mean
        np.multiply(x, self.scale, out=encoded[:, :v])
        encoded[:, :v][np.isnan(x)] = 0.0
        banded = features.take(self.band_source, axis=1)
        np.logical_and(banded > self.band_low, banded <= self.band_high, out=encoded[:, v:b])
        np.isnan(features.take(self.missing_source, axis=1), out=encoded[:, b:])
        return encoded

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything but the names, by name; `from_arrays` takes it back."""
        return {name: getattr(self, name) for name in (*_ARRAYS, *_BANDS)}

    @classmethod
    def from_arrays(cls, names: tuple[str, ...], arrays: Mapping[str, NDArray[np.generic]]) -> Encoder:
        return cls(names=names, **{name: arrays[name] for name in (*_ARRAYS, *_BANDS)})  # type: ignore[arg-type]


# Columns before they are stacked: name, feature, then the numbers of the Encoder's attributes.
_Value = tuple[str, int, float, float, float, float, float, float]
_Band = tuple[str, int, float, float]
_Missing = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Columns:
    """What one feature becomes; `bins` may be left out, the rest may not."""

    values: tuple[_Value, ...]
    bands: tuple[_Band, ...]
    bins: tuple[_Band, ...]
    missing: tuple[_Missing, ...]


def _feature(i: int, feature: Feature, column: Floats, bins: int) -> _Columns:
    unknown = np.isnan(column)
    x = column[np.isfinite(column)]
    missing: tuple[_Missing, ...] = ((f"{feature.name} unknown", i),) if 0 < unknown.mean() < 1 else ()
    if feature.kind == "number":
        if len(x) == 0 or x.min() == x.max():
            return _Columns((), (), (), missing)
        return _Columns((_value(i, feature.name, x),), (), _bins(i, feature.name, x, bins), missing)
    labels = feature.categories if feature.kind == "category" else ("no", "yes")
    codes = range(len(labels)) if feature.kind == "category" else (1,)
    bands = [
        (f"{feature.name}={labels[c]}", i, c - 0.5, c + 0.5) for c in codes if 0 < (column == c).mean() < 1
    ]
    return _Columns((), tuple(bands), (), missing)


def _value(i: int, name: str, x: Floats) -> _Value:
    spread = x.std()
    skew = ((x - x.mean()) ** 3).mean() / spread**3 if spread > 0 else 0.0
    if x.min() < 0 or skew < _SKEWED:
        mean, scale = x.mean(), 1.0 / max(spread, 1e-12)
        return name, i, mean - CLIP / scale, mean + CLIP / scale, 0.0, 1.0, mean, scale
    median = float(np.median(x[x > 0]))
    bent = x / (x + median)
    mean, scale = bent.mean(), 1.0 / max(bent.std(), 1e-12)
    top = min(mean + CLIP / scale, 1 - 1e-9)  # t → x by x = m·t / (1 − t)
    return name, i, 0.0, median * top / (1 - top), 1.0, median, mean, scale


def _bins(i: int, name: str, x: Floats, bins: int) -> tuple[_Band, ...]:
    """Quantile bins of the known values; the first is left out, since the intercept has it."""
    inner = np.unique(np.quantile(x, np.arange(1, bins) / bins))
    edges = [*inner[inner < x.max()], np.inf]
    return tuple((f"{name} in ({a:g}, {b:g}]", i, a, b) for a, b in pairwise(edges))
