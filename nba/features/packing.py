"""A row of feature state as bytes, and the passage from one layout to another.

    version (1 byte) · layout fingerprint (6) · which columns differ from the empty state (bits) · float64s

Most customers have used few types and channels, so most columns are empty. Numbers are little-endian.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nba.errors import CorruptArtefact, SchemaMismatch
from nba.features import rings
from nba.features.layout import Array, Layout

_VERSION = b"\x01"
_HEAD = 7


def encode(layout: Layout, data: Array) -> list[bytes]:
    """(n, width) → n blobs."""
    head = _VERSION + bytes.fromhex(layout.fingerprint)
    filled = data != layout.empty
    values = data[filled].astype("<f8", copy=False).tobytes()
    bits = np.packbits(filled, axis=1)
    flags, step = bits.tobytes(), bits.shape[1]
    ends = (8 * np.cumsum(filled.sum(axis=1))).tolist()
    starts = [0, *ends[:-1]]
    return [
        head + flags[i * step : (i + 1) * step] + values[start:end]
        for i, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def decode(layout: Layout, blobs: Sequence[bytes]) -> Array:
    """n blobs of this layout → (n, width). Raises CorruptArtefact where the lengths don't fit."""
    step = (layout.width + 7) // 8
    body = _HEAD + step
    flags = b"".join([blob[_HEAD:body] for blob in blobs])
    values = b"".join([blob[body:] for blob in blobs])
    if len(flags) != step * len(blobs):
        raise CorruptArtefact("a packed feature state is shorter than its header says")
    bits = np.frombuffer(flags, dtype=np.uint8).reshape(len(blobs), step)
    filled = np.unpackbits(bits, axis=1, count=layout.width).view(np.bool_)
    lengths = np.array([len(blob) - body for blob in blobs])
    if (lengths != 8 * filled.sum(axis=1)).any():
        raise CorruptArtefact("a packed feature state is not as long as its header says")
    data = np.tile(layout.empty, (len(blobs), 1))
    data[filled] = np.frombuffer(values, dtype="<f8")
    return data


def by_fingerprint(blobs: Sequence[bytes | None]) -> dict[str, list[int]]:
    """The positions of the blobs of each layout; those that are None are left out."""
    groups: dict[bytes, list[int]] = {}
    for i, blob in enumerate(blobs):
        if blob is not None:
            groups.setdefault(blob[:_HEAD], []).append(i)
    for head in groups:
        if head[:1] != _VERSION:
            raise SchemaMismatch("a feature state was written by another version of this program")
    return {head[1:].hex(): rows for head, rows in groups.items()}


def find(fingerprint: str, layout: Layout, layouts: Mapping[str, Layout]) -> Layout:
    """The layout of that fingerprint. Raises SchemaMismatch where it is not known."""
    if fingerprint == layout.fingerprint:
        return layout
    if fingerprint not in layouts:
        raise SchemaMismatch(f"a feature state has the layout {fingerprint}, which is not among those known")
    return layouts[fingerprint]


def carry_over(source: Layout, target: Layout, data: Array) -> Array:
    """(n, source.width) → (n, target.width): columns of the same name, and rings day by day."""
    out = np.tile(target.empty, (len(data), 1))
    position = {name: i for i, name in enumerate(source.columns[: source.buckets])}
    shared = [(i, position[name]) for i, name in enumerate(target.columns) if name in position]
    after, before = np.array(shared, dtype=np.int64).T
    out[:, after] = data[:, before]
    if source.rings and target.rings:
        rings.carry_over(source, target, data, out)
    return out
