"""The mapping file: its short forms, and errors that say path, line and the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from nba.errors import InvalidInput
from training.ingest.mapping import Mapping, load

SHORT = """
sources:
  - match: "a-*.csv"
    customer: id
    type: kind
    time: at
    properties: payload
  - customer: {column: id}
    type: {constant: purchase}
    time: {constant: 2026-01-05}
    properties: [sku]
    attributes: {age: {column: AGE, as: number}}
"""


def _load(folder: Path, text: str) -> Mapping:
    file = folder / "mapping.yaml"
    file.write_text(text)
    return load(file)


def test_short_forms_mean_columns(tmp_path: Path) -> None:
    first, second = _load(tmp_path, SHORT).sources
    assert first.columns() == {"id": "customer", "kind": "type", "at": "time", "payload": "properties"}
    assert second.columns() == {"id": "customer", "sku": "properties.sku", "AGE": "attributes.age"}
    assert second.time.constant == "2026-01-05"


def test_the_first_source_whose_match_fits_counts(tmp_path: Path) -> None:
    mapping = _load(tmp_path, SHORT)
    assert mapping.source_of(Path("x/a-1.csv")) is mapping.sources[0]
    assert mapping.source_of(Path("b.csv")) is mapping.sources[1]


def test_a_file_that_no_match_fits_is_named_with_the_matches(tmp_path: Path) -> None:
    mapping = _load(tmp_path, "sources: [{match: 'a*', customer: id, type: t, time: at}]")
    with pytest.raises(InvalidInput, match=r"x/b\.csv: sources: no match fits this file; there are 'a\*'"):
        mapping.source_of(Path("x/b.csv"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("customer: id", "custommer: id", "line 4: sources[0].custommer: there is no such field"),
        ("customer: id", "custommer: id", "did you mean 'customer'?"),
        ("    customer: id\n", "", "sources[0].customer: is missing"),
        ("type: kind", "type: {colum: kind}", "line 5: sources[0].type.colum: there is no such field"),
        ("type: kind", "type: {colum: kind}", "did you mean 'column'?"),
        ("type: kind", "type: {column: a, constant: b}", "line 5: sources[0].type: name either a column"),
        ("time: at", "time: {column: at, timezone: Parris}", "line 6: sources[0].time.timezone: there is no"),
        ("time: at", "time: {column: at, timezone: Europe/Pari}", "did you mean 'Europe/Paris'?"),
        ("time: at", "time: {column: at, unit: h}", "line 6: sources[0].time.unit: input should be"),
        ("AGE, as: number", "AGE, as: int", "line 12: sources[1].attributes.age.as: input should be"),
        ("id\n", "id\n    encoding: utf-9\n", "line 5: sources[0].encoding: there is no encoding 'utf-9'"),
        ("type: kind", "type: [kind", "is not YAML"),
        ("type: kind", "type: kind\n    type: other", "the key 'type' stands twice"),
    ],
)
def test_a_wrong_mapping_says_where_and_what(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        _load(tmp_path, SHORT.replace(old, new, 1))
    assert said in caught.value.detail


def test_a_mapping_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none\.yaml: mapping: can't be read"):
        load(tmp_path / "none.yaml")


def test_a_format_that_is_none_is_refused_with_its_line(tmp_path: Path) -> None:
    text = "sources:\n  - customer: id\n    type: t\n    time: {column: at, format: '%Y-%m-%d %H:%Q'}"
    with pytest.raises(InvalidInput, match=r"line 4: sources\[0\].time.*is no format of date and time"):
        _load(tmp_path, text)
