"""Rows of numbers as the log keeps them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nba.blobs import pack, unpack
from nba.errors import CorruptArtefact

ROWS = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(1, 40)),
    elements=st.one_of(st.sampled_from([0.0, -0.0, np.nan, np.inf, 1.0]), st.floats(allow_nan=False)),
)


@given(ROWS)
def test_every_bit_comes_back(rows: np.ndarray) -> None:
    again = unpack(pack(rows), rows.shape[1])
    assert (np.isnan(again) == np.isnan(rows)).all()
    known = ~np.isnan(rows)
    assert (again.view(np.int64) == rows.view(np.int64))[known].all()


def test_rows_of_an_earlier_version_are_read_beside_those_of_this_one() -> None:
    rows = np.array([[1.0, 0.0, np.nan], [0.0, 2.0, -3.0]])
    mixed = [rows[0].tobytes(), pack(rows)[1]]
    assert np.array_equal(unpack(mixed, 3), rows, equal_nan=True)


def test_what_is_zero_or_not_known_takes_no_room() -> None:
    rows = np.zeros((1, 160))
    rows[0, 80:] = np.nan
    assert len(pack(rows)[0]) == 1 + 2 * 20


@pytest.mark.parametrize("width", [2, 20, 200])
def test_another_width_is_no_row(width: int) -> None:
    rows = np.array([[1.0, 2.0, 3.0]])
    for blob in (pack(rows)[0], rows[0].tobytes()):
        with pytest.raises(CorruptArtefact):
            unpack([blob], width)


def test_no_rows_are_no_rows() -> None:
    assert unpack([], 7).shape == (0, 7)
