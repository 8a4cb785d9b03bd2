"""Which rows are good, and what the quarantine says of the others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nba.errors import InvalidInput
from tests.training.ingest.conftest import AS_OF, Ingest
from tests.training.ingest.look import quarantined, rows
from training.ingest.mapping import Time
from training.ingest.times import utc

GOOD = {"customer_id": "c1", "type": "visit", "occurred_at": "2026-01-05T12:00:00Z"}


def _events(folder: Path, *events: dict[str, Any]) -> Path:
    file = folder / "events.jsonl"
    file.write_text("\n".join(json.dumps(GOOD | event) for event in events))
    return file


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@pytest.mark.parametrize(
    ("event", "field", "reason"),
    [
        ({"customer_id": None}, "customer", "missing"),
        ({"customer_id": ""}, "customer", "missing"),
        ({"customer_id": "a b"}, "customer", "not 1 to 128 of A-Z a-z 0-9 . _ ~ : -"),
        ({"customer_id": "c" * 129}, "customer", "not 1 to 128 of A-Z a-z 0-9 . _ ~ : -"),
        ({"customer_id": "c1\n"}, "customer", "not 1 to 128 of A-Z a-z 0-9 . _ ~ : -"),
        ({"event_id": "e 1"}, "id", "not 1 to 128 of A-Z a-z 0-9 . _ ~ : -"),
        ({"type": "Offer Viewed"}, "type", "not a name of a-z 0-9 _, up to 64"),
        ({"type": None}, "type", "missing"),
        ({"occurred_at": None}, "time", "missing"),
        ({"occurred_at": "yesterday"}, "time", "not a time"),
        ({"occurred_at": "2026-02-30"}, "time", "not a time"),
        ({"occurred_at": _iso(AS_OF + 301)}, "time", "in the future"),
        ({"occurred_at": "1969-12-31T23:59:59Z"}, "time", "before 1970"),
        ({"value": "much"}, "value", "not a number"),
        ({"type": "nps", "value": 11}, "value", "an answer of type nps is a whole number from 0 to 10"),
        ({"type": "nps", "value": None}, "value", "an answer of type nps is a whole number from 0 to 10"),
        ({"type": "csat", "value": 4.5}, "value", "an answer of type csat is a whole number from 1 to 5"),
        ({"value": "nan"}, "value", "not finite"),
        ({"value": "-inf"}, "value", "not finite"),
        ({"channel": "x" * 129}, "channel", "not 1 to 128 printable characters"),
        ({"properties": [1]}, "properties", "not a JSON object"),
        ({"properties": {"a": "x" * 70_000}}, "properties", "more than 65536 bytes"),
        (
            {"type": "consent", "properties": {"granted": True, "purpose": "fun"}},
            "properties.purpose",
            "consent needs marketing, service or transactional",
        ),
        (
            {"type": "consent", "properties": {"purpose": "marketing", "granted": "true"}},
            "properties.granted",
            "consent needs true or false",
        ),
        (
            {"type": "profile", "properties": {"timezone": "Mars/Base"}},
            "properties.timezone",
            "no such time zone",
        ),
    ],
)
def test_a_bad_row_is_quarantined_with_line_field_and_reason(
    tmp_path: Path, bring_in: Ingest, event: dict[str, Any], field: str, reason: str
) -> None:
    file = _events(tmp_path, {}, event, {})
    report = bring_in(file)
    (bad,) = quarantined(tmp_path)
    assert (bad["source"], bad["line"], bad["field"], bad["reason"]) == (str(file), 2, field, reason)
    assert report.quarantined == {f"{field}: {reason}": 1}
    assert report.accepted == 2


@pytest.mark.parametrize(
    "event",
    [
        {"customer_id": "A.z_0~9:-" + "c" * 119},
        {"occurred_at": _iso(AS_OF + 299)},
        {"type": "consent", "properties": {"purpose": "marketing", "granted": False}},
        {"type": "profile", "properties": {"timezone": "Europe/Paris", "age": 41}},
        {"type": "profile"},
        {"value": -12.5},
        {"value": None},
    ],
)
def test_a_good_row_goes_in(tmp_path: Path, bring_in: Ingest, event: dict[str, Any]) -> None:
    assert bring_in(_events(tmp_path, event)).accepted == 1
    assert quarantined(tmp_path) == []


def test_a_customer_id_of_ten_kilobytes_is_shown_by_its_first_forty_characters(
    tmp_path: Path, bring_in: Ingest
) -> None:
    bring_in(_events(tmp_path, {"customer_id": "x" * 10_000}))
    assert quarantined(tmp_path)[0]["value"] == "x" * 40


def test_types_that_the_playbook_does_not_declare_go_in_and_are_counted(
    tmp_path: Path, bring_in: Ingest
) -> None:
    file = _events(tmp_path, {}, {"type": "vist"}, {"type": "vist"}, {"type": "profile"}, {"type": "contact"})
    report = bring_in(file, declared={"visit"})
    assert report.undeclared == {"vist": 2}
    assert report.accepted == 5


@pytest.mark.parametrize(
    ("text", "time", "expected"),
    [
        ("2026-01-05", {}, "2026-01-05T00:00:00+00:00"),
        ("2026-01-05 12:30", {}, "2026-01-05T12:30:00+00:00"),
        ("2026-01-05T12:30:15.123456Z", {}, "2026-01-05T12:30:15.123456+00:00"),
        ("2026-01-05T12:30:15+02:00", {}, "2026-01-05T10:30:15+00:00"),
        ("2026-01-05T12:30-0530", {}, "2026-01-05T18:00:00+00:00"),
        ("2026-01-05T12:30:15.5+02", {}, "2026-01-05T10:30:15.500000+00:00"),
        ("2026-01-05 12:30:15 UTC", {}, "2026-01-05T12:30:15+00:00"),
        ("2026-07-05 12:30", {"timezone": "Europe/Paris"}, "2026-07-05T10:30:00+00:00"),
        ("2026-10-25 02:30", {"timezone": "Europe/Paris"}, "2026-10-25T00:30:00+00:00"),
        ("2026-03-29 02:30", {"timezone": "Europe/Paris"}, None),
        ("1767614400", {"unit": "s"}, "2026-01-05T12:00:00+00:00"),
        ("1767614400.5", {"unit": "s"}, "2026-01-05T12:00:00.500000+00:00"),
        ("1767614400123", {"unit": "ms"}, "2026-01-05T12:00:00.123000+00:00"),
        ("5/1/2026 12:30", {"format": "%d/%m/%Y %H:%M"}, "2026-01-05T12:30:00+00:00"),
        ("5/1/2026", {"format": "%d/%m/%Y", "timezone": "Asia/Tokyo"}, "2026-01-04T15:00:00+00:00"),
        ("2026-01-05 12:30 +0100", {"format": "%Y-%m-%d %H:%M %z"}, "2026-01-05T11:30:00+00:00"),
        ("2026-01-05T12:30:15Z.", {}, None),
        ("12:30", {}, None),
        ("NaN", {"unit": "s"}, None),
    ],
)
def test_a_time_is_read_as_its_format_unit_and_zone_say(
    text: str, time: dict[str, str], expected: str | None
) -> None:
    spec = Time.model_validate({"column": "t", **time})
    (moment,) = pl.DataFrame({"t": [text]}).select(utc(pl.col("t"), pl.String(), spec)).to_series()
    assert (moment.isoformat() if moment else None) == expected


def test_numbers_without_a_unit_are_no_times() -> None:
    with pytest.raises(InvalidInput, match=r"time\.unit: .*say s, ms, us or ns"):
        utc(pl.col("t"), pl.Int64(), Time(column="t"))


def test_milliseconds_taken_for_seconds_are_in_the_future_and_not_an_overflow(
    tmp_path: Path, bring_in: Ingest
) -> None:
    mapping = "sources: [{customer: c, type: {constant: visit}, time: {column: t, unit: ms}}]"
    (tmp_path / "a.csv").write_text("c,t\nc1,1767614400123000000\nc1,1e300\nc1,1767614400123\n")
    report = bring_in(tmp_path / "a.csv", mapping=mapping)
    assert report.quarantined == {"time: in the future": 2}
    assert len(rows(tmp_path)) == 1
