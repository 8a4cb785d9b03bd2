"""Read JSON lines in chunks; a line that is no JSON object loses only itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from training.ingest.mapping import Source
from training.ingest.raw import (
    BYTES_AT_ONCE,
    ROWS_AT_ONCE,
    Chunk,
    check_columns,
    property_columns,
    refuse_utf16,
)

_LONGEST = 1 << 20
_BOM = b"\xef\xbb\xbf"
Record = tuple[int, dict[str, Any], str]
Broken = tuple[int, str, str]


def chunks(path: Path, source: Source) -> Iterator[Chunk]:
    """The file's objects.

    Raises:
        InvalidInput: customer, type or time are in no line of the first chunk, or the file is UTF-16.
    """
    refuse_utf16(path)
    absent = set(source.columns())
    with path.open("rb") as file:
        records: list[Record] = []
        broken: list[Broken] = []
        size, first = 0, True
        for number, line in enumerate(file, start=1):
            _take(number, line.removeprefix(_BOM) if number == 1 else line, records, broken)
            size += len(line)
            if len(records) + len(broken) >= ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
                yield _chunk(records, broken, path, source, absent, first)
                records, broken, size, first = [], [], 0, False
        if records or broken:
            yield _chunk(records, broken, path, source, absent, first)


def _take(number: int, line: bytes, records: list[Record], broken: list[Broken]) -> None:
    if len(line) > _LONGEST:
        broken.append((number, f"longer than {_LONGEST} bytes", line[:200].decode(errors="replace")))
        return
    if line.isspace():
        return
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        text = line.decode(errors="replace")
        whole = text.encode() == line
        broken.append((number, "not JSON" if whole else "not UTF-8", text.strip()))
        return
    if isinstance(value, dict):
        records.append((number, value, line.decode().strip()))
    else:
        broken.append((number, "not a JSON object", line.decode().strip()))


def _chunk(
    records: list[Record], broken: list[Broken], path: Path, source: Source, absent: set[str], first: bool
) -> Chunk:
    keys = {key for _, row, _ in records for key in row} if absent else set()
    absent -= keys
    if first and records:
        check_columns(path, source, sorted(keys), source.required())
    rows = [row for _, row, _ in records]
    cells = {name: [_text(row.get(name)) for row in rows] for name in source.columns()}
    fragments = {name: [_json(row.get(name)) for row in rows] for name in property_columns(source)}
    return Chunk(
        cells=pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String())),
        fragments=pl.DataFrame(fragments, schema=dict.fromkeys(fragments, pl.String())),
        lines=pl.Series("line", [number for number, _, _ in records], dtype=pl.Int64()),
        content=pl.Series("content", [text for _, _, text in records], dtype=pl.String()),
        broken=broken,
        absent=frozenset(absent),
    )


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    return None if value is None else orjson.dumps(value).decode()


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
