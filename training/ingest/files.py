"""Files and folders of CSV, JSON lines and Parquet as batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nba.errors import InvalidInput
from training.ingest import read_csv, read_jsonl, read_parquet
from training.ingest.batch import Batch, bad_of
from training.ingest.mapping import Format, Mapping, Source, contract
from training.ingest.raw import Chunk
from training.ingest.transcribe import transcribe

_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


def batches(paths: Sequence[Path], mapping: Mapping | None = None) -> Iterator[Batch]:
    """The rows of all files, in order; folders give their files by name.

    Args:
        mapping: without one, the files have the field names of the HTTP events.

    Raises:
        InvalidInput: a path, format or column is not what it should be; all files' names, formats and
            sources are checked before the first is read.
    """
    planned = [_planned(path, mapping) for path in _listed(paths)]
    for path, kind, source in planned:
        for chunk in _chunks(path, kind, source):
            yield _batch(chunk, path, source, mapped=mapping is not None)


def _listed(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
            if not inside:
                detail = f"the folder has no file that ends in {', '.join(_SUFFIXES)}"
                raise InvalidInput.of("source", detail, source=str(path))
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise InvalidInput.of("source", "there is no such file", source=str(path))
    return files


def _planned(path: Path, mapping: Mapping | None) -> tuple[Path, Format, Source]:
    source = mapping.source_of(path) if mapping is not None else None
    kind = (source.format if source is not None else None) or _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        detail = f"can't tell the format by {path.suffix!r}; say csv, jsonl or parquet in the mapping"
        raise InvalidInput.of("format", detail, source=str(path))
    if source is None:
        source = _contract(path, kind)
    if path.suffix.lower() == ".tsv" and "delimiter" not in source.model_fields_set:
        source = source.model_copy(update={"delimiter": "\t"})
    return path, kind, source


def _contract(path: Path, kind: Format) -> Source:
    if kind == "jsonl":
        return contract(None)
    delimited = Source.model_validate({"customer": "c", "time": "t", "type": "t", "delimiter": _tab(path)})
    return contract(read_parquet.columns(path) if kind == "parquet" else read_csv.header(path, delimited))


def _tab(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _chunks(path: Path, kind: Format, source: Source) -> Iterator[Chunk]:
    reader = {"csv": read_csv.chunks, "jsonl": read_jsonl.chunks, "parquet": read_parquet.chunks}[kind]
    try:
        yield from reader(path, source)
    except OSError as error:
        raise InvalidInput.of("file", f"can't be read: {error.strerror}", source=str(path)) from None


def _batch(chunk: Chunk, path: Path, source: Source, *, mapped: bool) -> Batch:
    try:
        rows = transcribe(chunk, source, path.name)
    except InvalidInput as error:
        raise InvalidInput(error.errors, str(path)) from None
    return Batch(
        source=str(path.resolve()),
        read=chunk.lines.len() + len(chunk.broken),
        rows=rows,
        broken=bad_of(chunk.broken),
        absent=chunk.absent if mapped else frozenset(),
    )
