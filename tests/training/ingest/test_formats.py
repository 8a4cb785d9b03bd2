"""CSV, JSON lines and Parquet: what good lines become, and that a bad line loses only itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from nba.errors import InvalidInput
from tests.training.ingest.conftest import Ingest
from tests.training.ingest.look import quarantined, rows

ORDERS = """
sources:
  - match: "orders*"
    customer: client
    type: {constant: purchase}
    time: bought
    value: amount
    properties: [sku]
"""
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def _csv(folder: Path, *lines: str, name: str = "orders.csv", encoding: str = "utf-8") -> Path:
    file = folder / name
    file.write_bytes("\n".join(lines).encode(encoding))
    return file


def test_a_csv_row_becomes_a_touchpoint(tmp_path: Path, bring_in: Ingest) -> None:
    file = _csv(tmp_path, "client,bought,amount,sku", 'c1,2026-01-05T12:00:00Z,9.5,"a ""b"", c"')
    report = bring_in(file, mapping=ORDERS)
    (row,) = rows(tmp_path)
    assert (report.read, report.accepted) == (1, 1)
    assert (row["customer_id"], row["type"], row["occurred_at"], row["value"]) == (
        "c1",
        "purchase",
        NOON,
        9.5,
    )
    assert row["properties"] == {"sku": 'a "b", c'}
    assert row["channel"] is None


def test_ragged_lines_are_quarantined_with_their_numbers(tmp_path: Path, bring_in: Ingest) -> None:
    good = "c1,2026-01-05,1,x"
    file = _csv(tmp_path, "client,bought,amount,sku", good, "c2,2026-01-05,1", good, "", "a,b,c,d,e", good)
    report = bring_in(file, mapping=ORDERS)
    assert report.accepted == 3
    assert [(bad["line"], bad["reason"]) for bad in quarantined(tmp_path)] == [
        (3, "3 cells where the header has 4"),
        (6, "5 cells where the header has 4"),
    ]


def test_a_stray_quote_loses_only_its_own_line(tmp_path: Path, bring_in: Ingest) -> None:
    lines = [f"c{i},2026-01-05,1,x" for i in range(300)]
    lines[7] = 'c7,2026-01-05,1,"x'
    report = bring_in(_csv(tmp_path, "client,bought,amount,sku", *lines), mapping=ORDERS)
    assert report.accepted == 299
    assert [bad["line"] for bad in quarantined(tmp_path)] == [9]


def test_a_quote_that_closes_far_below_swallows_no_lines(tmp_path: Path, bring_in: Ingest) -> None:
    lines = [f'c{i},2026-01-05,1,"x {i}"' for i in range(300)]
    lines[7] = 'c7,2026-01-05,1,"x'
    report = bring_in(_csv(tmp_path, "client,bought,amount,sku", *lines), mapping=ORDERS)
    assert report.accepted == 299
    assert [bad["line"] for bad in quarantined(tmp_path)] == [9]


def test_a_quoted_cell_may_span_lines_and_later_lines_keep_their_numbers(
    tmp_path: Path, bring_in: Ingest
) -> None:
    file = _csv(
        tmp_path,
        "client,bought,amount,sku",
        'c1,2026-01-05,1,"two\nlines"',
        "c2,never,1,x",
        "c3,2026-01-05,1,x",
    )
    bring_in(file, mapping=ORDERS)
    assert [row["properties"] for row in rows(tmp_path) if row["customer_id"] == "c1"] == [
        {"sku": "two\nlines"}
    ]
    assert [bad["line"] for bad in quarantined(tmp_path)] == [4]


def test_ids_do_not_depend_on_a_stray_quote_elsewhere_in_the_block(tmp_path: Path, bring_in: Ingest) -> None:
    lines = ["client,bought,amount,sku", 'c1,2026-01-05,1,"a,b"', "c2,2026-01-05,1,x"]
    bring_in(_csv(tmp_path, *lines), mapping=ORDERS)
    report = bring_in(_csv(tmp_path, *lines, 'c3,2026-01-05,1,"x'), mapping=ORDERS)
    assert (report.accepted, report.duplicates) == (0, 2)


def test_bytes_that_are_not_utf8_lose_only_their_line(tmp_path: Path, bring_in: Ingest) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(b"client,bought,amount,sku\nc1,2026-01-05,1,caf\xe9\nc2,2026-01-05,1,caf\xc3\xa9\n")
    report = bring_in(file, mapping=ORDERS)
    assert report.accepted == 1
    assert rows(tmp_path)[0]["properties"] == {"sku": "café"}
    assert [(bad["line"], bad["reason"]) for bad in quarantined(tmp_path)] == [
        (2, "not UTF-8; `encoding` in the mapping names another")
    ]


def test_another_encoding_is_read_where_the_mapping_names_it(tmp_path: Path, bring_in: Ingest) -> None:
    file = _csv(tmp_path, "client,bought,amount,sku", "c1,2026-01-05,1,café", encoding="latin-1")
    bring_in(file, mapping=ORDERS + "    encoding: latin-1\n")
    assert rows(tmp_path)[0]["properties"] == {"sku": "café"}


@pytest.mark.parametrize("name", ["orders.csv", "orders.jsonl"])
def test_a_file_in_utf16_is_named_as_such(tmp_path: Path, bring_in: Ingest, name: str) -> None:
    file = _csv(tmp_path, "client,bought", "c1,2026-01-05", name=name, encoding="utf-16")
    with pytest.raises(InvalidInput, match="UTF-16"):
        bring_in(file, mapping=ORDERS)


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path, bring_in: Ingest) -> None:
    file = _csv(tmp_path, "client,bought,amount,sku", "c1,2026-01-05,1,x", encoding="utf-8-sig")
    assert bring_in(file, mapping=ORDERS).accepted == 1


def test_a_missing_column_is_named_with_the_nearest_one(tmp_path: Path, bring_in: Ingest) -> None:
    file = _csv(tmp_path, "clients,bought,amount,sku", "c1,2026-01-05,1,x")
    with pytest.raises(InvalidInput, match=r"orders\.csv: customer: .*'client'; did you mean 'clients'"):
        bring_in(file, mapping=ORDERS)
    assert rows(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("a,b,a\n", "the column 'a' stands twice"),
        ("a,,b\n", "column 2 has no name"),
    ],
)
def test_a_bad_header_says_what_is_wrong(tmp_path: Path, bring_in: Ingest, text: str, said: str) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=said):
        bring_in(file, mapping=ORDERS)


def test_no_rows_at_all_is_an_error_and_not_an_empty_history(tmp_path: Path, bring_in: Ingest) -> None:
    with pytest.raises(InvalidInput, match="no rows"):
        bring_in(_csv(tmp_path, "client,bought,amount,sku"), mapping=ORDERS)


def test_cells_of_a_csv_that_are_json_numbers_become_numbers_and_others_text(
    tmp_path: Path, bring_in: Ingest
) -> None:
    mapping = ORDERS.replace("[sku]", "{n: n, zip: zip, member: member, told: {column: told, as: text}}")
    header = "client,bought,amount,n,zip,member,told"
    bring_in(_csv(tmp_path, header, "c1,2026-01-05,1,1.5,00501,true,17"), mapping=mapping)
    assert rows(tmp_path)[0]["properties"] == {"n": 1.5, "zip": "00501", "member": True, "told": "17"}


def test_attributes_become_a_profile_beside_the_event(tmp_path: Path, bring_in: Ingest) -> None:
    mapping = ORDERS + "    attributes: {age: {column: AGE, as: number}}\n"
    lines = ["c1,2026-01-05,1,x,41", "c2,2026-01-05,1,x,", "c3,2026-01-05,1,x,old"]
    report = bring_in(_csv(tmp_path, "client,bought,amount,sku,AGE", *lines), mapping=mapping)
    profiles = [row for row in rows(tmp_path) if row["type"] == "profile"]
    assert [(p["customer_id"], p["value"], p["properties"]) for p in profiles] == [("c1", 0.0, {"age": 41})]
    assert report.accepted == 4
    assert report.quarantined == {"attributes.age: not a number": 1}


def test_events_in_json_lines_need_no_mapping(tmp_path: Path, bring_in: Ingest) -> None:
    event = {
        "event_id": "e1",
        "customer_id": "c1",
        "type": "opened",
        "channel": "email",
        "occurred_at": "2026-01-05T12:00:00Z",
        "value": 2,
        "properties": {"a": [1, "x"], "b": None},
    }
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps(event) + "\n\n")
    bring_in(file)
    (row,) = rows(tmp_path)
    assert row | {"action": None} == event | {"occurred_at": NOON, "value": 2.0, "action": None}


def test_broken_json_lines_are_quarantined_with_their_numbers(tmp_path: Path, bring_in: Ingest) -> None:
    good = '{"customer_id": "c1", "type": "visit", "occurred_at": "2026-01-05"}'
    bad = [b'{"customer_id": "c1"', b"[1]", b'{"a": NaN}', b'{"a": "\\ud800"}', b'{"a": "\xe9"}']
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join([good.encode(), *bad, good.encode()]))
    report = bring_in(file)
    assert report.accepted == 2
    assert [(line["line"], line["reason"]) for line in quarantined(tmp_path)] == [
        (2, "not JSON"),
        (3, "not a JSON object"),
        (4, "not JSON"),
        (5, "not JSON"),
        (6, "not UTF-8"),
    ]


def test_values_of_mixed_kinds_in_json_lines_are_judged_each(tmp_path: Path, bring_in: Ingest) -> None:
    values = ["3", "4.5", "null", '"x"', "[1]", "true"]
    file = tmp_path / "events.jsonl"
    event = '{{"customer_id": 17, "type": "visit", "occurred_at": "2026-01-05", "value": {}}}'
    file.write_text("\n".join(event.format(value) for value in values))
    bring_in(file)
    assert sorted(row["value"] for row in rows(tmp_path)) == [0.0, 3.0, 4.5]
    assert {row["customer_id"] for row in rows(tmp_path)} == {"17"}
    assert [(bad["line"], bad["value"]) for bad in quarantined(tmp_path)] == [
        (4, "x"),
        (5, "[1]"),
        (6, "true"),
    ]


def test_a_mapped_key_that_no_json_line_has_is_reported(tmp_path: Path, bring_in: Ingest) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text('{"client": "c1", "bought": "2026-01-05", "amuont": 3, "sku": "x"}')
    assert bring_in(file, mapping=ORDERS).absent == {str(file.resolve()): ("amount",)}


def test_optional_fields_of_the_contract_are_not_missed(tmp_path: Path, bring_in: Ingest) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text('{"customer_id": "c1", "type": "visit", "occurred_at": "2026-01-05"}')
    assert bring_in(file).absent == {}


def test_a_file_that_can_not_be_opened_is_named_and_the_history_is_not_blamed(
    tmp_path: Path, bring_in: Ingest
) -> None:
    (tmp_path / "in" / "orders.jsonl").mkdir(parents=True)
    with pytest.raises(InvalidInput, match=r"orders\.jsonl: file: can't be read: Is a directory"):
        bring_in(tmp_path / "in", mapping=ORDERS)


def test_parquet_columns_keep_their_kinds_in_properties(tmp_path: Path, bring_in: Ingest) -> None:
    frame = pl.DataFrame(
        {
            "client": [17, 18, None],
            "bought": [datetime(2026, 1, 5, 12), None, datetime(2026, 1, 5, 12)],  # noqa: DTZ001 naive on purpose
            "amount": [1.5, float("nan"), 2.0],
            "sku": ["007", "x", "x"],
        }
    )
    frame.write_parquet(tmp_path / "orders.parquet")
    report = bring_in(tmp_path / "orders.parquet", mapping=ORDERS)
    (row,) = rows(tmp_path)
    assert (row["customer_id"], row["occurred_at"], row["properties"]) == ("17", NOON, {"sku": "007"})
    assert report.quarantined == {"customer: missing": 1, "time: missing": 1}


@pytest.mark.parametrize(
    ("column", "field"), [("client", "customer"), ("bought", "time"), ("amount", "value")]
)
def test_a_parquet_column_of_the_wrong_kind_is_named(
    tmp_path: Path, bring_in: Ingest, column: str, field: str
) -> None:
    frame = pl.DataFrame({"client": ["c1"], "bought": ["2026-01-05"], "amount": [1.0], "sku": ["x"]})
    frame.with_columns(pl.lit([1]).alias(column)).write_parquet(tmp_path / "orders.parquet")
    with pytest.raises(InvalidInput, match=rf"{field}: the column '{column}' holds List\(Int"):
        bring_in(tmp_path / "orders.parquet", mapping=ORDERS)


def test_bytes_that_are_no_parquet_are_named(tmp_path: Path, bring_in: Ingest) -> None:
    (tmp_path / "orders.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InvalidInput, match="can't be read as Parquet"):
        bring_in(tmp_path / "orders.parquet", mapping=ORDERS)


def test_the_three_formats_give_the_same_rows(tmp_path: Path, bring_in: Ingest) -> None:
    frame = pl.DataFrame(
        {
            "client": ["c1", "c2"],
            "bought": ["2026-01-05", "2026-01-06T08:30"],
            "amount": [1.5, 2],
            "sku": ["a", "b"],
        }
    )
    frame.write_csv(tmp_path / "orders.csv")
    frame.write_ndjson(tmp_path / "orders.jsonl")
    frame.write_parquet(tmp_path / "orders.parquet")
    bring_in(*(tmp_path / f"orders.{end}" for end in ("csv", "jsonl", "parquet")), mapping=ORDERS)
    seen = [tuple(str(value) for name, value in row.items() if name != "event_id") for row in rows(tmp_path)]
    assert len(seen) == 6
    assert len(set(seen)) == 2


def test_a_tsv_is_separated_by_tabs(tmp_path: Path, bring_in: Ingest) -> None:
    file = _csv(tmp_path, "customer_id\ttype\toccurred_at", "c1\tvisit\t2026-01-05", name="events.tsv")
    assert bring_in(file).accepted == 1
