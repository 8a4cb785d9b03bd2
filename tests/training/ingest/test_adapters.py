"""The adapters on the data as published."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from nba.errors import InvalidInput
from nba.features.history import scan
from tests.training.ingest.conftest import AS_OF
from tests.training.ingest.look import fingerprint
from training.ingest.adapters import ADAPTERS, adapter, online_retail
from training.ingest.run import IngestReport, ingest


def _ingest(name: str, source: Path, history: Path) -> IngestReport:
    quarantine = history / "quarantine.jsonl"
    return ingest(adapter(name)(source), history=history, quarantine=quarantine, as_of=AS_OF)


def _counts(history: Path) -> dict[str, int]:
    return dict(scan(history).group_by("type").len().collect().iter_rows())


@pytest.mark.parametrize("name", sorted(set(ADAPTERS) - {"online-retail"}))
def test_running_an_adapter_twice_changes_nothing(name: str, data_dir: Path, tmp_path: Path) -> None:
    first = _ingest(name, data_dir / name, tmp_path)
    before = fingerprint(tmp_path)
    second = _ingest(name, data_dir / name, tmp_path)
    assert (first.duplicates, first.quarantined) == (0, {})
    assert (second.accepted, second.duplicates) == (0, first.accepted)
    assert fingerprint(tmp_path) == before


def test_starbucks_events_are_named_offers_and_purchases(data_dir: Path, tmp_path: Path) -> None:
    source = data_dir / "starbucks-offers"
    _ingest("starbucks-offers", source, tmp_path)
    raw = pl.read_parquet(source / "transcript.parquet")
    published = dict(raw.group_by("event").len().iter_rows())
    rows = scan(tmp_path).collect()
    counts = _counts(tmp_path)
    assert counts["contact"] == published["offer received"]
    assert counts["opened"] == published["offer viewed"]
    assert counts["completed"] == published["offer completed"]
    assert counts["purchase"] == published["transaction"]
    assert counts["profile"] == pl.read_parquet(source / "profile.parquet").height
    assert set(rows.filter(type="contact")["action"]) == {
        *("bogo-10-7d", "bogo-10-5d", "bogo-5-7d", "bogo-5-5d", "informational-4d", "informational-3d"),
        *("discount-5-10d", "discount-3-7d", "discount-2-10d", "discount-2-7d"),
    }
    assert rows.filter(type="purchase")["value"].sum() == raw["amount"].sum()
    assert rows.filter(type="completed")["value"].sum() == raw["reward"].sum()
    waves = rows.filter(type="contact")["occurred_at"].unique().sort()
    assert [int((wave - waves[0]).total_seconds() // 3600) for wave in waves] == [0, 168, 336, 408, 504, 576]


def test_starbucks_profiles_stand_before_the_first_offer(data_dir: Path, tmp_path: Path) -> None:
    _ingest("starbucks-offers", data_dir / "starbucks-offers", tmp_path)
    rows = scan(tmp_path).collect()
    profiles, events = rows.filter(type="profile"), rows.filter(pl.col("type") != "profile")
    assert profiles["occurred_at"].max() < events["occurred_at"].min()  # type: ignore[operator]
    said = [json.loads(text) for text in profiles["properties"]]
    assert {frozenset(one) for one in said} == {
        frozenset({"gender", "age", "income", "member_since", "member_days"}),
        frozenset({"member_since", "member_days"}),
    }
    assert min(one["member_days"] for one in said) > 0


def test_hillstrom_customers_are_contacted_by_segment(data_dir: Path, tmp_path: Path) -> None:
    _ingest("hillstrom", data_dir / "hillstrom", tmp_path)
    raw = pl.read_parquet(data_dir / "hillstrom" / "hillstrom.parquet")
    rows = scan(tmp_path).collect()
    counts = _counts(tmp_path)
    assert counts["profile"] == rows["customer_id"].n_unique() == raw.height
    assert counts["contact"] == raw.filter(pl.col("segment") != "No E-Mail").height
    assert counts["visit"] == raw["visit"].sum()
    assert rows.filter(type="purchase")["value"].sum() == pytest.approx(raw["spend"].sum())
    assert set(rows.filter(type="contact")["action"]) == {"mens-email", "womens-email"}


def test_telco_attributes_leave_the_label_out(data_dir: Path, tmp_path: Path) -> None:
    _ingest("telco-churn", data_dir / "telco-churn", tmp_path)
    raw = pl.read_parquet(data_dir / "telco-churn" / "telco_churn.parquet")
    rows = scan(tmp_path).collect()
    assert _counts(tmp_path) == {"profile": raw.height, "churned": raw.filter(Churn="Yes").height}
    attributes = json.loads(rows.filter(type="profile")["properties"][0])
    assert len(attributes) == len(raw.columns) - 2
    assert {"monthly_charges", "streaming_tv", "senior_citizen"} < set(attributes)
    assert not any("churn" in name for name in attributes)


def test_retail_lines_in_both_files_come_in_once(data_dir: Path, tmp_path: Path) -> None:
    """Every line of the first file, and of the second those after its end."""
    source = data_dir / "online-retail"
    report = _ingest("online-retail", source, tmp_path)
    columns = ["invoice_date", "quantity", "price", "customer_id"]
    first, second = (
        pl.read_parquet(source / f"online_retail_{years}.parquet", columns=columns)
        .cast({"quantity": pl.Int64(), "invoice_date": pl.Datetime("us")})
        .select(columns)
        for years in ("2009_2010", "2010_2011")
    )
    truth = pl.concat([first, second.filter(pl.col("invoice_date") > first["invoice_date"].max())])
    known = truth.drop_nulls("customer_id")
    lines = scan(tmp_path).filter(pl.col("type") != "profile").collect()
    assert lines.height == known.height
    assert lines["value"].sum() == pytest.approx((known["quantity"] * known["price"]).sum())
    assert lines.filter(type="returned").height == known.filter(pl.col("quantity") < 0).height
    assert report.read == first.height + second.height
    missing = first["customer_id"].null_count() + second["customer_id"].null_count()
    assert report.quarantined == {"customer: missing": missing}


def test_retail_ids_do_not_depend_on_which_file_comes_first(data_dir: Path, tmp_path: Path) -> None:
    folder = data_dir / "online-retail"
    overlap = pl.datetime(2010, 12, 1), pl.datetime(2010, 12, 10)
    ids = []
    for name in ("online_retail_2009_2010.parquet", "online_retail_2010_2011.parquet"):
        (tmp_path / name).mkdir()
        table = pl.scan_parquet(folder / name).filter(pl.col("invoice_date").is_between(*overlap)).collect()
        table.sample(fraction=1.0, shuffle=True, seed=1).write_parquet(tmp_path / name / name)
        frames = [batch.rows for batch in online_retail.batches(tmp_path / name)]
        ids.append(set(pl.concat(frames).filter(pl.col("type") != "profile")["event_id"]))
    assert ids[0] == ids[1]
    assert len(ids[0]) == 22_523


def test_a_missing_file_and_a_missing_column_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"hillstrom\.parquet: source: the adapter needs"):
        _ingest("hillstrom", tmp_path, tmp_path / "history")
    pl.DataFrame({"customer_ID": ["c1"]}).write_parquet(tmp_path / "telco_churn.parquet")
    with pytest.raises(
        InvalidInput, match="customerID: the file has no such column; did you mean 'customer_ID'"
    ):
        _ingest("telco-churn", tmp_path, tmp_path / "history")


def test_an_unknown_adapter_is_told_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="did you mean 'hillstrom'"):
        adapter("hilstrom")
