"""Labelled sets become contexts and arms, and their columns know no label and no later context."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from experiments.bakeoff.columns import BLOCK, PRODUCTS, Rounds
from experiments.bakeoff.development import simulated
from experiments.bakeoff.tasks import FOLDER, names, of_frame, read
from nba.errors import InvalidInput
from tests.experiments.bakeoff.labelled import crossed, two_sided

KINDS = ("raw", "binned", "products")


def test_names_of_rows_are_left_out_and_gaps_stay_gaps() -> None:
    frame = pl.DataFrame(
        {
            "id": ["a", "b", "c", "d"],
            "colour": ["red", None, "blue", "red"],
            "size": [1, 2, None, 4],
            "label": ["no", "yes", "no", "no"],
        }
    )
    task = of_frame("shop", frame, "label")
    assert task.schema.names == ("colour", "size")
    np.testing.assert_array_equal(task.features[:, 0], [1.0, np.nan, 0.0, 1.0])
    np.testing.assert_array_equal(task.features[:, 1], [1.0, 2.0, np.nan, 4.0])
    assert task.label.tolist() == [0, 1, 0, 0]
    assert task.arms == 2


def test_an_order_is_that_of_its_seed_and_keeps_contexts_with_their_labels() -> None:
    task = two_sided()
    one, same, other = task.shuffled(3, 50), task.shuffled(3, 50), task.shuffled(4, 50)
    np.testing.assert_array_equal(one.features, same.features)
    assert not np.array_equal(one.features, other.features)
    for row in range(len(one)):
        found = np.flatnonzero((task.features == one.features[row]).all(axis=1))
        assert task.label[found].tolist() == [one.label[row]]


@pytest.mark.parametrize("kind", KINDS)
def test_columns_know_no_label_and_no_context_after_the_first_block(kind: str) -> None:
    task = two_sided(n=BLOCK + 200)
    changed = task.features.copy()
    changed[BLOCK:] += 100.0
    later = replace(task, features=changed, label=task.label[::-1])
    np.testing.assert_array_equal(Rounds(task).columns(kind)[:BLOCK], Rounds(later).columns(kind)[:BLOCK])


def test_products_hold_the_product_of_two_scaled_numbers() -> None:
    task = crossed()
    binned, products = Rounds(task).columns("binned"), Rounds(task).columns("products")
    np.testing.assert_array_equal(products[:, : binned.shape[1]], binned)
    wanted = binned[:, 1] * binned[:, 2]
    found = products[:, binned.shape[1] :]
    apart = np.abs(np.corrcoef(found.T, wanted)[-1, :-1])
    assert apart.max() > 0.999


def test_products_are_no_more_than_the_most_and_bounded() -> None:
    task = next(task for task in simulated(seed=1) if task.name == "diagnosis")
    binned, products = Rounds(task).columns("binned"), Rounds(task).columns("products")
    assert products.shape[1] == binned.shape[1] + PRODUCTS
    assert np.isfinite(products).all()
    assert np.abs(products).max() <= 6.0


def test_all_thirteen_public_sets_can_be_read(data_dir: Path) -> None:
    folder = data_dir / FOLDER
    found = names(folder)
    assert len(found) == 13
    for name in found:
        task = read(folder / f"{name}.parquet").shuffled(0, 300)
        assert 2 <= task.arms <= 26
        assert np.isfinite(Rounds(task).columns("products")).all()


def test_a_folder_without_sets_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no Parquet files"):
        names(tmp_path)
