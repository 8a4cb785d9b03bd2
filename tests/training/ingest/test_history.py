"""The history after an ingest, after two, after a crash, and after several at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from nba.errors import CorruptArtefact, InvalidInput, StoreUnavailable
from nba.features.history import COLUMNS, bucket_of, scan
from tests.training.ingest.conftest import AS_OF, Ingest
from tests.training.ingest.look import fingerprint, quarantined, rows
from training.ingest.files import batches
from training.ingest.run import IngestReport, ingest
from training.ingest.validate import sift
from training.ingest.writer import Staging, alone


def _visits(folder: Path, count: int = 200, name: str = "visits.csv") -> Path:
    """One bad row among `count` good ones; the contract's field names, ids derived."""
    file = folder / name
    lines = [f"c{i % 40},visit,2026-01-05T12:{i % 60:02d}:00Z,{i}" for i in range(count)]
    file.write_text("\n".join(["customer_id,type,occurred_at,value", *lines, "c 1,visit,2026-01-05,1"]))
    return file


def _ingest(file: Path, history: Path) -> IngestReport:
    return ingest(batches([file]), history=history, quarantine=history / "quarantine.jsonl", as_of=AS_OF)


def test_running_twice_changes_nothing(tmp_path: Path, bring_in: Ingest) -> None:
    file = _visits(tmp_path)
    first = bring_in(file)
    before = fingerprint(tmp_path / "history")
    second = bring_in(file)
    assert (first.read, first.accepted, first.duplicates) == (201, 200, 0)
    assert (second.read, second.accepted, second.duplicates) == (201, 0, 200)
    assert second.quarantined == first.quarantined
    assert second.parts == ()
    assert fingerprint(tmp_path / "history") == before


def test_a_file_that_grew_brings_in_only_what_is_new(tmp_path: Path, bring_in: Ingest) -> None:
    file = _visits(tmp_path)
    bring_in(file)
    with file.open("a") as more:
        more.write("\nc9,visit,2026-01-06,1\n")
    report = bring_in(file)
    assert (report.accepted, report.duplicates) == (1, 200)


def test_a_file_that_moved_is_still_the_same_file(tmp_path: Path, bring_in: Ingest) -> None:
    bring_in(_visits(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    assert bring_in(_visits(tmp_path / "elsewhere")).accepted == 0


def test_identical_lines_are_events_of_their_own(tmp_path: Path, bring_in: Ingest) -> None:
    (tmp_path / "a.csv").write_text("customer_id,type,occurred_at\n" + "c1,visit,2026-01-05\n" * 3)
    assert bring_in(tmp_path / "a.csv").accepted == 3


def test_an_id_seen_twice_goes_in_once_and_a_missing_one_is_derived(tmp_path: Path, bring_in: Ingest) -> None:
    lines = [
        "e1,c1,visit,2026-01-05",
        "e1,c1,visit,2026-01-06",
        ",c1,visit,2026-01-07",
        ",c1,visit,2026-01-07",
    ]
    (tmp_path / "a.csv").write_text("\n".join(["event_id,customer_id,type,occurred_at", *lines]))
    report = bring_in(tmp_path / "a.csv")
    assert (report.accepted, report.duplicates) == (3, 1)
    assert rows(tmp_path)[0]["event_id"] == "e1"


def test_each_row_lies_in_its_customers_bucket_and_each_file_is_named_by_its_bytes(
    tmp_path: Path, bring_in: Ingest
) -> None:
    report = bring_in(_visits(tmp_path))
    history = tmp_path / "history"
    assert sorted(report.parts) == sorted(str(f.relative_to(history)) for f in history.glob("bucket=*/*"))
    for part in report.parts:
        assert sha256((history / part).read_bytes()).hexdigest() == Path(part).stem
        bucket = int(part[len("bucket=") :][:2])
        frame = scan(history, [bucket]).collect()
        assert frame.schema == COLUMNS
        assert {bucket_of(customer) for customer in frame["customer_id"]} == {bucket}


def test_an_ingest_that_died_midway_is_completed_by_running_again(tmp_path: Path) -> None:
    file, torn, whole = _visits(tmp_path), tmp_path / "torn", tmp_path / "whole"
    with alone(torn):
        staging = Staging(torn)
        for batch in batches([file]):
            staging.add(sift(batch.rows, AS_OF)[0])
        merging = staging.merge()
        for _ in range(5):
            next(merging)
    report = _ingest(file, torn)
    assert 0 < report.duplicates < 200
    assert report.accepted + report.duplicates == 200
    _ingest(file, whole)
    assert fingerprint(torn) == fingerprint(whole)


def test_parallel_ingests_bring_each_event_in_once(tmp_path: Path) -> None:
    file, history = _visits(tmp_path, 2_000), tmp_path / "history"
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: _ingest(file, history), range(4)))
    assert sorted(report.accepted for report in reports) == [0, 0, 0, 2_000]
    assert scan(history).collect()["event_id"].is_unique().all()


def test_an_error_in_the_second_file_leaves_history_and_quarantine_as_they_were(
    tmp_path: Path, bring_in: Ingest
) -> None:
    bring_in(_visits(tmp_path))
    before = fingerprint(tmp_path / "history")
    (tmp_path / "worse.csv").write_text("customer,type,occurred_at\nc1,visit,2026-01-05\n")
    with pytest.raises(InvalidInput, match="no column 'customer_id'; did you mean 'customer'"):
        bring_in(_visits(tmp_path, 300, "more.csv"), tmp_path / "worse.csv")
    assert fingerprint(tmp_path / "history") == before


def test_the_quarantine_keeps_other_sources_and_drops_lines_that_were_mended(
    tmp_path: Path, bring_in: Ingest
) -> None:
    one, other = _visits(tmp_path, name="one.csv"), _visits(tmp_path, name="other.csv")
    bring_in(one)
    bring_in(other)
    assert {bad["source"] for bad in quarantined(tmp_path)} == {str(one), str(other)}
    one.write_text(one.read_text().replace("c 1", "c1"))
    bring_in(one)
    assert [bad["source"] for bad in quarantined(tmp_path)] == [str(other)]


def test_a_history_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("a file where a folder should be")
    with pytest.raises(StoreUnavailable, match="history"):
        _ingest(_visits(tmp_path), tmp_path / "history")


def test_a_torn_file_of_the_history_calls_for_a_person(tmp_path: Path, bring_in: Ingest) -> None:
    report = bring_in(_visits(tmp_path))
    (tmp_path / "history" / report.parts[0]).write_bytes(b"PAR1")
    with pytest.raises(CorruptArtefact, match="can't be read"):
        bring_in(_visits(tmp_path))


def test_the_report_is_json(tmp_path: Path, bring_in: Ingest) -> None:
    report = bring_in(_visits(tmp_path))
    assert json.loads(json.dumps(report.as_json()))["accepted"] == 200
