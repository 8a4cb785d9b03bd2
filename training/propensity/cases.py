"""The models on three public sets, each split as its data allows, with nothing tuned on a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from training.propensity.fit import Fitted, Settings, fit_classifier
from training.propensity.splits import by_customer, by_time
from training.propensity.table import Table, from_frame

SEED = 7
DAY = 86_400.0
INACTIVITY = 90 * DAY
EVERY_DAYS = 14


def telco(data: Path) -> list[dict[str, Any]]:
    """Contractual churn of telecom customers, by customer: the mean of five splits that test each once.

    `roc_auc_sd` is the standard deviation between the five.
    """
    table = telco_table(data)
    splits = [by_customer(table, str(SEED), turn) for turn in range(5)]
    fits = [fit_classifier("churn", table, split, Settings(), SEED) for split in splits]
    means = {name: float(np.mean([f.metrics[name] for f in fits])) for name in fits[0].metrics}
    spread = float(np.std([f.metrics["roc_auc"] for f in fits], ddof=1))
    return [_row("telco-churn", "churn", fits[0]) | means | {"roc_auc_sd": spread}]


def telco_table(data: Path) -> Table:
    frame = pl.read_parquet(data / "telco-churn" / "telco_churn.parquet")
    return from_frame(frame, "Churn", customer="customerID")


def bank(data: Path) -> list[dict[str, Any]]:
    """Subscriptions after a call, without its duration: by row at random, and by time, which is harder.

    The rows are in the order of their dates, so the row's number is its time. The base rate rises from
    5 % to 40 % over it, which the calibration of a model of the past can't know.
    """
    table = bank_table(data)
    splits = (by_customer(table, str(SEED)), by_time(table, gap=0.0, salt=str(SEED)))
    fits = [fit_classifier("propensity", table, split, Settings(), SEED) for split in splits]
    return [_row("bank-marketing", "propensity", fitted) for fitted in fits]


def bank_table(data: Path) -> Table:
    frame = pl.read_parquet(data / "bank-marketing" / "bank_additional_full.parquet")
    return from_frame(frame.with_row_index("row"), "y", drop=["duration"], time="row")


def online_retail(data: Path) -> list[dict[str, Any]]:
    """Shop customers who buy nothing for 90 days, by time with a gap of 90 days."""
    table = online_retail_table(data)
    split = by_time(table, gap=INACTIVITY, salt=str(SEED))
    return [_row("online-retail", "churn", fit_classifier("churn", table, split, Settings(), SEED))]


def online_retail_table(data: Path) -> Table:
    """A row per customer and fortnight, while the last purchase is less than 90 days ago."""
    invoices = _invoices(data)
    last = invoices["at"].max()
    moments = _fortnights(invoices).filter(pl.col("at") + pl.duration(days=90) <= last)
    rows = _history(invoices, moments).filter(pl.col("recency") <= 90)
    following = invoices.select("customer_id", pl.col("at").alias("next"), "at").sort("at")
    rows = rows.sort("at").join_asof(
        following,
        on="at",
        by="customer_id",
        strategy="forward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    returned = (pl.col("next") <= pl.col("at") + pl.duration(days=90)).fill_null(False)
    return from_frame(
        rows.with_columns((~returned).alias("churn")).drop("next"), "churn", time="at", customer="customer_id"
    )


def _invoices(data: Path) -> pl.DataFrame:
    """One row per purchase: customer, when, its total. The two files overlap by nine days."""
    folder = data / "online-retail"
    columns = ["customer_id", "invoice_date", "quantity", "price"]
    older, newer = (
        pl.read_parquet(folder / f"online_retail_{years}.parquet", columns=columns).with_columns(
            pl.col("quantity").cast(pl.Int64), pl.col("invoice_date").cast(pl.Datetime("us"))
        )
        for years in ("2009_2010", "2010_2011")
    )
    older = older.filter(pl.col("invoice_date") < newer["invoice_date"].min())
    return (
        pl.concat([older, newer])
        .filter(pl.col("customer_id").is_not_null(), pl.col("quantity") > 0, pl.col("price") > 0)
        .group_by("customer_id", pl.col("invoice_date").alias("at"))
        .agg((pl.col("quantity") * pl.col("price")).sum().alias("spent"), pl.len().alias("lines"))
        .sort("customer_id", "at")
    )


def _fortnights(invoices: pl.DataFrame) -> pl.DataFrame:
    """(customer_id, at): every fortnight from the set's first day on, from each customer's first purchase."""
    first, last = invoices["at"].min(), invoices["at"].max()
    fortnights = pl.datetime_range(pl.lit(first), pl.lit(last), f"{EVERY_DAYS}d").dt.truncate("1d")
    grid = pl.select(fortnights.alias("at"))
    firsts = invoices.group_by("customer_id").agg(pl.col("at").min().alias("first"))
    return firsts.join(grid, how="cross").filter(pl.col("at") > pl.col("first")).drop("first")


def _history(invoices: pl.DataFrame, moments: pl.DataFrame) -> pl.DataFrame:
    """Recency, frequency and value strictly before each moment."""
    days = pl.col("at").diff().over("customer_id").dt.total_seconds() / DAY
    running = invoices.with_columns(
        pl.col("at").alias("last"),
        pl.col("at").first().over("customer_id").alias("first"),
        pl.col("spent").cum_count().over("customer_id").alias("purchases"),
        pl.col("spent").cum_sum().over("customer_id").alias("total"),
        pl.col("lines").cum_sum().over("customer_id").alias("total_lines"),
        days.alias("last_interval"),
    ).rename({"spent": "last_spent", "lines": "last_lines"})
    rows = moments.sort("at").join_asof(
        running.sort("at"), on="at", by="customer_id", allow_exact_matches=False, check_sortedness=False
    )
    for window in (30, 90, 180):
        rows = _window(rows, running, window)
    recency = (pl.col("at") - pl.col("last")).dt.total_seconds() / DAY
    tenure = (pl.col("at") - pl.col("first")).dt.total_seconds() / DAY
    interval = (tenure - recency) / (pl.col("purchases") - 1).replace(0, None)
    return rows.with_columns(
        recency.alias("recency"),
        tenure.alias("tenure"),
        interval.alias("mean_interval"),
        (recency / interval).alias("recency_in_intervals"),
        (pl.col("total") / pl.col("purchases")).alias("mean_spent"),
        pl.col("at").dt.ordinal_day().alias("day_of_year"),
    ).drop("last", "first")


def _window(rows: pl.DataFrame, running: pl.DataFrame, days: int) -> pl.DataFrame:
    """Purchases and spending of the last `days`, as a difference of running totals."""
    before = running.select("customer_id", "at", pl.col("purchases").alias("_n"), pl.col("total").alias("_t"))
    start = rows.with_columns((pl.col("at") - pl.duration(days=days)).alias("_start")).sort("_start")
    joined = start.join_asof(
        before.rename({"at": "_at"}).sort("_at"),
        left_on="_start",
        right_on="_at",
        by="customer_id",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    return joined.with_columns(
        (pl.col("purchases") - pl.col("_n").fill_null(0)).alias(f"purchases_{days}d"),
        (pl.col("total") - pl.col("_t").fill_null(0)).alias(f"spent_{days}d"),
    ).drop("_n", "_t", "_start", "_at", strict=False)


def _row(data: str, model: str, fitted: Fitted) -> dict[str, Any]:
    top = list(fitted.shap)[:5]
    return {"data": data, "model": model, "split": fitted.parameters["split"], **fitted.metrics, "top": top}
