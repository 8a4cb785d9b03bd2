"""Feature state: what a customer's touchpoints add up to, as a commutative monoid.

    x(now) = Σ v · 2^(−(now − t) / half-life)

A state is such sums, decayed to a reference time, with last-seen times and daily buckets. Folding is
addition after decay to the later time, and merging two identities is addition too, so late, parallel
and merged input gives the same state in any order, up to rounding. The columns are those of
`nba/features/layout.py`; names, rules and storage are kept out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nba.features import packing, rings
from nba.features.layout import NEVER, PER_GROUP, Array, Codes, Layout
from nba.features.touchpoints import DAY, Touchpoints
from nba.playbook.declaration import HALF_LIVES

__all__ = ["States", "Touchpoints"]

_RATES = np.array([*(1.0 / (h * DAY) for h in HALF_LIVES), 0.0])  # halvings a second; totals have none
_GROUP = np.arange(PER_GROUP)
_ROWS, _TOUCHPOINTS = 256, 8_192  # worked on at once


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """The states of n customers.

    Attributes:
        layout: what each column is.
        data: (n, layout.width), not to be written to.
    """

    layout: Layout
    data: Array

    @classmethod
    def empty(cls, layout: Layout, n: int) -> States:
        """n customers of whom nothing is known: the neutral element of `merge`."""
        return cls(layout, np.tile(layout.empty, (n, 1)))

    @classmethod
    def of(cls, layout: Layout, n: int, touchpoints: Touchpoints) -> States:
        """What these touchpoints alone add up to."""
        return cls.empty(layout, n).fold(touchpoints)

    @classmethod
    def concat(cls, parts: Sequence[States]) -> States:
        """One after the other; at least one, all of one layout."""
        return cls(parts[0].layout, np.concatenate([part.data for part in parts]))

    @classmethod
    def unpack(
        cls, layout: Layout, blobs: Sequence[bytes | None], layouts: Mapping[str, Layout] | None = None
    ) -> States:
        """From `pack`; None is empty. Blobs of a former layout carry over what has the same name.

        Args:
            layouts: the former layouts by fingerprint.

        Raises:
            SchemaMismatch: a blob's layout is not known, or a newer version wrote it.
            CorruptArtefact: a blob's length is not what its header says.
        """
        data = np.tile(layout.empty, (len(blobs), 1))
        for fingerprint, rows in packing.by_fingerprint(blobs).items():
            source = packing.find(fingerprint, layout, layouts or {})
            part = cls(source, packing.decode(source, [blobs[i] or b"" for i in rows]))
            data[rows] = part.relayout(layout).data
        return cls(layout, data)

    def __len__(self) -> int:
        return len(self.data)

    def fold(self, touchpoints: Touchpoints) -> States:
        """With these touchpoints added; the order they come in does not matter, nor whether they are late."""
        known = touchpoints.declared()
        reference = self._reference.copy()
        np.maximum.at(reference, known.row, known.at)
        data = np.empty(self.data.shape)  # contiguous whatever self.data is: `_scatter` needs it flat
        for rows in _blocks(len(self), _ROWS):
            self.take(rows)._advance(reference[rows], out=data[rows])
        for some in _blocks(len(known), _TOUCHPOINTS):
            _scatter(self.layout, data, known.where(some))
        return States(self.layout, data)

    def merge(self, other: States) -> States:
        """Row by row, what both together have seen. Commutative and associative, up to rounding."""
        data = np.empty_like(self.data)
        for rows in _blocks(len(self), _ROWS):
            _merge(self.take(rows), other.take(rows), out=data[rows])
        return States(self.layout, data)

    def take(self, rows: Codes | Sequence[int] | slice) -> States:
        """Some of the customers, in the order asked for."""
        return States(self.layout, self.data[rows])

    def read(self, at: Array) -> Array:
        """The features at (n,) epoch seconds: (n, S) in the order of `schema.state_names`, NaN not known.

        A state keeps no history: it is to be read at or after its last touchpoint. Read earlier, it
        gives the features as of that touchpoint.
        """
        out = np.empty((len(self), len(self.layout.feature_names)))
        for rows in _blocks(len(self), _ROWS):
            self.take(rows)._read(at[rows], out=out[rows])
        return out

    def _read(self, at: Array, out: Array) -> None:
        layout, data = self.layout, self.data
        now = np.maximum(at, self._reference)
        decayed = layout.decayed
        np.multiply(data[:, :decayed], self._decay_to(now)[:, :decayed], out=out[:, :decayed])
        activity = decayed + layout.reference - layout.times
        _since(data[:, layout.times : layout.reference], now, out=out[:, decayed:activity])
        _shares(data[:, decayed : decayed + 24], out=out[:, activity : activity + 24])
        _shares(data[:, decayed + 24 : layout.totals], out=out[:, activity + 24 : activity + 31])
        tickets = activity + 31 + len(layout.types)
        out[:, activity + 31 : tickets] = data[:, layout.totals : layout.times]
        out[:, tickets] = 0.0
        if layout.tickets:
            opened, closed = layout.tickets
            out[:, tickets] = np.maximum(0.0, data[:, opened] - data[:, closed])
        if layout.rings:
            rings.window_sums(layout, data, rings.day_of(now), out=out[:, tickets + 1 :])

    def pack(self) -> list[bytes]:
        """Each row as bytes: the layout's fingerprint, which columns are not empty, and their values."""
        return packing.encode(self.layout, self.data)

    def relayout(self, layout: Layout) -> States:
        """The same customers under another layout; columns of the same name carry over."""
        if layout == self.layout:
            return self
        return States(layout, packing.carry_over(self.layout, layout, self.data))

    def _advance(self, reference: Array, out: Array) -> None:
        """The same states with a later reference time, (n,), into (n, width)."""
        layout = self.layout
        np.multiply(self.data[:, : layout.times], self._decay_to(reference), out=out[:, : layout.times])
        out[:, layout.times : layout.buckets] = self.data[:, layout.times : layout.buckets]
        out[:, layout.reference] = reference
        if layout.rings:
            out[:, layout.buckets :] = rings.kept(layout, self.data, rings.day_of(reference))

    @property
    def _reference(self) -> Array:
        return self.data[:, self.layout.reference]

    def _decay_to(self, now: Array) -> Array:
        """(n, sums): what is left of each summed column when the reference moves on to `now`, (n,)."""
        left = np.exp2(np.multiply.outer(self._reference - now, _RATES))
        return np.take(left, self.layout.half_lives, axis=1)


def _merge(one: States, other: States, out: Array) -> None:
    layout = one.layout
    advanced = np.empty_like(other.data)
    reference = np.maximum(one._reference, other._reference)
    one._advance(reference, out=out)
    other._advance(reference, out=advanced)
    times = slice(layout.times, layout.buckets)
    out[:, : layout.times] += advanced[:, : layout.times]
    np.maximum(out[:, times], advanced[:, times], out=out[:, times])
    out[:, layout.buckets :] += advanced[:, layout.buckets :]


def _blocks(n: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size`; what a block needs in between stays in the cache."""
    return (slice(i, i + size) for i in range(0, n, size))


def _scatter(layout: Layout, data: Array, t: Touchpoints) -> None:
    """Add declared touchpoints to rows whose reference times are already theirs, in the given order."""
    base = t.row * layout.width
    weight = np.exp2(np.multiply.outer(t.at - data[t.row, layout.reference], _RATES[:-1]))
    day = rings.day_of(t.at)
    hour = ((t.at - day * DAY) // 3600.0).astype(np.int64)
    columns = np.empty((len(t), 2 * PER_GROUP + 3), dtype=np.int64)
    columns[:, :PER_GROUP] = t.type[:, None] * PER_GROUP + _GROUP
    columns[:, PER_GROUP:-3] = (len(layout.types) + np.maximum(t.channel, 0))[:, None] * PER_GROUP + _GROUP
    columns[:, -3] = layout.decayed + hour
    columns[:, -2] = layout.decayed + 24 + (day + 3) % 7  # the epoch began on a Thursday; Monday is 0
    columns[:, -1] = layout.totals + t.type
    amounts = np.ones(columns.shape)
    amounts[:, : len(HALF_LIVES)] = weight
    np.multiply(weight, t.value[:, None], out=amounts[:, len(HALF_LIVES) : PER_GROUP])
    np.multiply(amounts[:, :PER_GROUP], (t.channel >= 0)[:, None], out=amounts[:, PER_GROUP:-3])
    amounts[:, -3:-1] = (weight[:, -1] * (t.type != layout.contact))[:, None]
    flat = data.reshape(-1)
    columns += base[:, None]
    np.add.at(flat, columns.reshape(-1), amounts.reshape(-1))
    _latest(layout, flat, base, t)
    if layout.rings:
        rings.scatter(layout, data, t, day)


def _latest(layout: Layout, flat: Array, base: Codes, t: Touchpoints) -> None:
    """Last seen by type, last contact by action, and the first of all, which is kept negated."""
    times = base + layout.times
    np.maximum.at(flat, times + t.type, t.at)
    np.maximum.at(flat, base + layout.first, -t.at)
    named = (t.type == layout.contact) & (t.action >= 0)
    if named.any():
        np.maximum.at(flat, (times + len(layout.types) + t.action)[named], t.at[named])


def _since(times: Array, now: Array, out: Array) -> None:
    """Days since each of the times, NaN for never; the last column is the negated first."""
    np.subtract(now[:, None], times[:, :-1], out=out[:, :-1])
    np.add(now, times[:, -1], out=out[:, -1])
    out /= DAY
    out[times == NEVER] = np.nan


def _shares(counts: Array, out: Array) -> None:
    """Each count over their sum, NaN where there are none; decay to now would cancel out."""
    total = counts.sum(axis=1, keepdims=True)
    total[total == 0.0] = np.nan
    np.divide(counts, total, out=out)
