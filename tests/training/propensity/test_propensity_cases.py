"""On real data. Bounds are wide: they catch a broken model or a leak, not a small change."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from training.propensity import cases
from training.propensity.leakage import LIMIT, explained
from training.propensity.table import from_frame


def test_telco_churn_is_ranked_as_well_as_is_usual_and_calibrated(data_dir: Path) -> None:
    (row,) = cases.telco(data_dir)
    assert 0.83 < row["roc_auc"] < 0.87
    assert row["calibration_error"] < 0.04
    assert row["split"] == "customer"


def test_bank_marketing_is_usual_at_random_and_harder_by_time(data_dir: Path) -> None:
    random, later = cases.bank(data_dir)
    assert 0.77 < random["roc_auc"] < 0.82
    assert random["calibration_error"] < 0.02
    assert 0.55 < later["roc_auc"] < random["roc_auc"]
    assert later["base_rate"] > 2 * random["base_rate"]


def test_online_retail_inactivity_is_foreseen_three_months_ahead(data_dir: Path) -> None:
    (row,) = cases.online_retail(data_dir)
    assert 0.74 < row["roc_auc"] < 0.82
    assert row["log_loss"] < row["base_log_loss"] - 0.05
    assert row["split"] == "time"


def test_no_honest_feature_of_the_public_sets_looks_like_a_leak(data_dir: Path) -> None:
    """Not even the two that are known as half a leak: a call's duration and a page's value."""
    bank = pl.read_parquet(data_dir / "bank-marketing" / "bank_additional_full.parquet")
    shoppers = pl.read_parquet(data_dir / "online-shoppers")
    tables = {
        "bank": from_frame(bank, "y"),
        "shoppers": from_frame(shoppers, "Revenue"),
        "telco": cases.telco_table(data_dir),
        "retail": cases.online_retail_table(data_dir),
    }
    most = {name: max(explained(table).values()) for name, table in tables.items()}
    assert all(share < 0.8 * LIMIT for share in most.values()), most
