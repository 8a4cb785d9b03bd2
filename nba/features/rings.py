"""Exact windows: what a type adds up to on each of the last whole UTC days.

A ring has one slot a day, slot `day mod days`, so a day keeps its slot for as long as it is kept.
With its reference day a ring holds the days in (reference − days, reference]; two rings add once both
have dropped what is too old for the later reference day. A window is never longer than the ring and ends
on or after the reference day, so nothing that a window needs is ever dropped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nba.features.layout import Array, Codes, Layout
from nba.features.touchpoints import DAY, Touchpoints


def day_of(at: Array) -> Codes:
    """Epoch seconds → whole days since 1970-01-01, UTC."""
    return np.floor(at / DAY).astype(np.int64)


def scatter(layout: Layout, data: Array, t: Touchpoints, day: Codes) -> None:
    """Add touchpoints of the given UTC days to rows whose reference times are already theirs."""
    recent = day > day_of(data[t.row, layout.reference]) - layout.days
    mine = (t.type[:, None] == layout.ring_types) & recent[:, None]
    amount = np.where(layout.ring_values, t.value[:, None], 1.0)
    slot = t.row * layout.width + layout.buckets + day % layout.days
    columns = slot[:, None] + np.arange(len(layout.rings)) * layout.days
    np.add.at(data.reshape(-1), columns.reshape(-1), np.where(mine, amount, 0.0).reshape(-1))


def kept(layout: Layout, data: Array, today: Codes) -> Array:
    """(n, rings · days) the rings of state rows as they stand once the reference day is `today`, (n,)."""
    recent = slot_days(layout, data) > (today - layout.days)[:, None]
    held = data[:, layout.buckets :].reshape(len(data), len(layout.rings), layout.days)
    return np.where(recent[:, None, :], held, 0.0).reshape(len(data), -1)


def window_sums(layout: Layout, data: Array, today: Codes, out: Array) -> None:
    """What each window of the layout adds up to, the window ending with `today`, (n,): (n, windows)."""
    age = today[:, None] - slot_days(layout, data)
    held = data[:, layout.buckets :].reshape(len(data), len(layout.rings), layout.days)
    for i, window in enumerate(layout.windows):
        ring = held[:, layout.rings.index((window.type, window.measure))]
        np.sum(np.where(age < window.days, ring, 0.0), axis=1, out=out[:, i])


def carry_over(source: Layout, target: Layout, data: Array, out: Array) -> None:
    """Move the rings that both layouts have from rows of one to rows of the other."""
    days = slot_days(source, data)
    recent: NDArray[np.bool_] = days > (days.max(axis=1, initial=0, keepdims=True) - target.days)
    rows, slots = np.nonzero(recent)
    for key in set(source.rings) & set(target.rings):
        before = source.buckets + source.rings.index(key) * source.days
        after = target.buckets + target.rings.index(key) * target.days
        out[rows, after + days[rows, slots] % target.days] = data[rows, before + slots]


def slot_days(layout: Layout, data: Array) -> Codes:
    """(n, days) the UTC day that each slot of a state row stands for."""
    reference = day_of(data[:, layout.reference])[:, None]
    return reference - (reference - np.arange(layout.days)) % layout.days
