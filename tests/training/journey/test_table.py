"""Any event table: every format gives the same, and bad input is told by line and mend."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from nba.errors import InvalidInput
from training.journey.cells import Columns
from training.journey.table import Table, read

COLUMNS = Columns(case="who", step="what", time="when")
ROWS = """who,what,when,worth
NA,visit,2026-01-01T10:00:00Z,1.5
b,"say ""hi"", you",2026-01-01 11:00,
NA,buy,2026-01-02,2
"""


def written(folder: Path, text: str, name: str = "events.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path, columns: Columns = COLUMNS, **options: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as refused:
        read(path, columns, **options)  # type: ignore[arg-type]
    return refused.value


def test_every_format_gives_the_same_table(tmp_path: Path) -> None:
    csv = written(tmp_path, ROWS)
    frame = pl.read_csv(csv, infer_schema=False)
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(csv.read_bytes()))
    frame.write_csv(tmp_path / "tabs.tsv", separator="\t")
    frame.write_ndjson(tmp_path / "events.jsonl")
    frame.write_parquet(tmp_path / "events.parquet")
    columns = Columns(case="who", step="what", time="when", value="worth")
    expected = read(csv, columns).frame
    assert expected["case"].to_list() == ["NA", "b", "NA"]
    assert expected["step"][1] == 'say "hi", you'
    assert expected["value"].to_list() == [1.5, None, 2.0]
    for name in ("packed.csv.gz", "tabs.tsv", "events.jsonl", "events.parquet"):
        assert read(tmp_path / name, columns).frame.equals(expected), name


def test_one_column_may_be_two_things(tmp_path: Path) -> None:
    columns = Columns(case="who", step="what", time="when", part="what", cluster="who")
    found = read(written(tmp_path, ROWS), columns).frame
    assert found["part"].equals(found["step"], check_names=False)
    assert found["cluster"].equals(found["case"], check_names=False)


def test_a_column_that_is_not_there_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    for name in ("events.csv", "events.jsonl", "events.parquet"):
        path = written(tmp_path, ROWS)
        if name.endswith("jsonl"):
            pl.read_csv(path).write_ndjson(tmp_path / name)
        elif name.endswith("parquet"):
            pl.read_csv(path).write_parquet(tmp_path / name)
        error = refusal(tmp_path / name, Columns(case="who", step="wat", time="when", part="none"))
        assert error.source == str(tmp_path / name)
        fields = [e.field for e in error.errors]
        assert fields == (["step"] if name.endswith("jsonl") else ["step", "split"])
        assert "no column 'wat'; did you mean 'what'?" in error.errors[0].detail


def test_another_mark_between_cells_is_hinted_at(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS.replace(",", ";"))
    assert "--delimiter" in str(refusal(path))
    assert (
        read(written(tmp_path, "who;what;when\na;b;2026-01-01\n"), COLUMNS, delimiter=";").frame.height == 1
    )


def test_times_that_cannot_be_read_are_told_by_line_or_left_out_and_counted(tmp_path: Path) -> None:
    lines = [f"a,visit,{when}" for when in ("2026-01-01", "yesterday", "", "2026-01-02")]
    path = written(tmp_path, "\n".join(["who,what,when", *lines]) + "\n")
    error = refusal(path)
    assert [(e.line, e.field) for e in error.errors] == [(3, "time"), (4, "time"), (None, "source")]
    assert "'yesterday' is not read as a time" in error.errors[0].detail
    assert "--format" in error.errors[0].detail
    assert "leave 2 out" in error.errors[2].detail
    found = read(path, COLUMNS, skip_bad=True)
    assert (found.frame.height, found.bad) == (2, 2)


def test_lines_with_too_few_cells_are_told_by_line(tmp_path: Path) -> None:
    path = written(tmp_path, "who,what,when\na,visit,2026-01-01\na,visit\n")
    assert [e.line for e in refusal(path).errors] == [3, None]


def test_many_bad_lines_are_told_in_short(tmp_path: Path) -> None:
    path = written(tmp_path, "who,what,when\n" + "a,b,never\n" * 5_000)
    error = refusal(path)
    assert len(error.errors) == 11
    assert "4,990 more lines are bad" in error.errors[-1].detail


@pytest.mark.parametrize(
    ("cells", "options", "seconds"),
    [
        (["0", "90"], {}, 90),
        (["0", "2"], {"unit": "h"}, 7_200),
        (["1", "3"], {"unit": "d"}, 172_800),
        (["0", "1500"], {"unit": "ms"}, 1.5),
        (["31/12/2025 23:00", "01/01/2026 01:00"], {"format": "%d/%m/%Y %H:%M"}, 7_200),
        (["2026-03-29T01:30:00", "2026-03-29T03:30:00"], {"zone": "Europe/Berlin"}, 3_600),
        (["2026-01-01T00:00:00+02:00", "2025-12-31T23:00:00Z"], {}, 3_600),
        (["2026-01-01 00:00:00.25", "2026-01-01 00:00:01"], {}, 0.75),
    ],
)
def test_times_are_read_as_they_are_written(
    tmp_path: Path, cells: list[str], options: dict[str, str], seconds: float
) -> None:
    path = written(tmp_path, "who,what,when\n" + "".join(f"a,b,{cell}\n" for cell in cells))
    found = read(path, Columns(case="who", step="what", time="when", **options))  # type: ignore[arg-type]
    times = found.frame["time"]
    assert (times[1] - times[0]).total_seconds() == seconds
    numbers = cells[0].isdigit() and not options
    assert bool(found.notes) == numbers  # what was assumed is said


def test_only_the_rows_that_were_asked_for_are_read(tmp_path: Path) -> None:
    columns = Columns(case="who", step="what", time="when", where=("what", "buy"))
    assert read(written(tmp_path, ROWS), columns).frame["step"].to_list() == ["buy"]


def test_numbers_as_names_lose_the_decimals_that_a_gap_gave_them(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    pl.DataFrame(
        {"who": [13085.0, None, float("nan")], "what": [1, 2, 3], "when": ["2026-01-01"] * 3}
    ).write_parquet(path)
    found = read(path, COLUMNS).frame
    assert found["case"].to_list() == ["13085", None, None]
    assert found["step"].to_list() == ["1", "2", "3"]


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    columns = Columns(case="who", step="what", time="when", value="what")
    assert "'visit'" in str(refusal(written(tmp_path, ROWS), columns))


def test_what_is_no_table_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "broken.csv.gz").write_bytes(b"no gzip at all")
    (tmp_path / "broken.parquet").write_bytes(b"no parquet")
    assert "unpacked" in str(refusal(tmp_path / "broken.csv.gz"))
    assert "Parquet" in str(refusal(tmp_path / "broken.parquet"))
    assert "can't tell the format" in str(refusal(written(tmp_path, "", "events.xlsx")))
    assert "is empty" in str(refusal(written(tmp_path, "", "empty.csv")))
    assert "no such file" in str(refusal(tmp_path / "none.csv"))
    assert "is a folder" in str(refusal(tmp_path))


def test_a_table_without_rows_is_read_and_empty(tmp_path: Path) -> None:
    for path in (written(tmp_path, "who,what,when\n"), written(tmp_path, "", "events.jsonl")):
        found: Table = read(path, COLUMNS)
        assert found.frame.is_empty()


def test_moments_outside_of_the_calendar_are_bad_lines_and_the_unit_is_hinted_at(tmp_path: Path) -> None:
    path = written(tmp_path, "who,what,when\na,b,1767225600000\na,b,1767225601000\n")
    error = refusal(path)
    assert [e.line for e in error.errors] == [2, 3, None]
    assert "--unit such as ms" in error.errors[0].detail
    found = read(path, Columns(case="who", step="what", time="when", unit="ms")).frame
    assert found["time"][0].year == 2026


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"format": "%Y-%m-%d %H:%Q"}, "format"),
        ({"format": "%d", "unit": "s"}, "format"),
    ],
)
def test_a_zone_or_format_that_is_none_is_refused(
    tmp_path: Path, options: dict[str, str], field: str
) -> None:
    columns = Columns(case="who", step="what", time="when", **options)  # type: ignore[arg-type]
    assert refusal(written(tmp_path, ROWS), columns).errors[0].field == field


def test_a_mark_of_several_letters_between_cells_is_refused(tmp_path: Path) -> None:
    assert refusal(written(tmp_path, ROWS), delimiter=";;").errors[0].field == "delimiter"


def test_parquet_without_rows_and_with_categories_is_read(tmp_path: Path) -> None:
    frame = pl.DataFrame({"who": ["a", "b"], "what": ["x", "y"], "when": ["2026-01-01"] * 2})
    path = tmp_path / "events.parquet"
    frame.head(0).write_parquet(path)
    assert read(path, COLUMNS).frame.is_empty()
    frame.with_columns(pl.col("who", "what").cast(pl.Categorical)).write_parquet(path)
    assert read(path, COLUMNS).frame["step"].to_list() == ["x", "y"]


def test_a_column_that_only_later_lines_have_is_there(tmp_path: Path) -> None:
    lines = ['{"who": "a", "what": "x", "when": "2026-01-01"}'] * 3
    late = '{"who": "a", "what": "x", "when": "2026-01-01", "worth": 2.5}'
    path = written(tmp_path, "\n".join([*lines, late]) + "\n", "events.jsonl")
    columns = Columns(case="who", step="what", time="when", value="worth")
    assert read(path, columns).frame["value"].to_list() == [None, None, None, 2.5]
