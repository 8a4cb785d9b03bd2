"""Rows of numbers as the log keeps them: most of a decision's features are 0 or not known, and take no room.

    version (1 byte) · which are neither 0 nor NaN (bits) · which are NaN (bits) · the others as float64s

The length is odd, so that rows of plain float64s, which earlier versions wrote, are told apart and read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nba.errors import CorruptArtefact

Floats = NDArray[np.float64]
_VERSION = b"\x01"


def pack(rows: Floats) -> list[bytes]:
    """(n, w) → n blobs; every bit is kept, the sign of a zero too."""
    rows = np.ascontiguousarray(rows, dtype="<f8")
    n, width = rows.shape
    marks = np.zeros((n, 2, (width + 7) // 8 * 8), dtype=np.bool_)  # each kind ends with a byte
    unknown = np.isnan(rows, out=marks[:, 1, :width])
    filled = np.not_equal(rows.view(np.int64), 0, out=marks[:, 0, :width])
    filled &= ~unknown
    bits = np.packbits(marks.reshape(n, -1), axis=1)
    flags, step = bits.tobytes(), bits.shape[1]
    values = rows[filled].tobytes()
    ends = (8 * np.cumsum(filled.sum(axis=1))).tolist()
    starts = [0, *ends[:-1]]
    return [
        _VERSION + flags[i * step : (i + 1) * step] + values[start:end]
        for i, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def unpack(blobs: Sequence[bytes], width: int) -> Floats:
    """n blobs → (n, width).

    Raises:
        CorruptArtefact: a blob is of another width.
    """
    if not blobs:
        return np.empty((0, width))
    if any(len(blob) % 2 == 0 for blob in blobs):
        return np.vstack([_one(blob, width) for blob in blobs])
    step = 2 * ((width + 7) // 8)
    flags = b"".join([blob[1 : 1 + step] for blob in blobs])
    values = b"".join([blob[1 + step :] for blob in blobs])
    if len(flags) != step * len(blobs):
        raise CorruptArtefact("a logged row is shorter than its header says")
    bits = np.unpackbits(np.frombuffer(flags, dtype=np.uint8).reshape(len(blobs), step), axis=1)
    halves = bits.view(np.bool_).reshape(len(blobs), 2, -1)[:, :, :width]
    filled, unknown = halves[:, 0], halves[:, 1]
    if any(len(b) - 1 - step != 8 * n for b, n in zip(blobs, filled.sum(axis=1).tolist(), strict=True)):
        raise CorruptArtefact("a logged row is not as long as its header says")
    rows = np.zeros((len(blobs), width))
    rows[filled] = np.frombuffer(values, dtype="<f8")
    rows[unknown] = np.nan
    return rows


def unpack_one(blob: bytes, width: int) -> Floats:
    """One blob → (width,)."""
    row: Floats = unpack([blob], width)[0]
    return row


def _one(blob: bytes, width: int) -> Floats:
    if len(blob) % 2:
        return unpack([blob], width)
    plain = np.frombuffer(blob, dtype="<f8")
    if len(plain) != width:
        raise CorruptArtefact("a logged row is of another width")
    return plain[None, :]
