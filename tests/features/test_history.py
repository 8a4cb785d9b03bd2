"""Where the history lies on disk."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import polars as pl

from nba.features import history


def rows(*customers: str) -> pl.DataFrame:
    return pl.DataFrame(
        {name: pl.Series([None] * len(customers), dtype=kind) for name, kind in history.COLUMNS.items()}
    ).with_columns(customer_id=pl.Series(customers), value=pl.Series(range(len(customers)), dtype=pl.Float64))


def test_a_customers_bucket_never_changes() -> None:
    assert [history.bucket_of(c) for c in ("c-17", "Zoë", "")] == [
        crc32(b) % 64 for b in (b"c-17", b"Zo\xc3\xab", b"")
    ]
    assert history.bucket_of("c-17") == 63
    assert history.buckets_of(pl.Series(["c-17", "a", "c-17"])).to_list() == [63, history.bucket_of("a"), 63]


def test_a_customers_rows_lie_in_one_bucket_in_the_order_of_the_parts(tmp_path: Path) -> None:
    history.append(tmp_path, rows("b", "c-17", "c-17"), "part-1")
    history.append(tmp_path, rows("c-17"), "part-2")
    folder = tmp_path / "bucket=63"
    assert sorted(f.name for f in folder.iterdir()) == ["part-1.parquet", "part-2.parquet"]
    mine = history.scan(tmp_path, [63]).collect()
    assert mine.schema == history.COLUMNS
    assert mine["value"].to_list() == [1.0, 2.0, 0.0]
    assert [bucket for bucket, _ in history.each_bucket(tmp_path)] == sorted({63, history.bucket_of("b")})
    assert len(history.scan(tmp_path).collect()) == 4


def test_writing_a_part_again_replaces_it(tmp_path: Path) -> None:
    history.append(tmp_path, rows("c-17", "c-17"), "part-1")
    history.append(tmp_path, rows("c-17"), "part-1")
    assert len(history.scan(tmp_path).collect()) == 1


def test_no_history_is_an_empty_history(tmp_path: Path) -> None:
    assert history.scan(tmp_path).collect().schema == history.COLUMNS
    assert list(history.each_bucket(tmp_path)) == []
