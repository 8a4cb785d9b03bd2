"""Read any event table: CSV, JSON lines (also packed with gzip) and Parquet, with whatever columns it has.

Bad rows, those that fall apart or whose time can't be read, are refused by line, or left out and counted
where that is asked for. Rows without a case or a step are none of these: `nba.journey.events` counts them.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from nba.errors import FieldError, InvalidInput
from nba.playbook.rules import nearest
from training.ingest import read_csv, read_jsonl, read_parquet
from training.ingest.mapping import Source
from training.journey.cells import Columns, numbers, text, times

_KINDS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_TOLD = 10  # bad lines named in an error
Broken = tuple[int, str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Columns case, step, time (Datetime us) and where asked for value, cluster, part; what to mind.

    Attributes:
        bad: how many rows were left out because they were bad.
        notes: what was assumed.
    """

    frame: pl.DataFrame
    bad: int
    notes: tuple[str, ...]


def read(path: Path, columns: Columns, *, delimiter: str | None = None, skip_bad: bool = False) -> Table:
    """Read the whole table; the rows keep their order.

    Raises:
        InvalidInput: the file, a column, or (without `skip_bad`) lines are not what they should be.
    """
    if not path.is_file():
        detail = "is a folder; name a file" if path.is_dir() else "there is no such file"
        raise InvalidInput.of("source", detail, source=str(path))
    packed = path.suffix.lower() == ".gz"
    suffix = Path(path.stem).suffix.lower() if packed else path.suffix.lower()
    if suffix not in _KINDS:
        known = ", ".join(_KINDS)
        detail = f"can't tell the format by {suffix or path.name!r}; it ends in {known}, with or without .gz"
        raise InvalidInput.of("source", detail, source=str(path))
    delimiter = delimiter or ("\t" if suffix == ".tsv" else ",")
    _check_options(columns, delimiter)
    try:
        with _unpacked(path, packed) as file:
            raw, broken = _raw(file, _KINDS[suffix], columns, delimiter)
        return _table(raw, broken, columns, skip_bad=skip_bad)
    except InvalidInput as error:
        told = [replace(item, field=_OPTION.get(item.field, item.field)) for item in error.errors]
        raise InvalidInput(told, str(path)) from None
    except OSError as error:
        raise InvalidInput.of(
            "source", f"can't be read: {error.strerror or error}", source=str(path)
        ) from None


def _check_options(columns: Columns, delimiter: str) -> None:
    if len(delimiter) != 1:
        raise InvalidInput.of("delimiter", "is one mark, such as ';'")
    columns.writing()


@contextmanager
def _unpacked(path: Path, packed: bool) -> Iterator[Path]:
    if not packed:
        yield path
        return
    with tempfile.NamedTemporaryFile(suffix=Path(path.stem).suffix) as plain:
        try:
            with gzip.open(path) as file:
                shutil.copyfileobj(file, plain, 1 << 20)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InvalidInput.of("source", f"can't be unpacked: {error}") from None
        plain.flush()
        yield Path(plain.name)


def _raw(path: Path, kind: str, columns: Columns, delimiter: str) -> tuple[pl.DataFrame, Sequence[Broken]]:
    """The wanted columns by role, and `line`; and the lines that fell apart."""
    if kind == "parquet":
        _check(columns, read_parquet.columns(path))
        wanted = list(dict.fromkeys(columns.named().values()))
        frames = list(read_parquet.frames(path, wanted))
        raw = pl.concat(frames, how="vertical_relaxed") if frames else _nothing(wanted)
        return _by_role(raw.with_row_index("\x00line", offset=1), columns, "\x00line"), ()
    source = _source(columns, delimiter)
    if kind == "csv":
        _check(columns, read_csv.header(path, source), delimiter)
    chunks = (read_csv if kind == "csv" else read_jsonl).chunks(path, source)
    parts, broken, absent = [], [], frozenset[str]()
    for chunk in chunks:
        absent = chunk.absent
        parts.append(_by_role(chunk.cells.with_columns(chunk.lines.alias("\x00line")), columns, "\x00line"))
        broken += chunk.broken
    _check(columns, [column for column in source.columns() if column not in absent])
    return pl.concat(parts) if parts else _by_role(
        _nothing([*source.columns(), "\x00line"]), columns, "\x00line"
    ), broken


def _nothing(names: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(names, pl.String()))


def _source(columns: Columns, delimiter: str) -> Source:
    more = {role: column for role, column in columns.named().items() if role not in ("case", "step", "time")}
    return Source.model_validate(
        {
            "customer": columns.case,
            "type": columns.step,
            "time": columns.time,
            "properties": more,
            "delimiter": delimiter,
        }
    )


def _by_role(raw: pl.DataFrame, columns: Columns, line: str) -> pl.DataFrame:
    roles = [pl.col(column).alias(role) for role, column in columns.named().items()]
    return raw.select(*roles, pl.col(line).cast(pl.Int64).alias("line"))


def _check(columns: Columns, there: Sequence[str], delimiter: str = ",") -> None:
    missing = {role: column for role, column in columns.named().items() if column not in there}
    listed = ", ".join(map(repr, there[:20])) + (" …" if len(there) > 20 else "")
    hint = ""
    if len(there) == 1 and delimiter == "," and any(mark in there[0] for mark in ";\t|"):
        hint = "; are its cells apart by another mark? Say --delimiter"
    errors = [
        FieldError(field=role, detail=_absent(column, there) + f"; it has {listed}{hint}")
        for role, column in missing.items()
    ]
    if errors:
        raise InvalidInput(errors)


# What readers and roles call a column → the option that names it.
_OPTION = {"customer": "case", "type": "step", "cluster": "customer", "part": "split"}


def _absent(column: str, there: Sequence[str]) -> str:
    return f"the file has no column {column!r}{nearest(column, list(there))}"


def _table(raw: pl.DataFrame, broken: Sequence[Broken], columns: Columns, *, skip_bad: bool) -> Table:
    if columns.where is not None:
        raw = raw.filter(text(raw, "where") == columns.where[1])
    moments, assumed = times(raw["time"], columns)
    frame = raw.select(
        *(text(raw, role).alias(role) for role in ("case", "step", "cluster", "part") if role in raw.columns),
        pl.lit(moments).alias("time"),
        pl.col("time").cast(pl.String).alias("told"),
        pl.col("line"),
    )
    if "value" in raw.columns:
        frame = frame.with_columns(numbers(raw["value"]))
    unread = frame.filter(pl.col("time").is_null())
    if (broken or unread.height) and not skip_bad:
        raise _refused(broken, unread, _HINTS["numbers" if assumed else "text"])
    return Table(
        frame=frame.drop_nulls("time").drop("line", "told"),
        bad=len(broken) + unread.height,
        notes=(_ASSUMED,) if assumed else (),
    )


_ASSUMED = "the times are numbers, taken as seconds; say --unit where they are not"
_HINTS = {
    "numbers": "numbers are taken as seconds, other units with --unit such as ms",
    "text": "ISO 8601 is, other writings with --format such as '%d/%m/%Y %H:%M'",
}


def _refused(broken: Sequence[Broken], unread: pl.DataFrame, hint: str) -> InvalidInput:
    """The first bad lines, in order, and how many there are."""
    bad = [FieldError(field="line", detail=reason, line=line) for line, reason, _ in broken]
    for line, told in unread.select("line", "told").head(_TOLD).iter_rows():
        what = "there is no time" if told is None else f"{told[:40]!r} is not read as a time"
        bad.append(FieldError(field="time", detail=f"{what}; {hint}", line=line))
    count = len(broken) + unread.height
    left = f"{count - _TOLD:,} more lines are bad; " if count > _TOLD else ""
    mend = f"{left}mend them, or say --skip-bad to leave {count:,} out"
    first = sorted(bad, key=lambda error: error.line or 0)[:_TOLD]
    return InvalidInput([*first, FieldError(field="source", detail=mend)])
