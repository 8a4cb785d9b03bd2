"""On real data. Bounds are wide: they catch a broken model or a leak, not a small change."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from training.propensity import cases
from training.propensity.leakage import LIMIT, explained
from training.propensity.table import from_frame

DATA = Path(os.environ.get("NBA_DATA_DIR", "../shared/data"))
needs = {
    name: pytest.mark.skipif(not (DATA / name).is_dir(), reason=f"{name} is not in NBA_DATA_DIR")
    for name in ("telco-churn", "bank-marketing", "online-retail", "online-shoppers")
}


@needs["telco-churn"]
def test_telco_churn_is_ranked_as_well_as_is_usual_and_calibrated() -> None:
    (row,) = cases.telco(DATA)
    assert 0.83 < row["roc_auc"] < 0.87
    assert row["calibration_error"] < 0.04
    assert row["split"] == "customer"


@needs["bank-marketing"]
def test_bank_marketing_is_usual_at_random_and_harder_by_time() -> None:
    random, later = cases.bank(DATA)
    assert 0.77 < random["roc_auc"] < 0.82
    assert random["calibration_error"] < 0.02
    assert 0.55 < later["roc_auc"] < random["roc_auc"]
    assert later["base_rate"] > 2 * random["base_rate"]


@needs["online-retail"]
def test_online_retail_inactivity_is_foreseen_three_months_ahead() -> None:
    (row,) = cases.online_retail(DATA)
    assert 0.74 < row["roc_auc"] < 0.82
    assert row["log_loss"] < row["base_log_loss"] - 0.05
    assert row["split"] == "time"


@needs["telco-churn"]
@needs["bank-marketing"]
@needs["online-retail"]
@needs["online-shoppers"]
def test_no_honest_feature_of_the_public_sets_looks_like_a_leak() -> None:
    """Not even the two that are known as half a leak: a call's duration and a page's value."""
    bank = pl.read_parquet(DATA / "bank-marketing" / "bank_additional_full.parquet")
    shoppers = pl.read_parquet(DATA / "online-shoppers")
    tables = {
        "bank": from_frame(bank, "y"),
        "shoppers": from_frame(shoppers, "Revenue"),
        "telco": cases.telco_table(DATA),
        "retail": cases.online_retail_table(DATA),
    }
    most = {name: max(explained(table).values()) for name, table in tables.items()}
    assert all(share < 0.8 * LIMIT for share in most.values()), most
