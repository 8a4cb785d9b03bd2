"""Products of rows with a matrix that come out the same, bit for bit, alone or in bulk.

BLAS promises the same bits for the same shape only, and OpenBLAS splits larger products over threads,
which moves bits too. So each row is a product of its own, with tiles of one shape, small enough for one
thread. Knows no policies.
"""

from __future__ import annotations

import numpy as np

from nba.policies.policy import Floats

_TILE = 8192  # entries; OpenBLAS starts a second thread at 9216


def tiles(matrix: Floats) -> Floats:
    """(k, d) → (t, d, w): transposed and cut into tiles of w rows, the last filled with zeros."""
    k, d = matrix.shape
    width = min(max(_TILE // max(d, 1), 1), max(k, 1))
    count = -(-k // width)
    padded = np.zeros((count * width, d))
    padded[:k] = matrix
    return np.ascontiguousarray(padded.reshape(count, width, d).transpose(0, 2, 1))


def whole(tiled: Floats, k: int) -> Floats:
    """(t, d, w) → the (k, d) matrix that was cut."""
    t, d, w = tiled.shape
    return tiled.transpose(0, 2, 1).reshape(t * w, d)[:k]


def times(rows: Floats, tiled: Floats, k: int) -> Floats:
    """(…, d) rows and the tiles of a (k, d) matrix → (…, k)."""
    products: Floats = np.matmul(rows[..., None, None, :], tiled)
    return products.reshape(*rows.shape[:-1], tiled.shape[0] * tiled.shape[2])[..., :k]
