"""Earlier decisions learn, later ones value, and nothing that was not known yet takes part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.errors import NotEnoughData
from training.tune.splits import rolling


@given(
    seed=st.integers(0, 1_000),
    window=st.floats(0.0, 5.0),
    parts=st.integers(1, 5),
    held=st.floats(0.1, 0.5),
    ties=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_what_learns_was_mature_before_what_values_began(
    seed: int, window: float, parts: int, held: float, ties: bool
) -> None:
    times = np.sort(np.random.default_rng(seed).uniform(0.0, 100.0, 3_000))
    times = np.floor(times) if ties else times
    found = rolling(times, window, splits=parts, held=held)
    valued = [split.value for split in (*found.rolling, found.final)]
    assert len(found.rolling) == parts
    for split in (*found.rolling, found.final):
        assert times[split.learn].max() + window <= times[split.value].min()
    together = np.concatenate(valued)
    assert (np.diff(together) == 1).all(), "every decision after the first part values once, in order"
    assert together[-1] == 2_999
    assert len(found.final.value) == pytest.approx(held * 3_000, abs=40)


def test_decisions_whose_window_is_still_open_are_left_out_of_learning() -> None:
    times = np.arange(1_000.0)
    found = rolling(times, 50.0, splits=2, held=0.2)
    assert times[found.final.learn].max() == times[found.final.value].min() - 50.0


def test_a_log_that_lies_within_one_window_is_refused_with_figures() -> None:
    with pytest.raises(NotEnoughData, match="too few decisions to tune on") as error:
        rolling(np.linspace(0.0, 6.0, 5_000), 7.0, splits=3, held=0.25)
    assert error.value.figures["learned from"] == 0
    assert error.value.figures["decisions"] == 5_000
