"""From a file's own columns to the history's, by the mapping. Only properties are judged here."""

from __future__ import annotations

from collections.abc import Mapping as Table

import orjson
import polars as pl

from training.ingest.batch import derive_ids, rows_of
from training.ingest.mapping import Cell, Property, Source, Time
from training.ingest.raw import NUMBER, Chunk, json_text
from training.ingest.times import utc

_TRUE, _FALSE = ["true", "1", "yes"], ["false", "0", "no"]


def transcribe(chunk: Chunk, source: Source, name: str) -> pl.DataFrame:
    """The chunk's lines as `ROWS`: an event each, a profile each where there are attributes, or both.

    Args:
        name: of the file, without folders; derived ids depend on it.

    Raises:
        InvalidInput: a column of times that can't hold times.
    """
    ids = _ids(chunk, source, name)
    frames = []
    if source.type is not None:
        frames.append(rows_of(_event(chunk, source, ids)))
    if source.attributes:
        alone = {"type": Cell(constant="profile"), "channel": None, "action": None, "value": None}
        profile = source.model_copy(update=alone)
        own = derive_ids(ids.fill_null(""), "profile")
        kept = _common(chunk, profile, own).hstack(_assembled(chunk, source.attributes, "attributes"))
        said = kept.filter((pl.col("properties") != "{}") | pl.col("flaw_reason").is_not_null())
        frames.append(rows_of(said))
    return pl.concat(frames)


def _ids(chunk: Chunk, source: Source, name: str) -> pl.Series:
    """The id column; where it is empty, one derived from file name, line and content."""
    given = chunk.cells[source.id].cast(pl.String()) if source.id is not None else None
    if given is not None and given.null_count() == 0:
        return given.alias("event_id")
    parts = pl.select(pl.format("{}\x1f{}", chunk.lines, chunk.content)).to_series()
    derived = derive_ids(parts, name)
    return derived if given is None else given.fill_null(derived).alias("event_id")


def _event(chunk: Chunk, source: Source, ids: pl.Series) -> pl.DataFrame:
    common = _common(chunk, source, ids)
    if source.properties.column is not None:
        return common.hstack(_objects(chunk.cells[source.properties.column]))
    if source.properties.fields:
        return common.hstack(_assembled(chunk, source.properties.fields, "properties"))
    return common


def _common(chunk: Chunk, source: Source, ids: pl.Series) -> pl.DataFrame:
    cells, schema = chunk.cells, chunk.cells.schema
    value = source.value or Cell(constant="0")
    return cells.select(
        ids,
        _text(source.customer).alias("customer_id"),
        _text(source.type).alias("type"),
        _text(source.channel).alias("channel"),
        _text(source.action).alias("action"),
        _time(source.time, schema).alias("occurred_at"),
        _text(value).cast(pl.Float64(), strict=False).alias("value"),
        chunk.lines,
        _text(Cell(column=source.time.column, constant=source.time.constant)).alias("time_text"),
        _text(value).alias("value_text"),
    )


def _text(cell: Cell | None) -> pl.Expr:
    if cell is None or cell.column is None:
        return pl.lit(cell.constant if cell else None, dtype=pl.String())
    text = pl.col(cell.column).cast(pl.String())
    return text.replace(cell.values) if cell.values else text


def _time(time: Time, schema: pl.Schema) -> pl.Expr:
    if time.column is None:
        return utc(pl.lit(time.constant, dtype=pl.String()), pl.String(), time)
    return utc(pl.col(time.column), schema[time.column], time)


def _objects(texts: pl.Series) -> pl.DataFrame:
    """Cells that should be JSON objects → properties, and the flaw of those that are not."""
    checked = [text if text is None else _object(text) for text in texts]
    properties = pl.Series("properties", checked, dtype=pl.String())
    wrong = texts.is_not_null() & properties.is_null()
    return pl.DataFrame([properties, texts.alias("text"), wrong.alias("wrong")]).select(
        "properties",
        pl.when("wrong").then(pl.lit("properties")).alias("flaw_field"),
        pl.when("wrong").then(pl.lit("not a JSON object")).alias("flaw_reason"),
        pl.when("wrong").then("text").alias("flaw_value"),
    )


def _object(text: str) -> str | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return orjson.dumps(value).decode() if isinstance(value, dict) else None


def _assembled(chunk: Chunk, fields: Table[str, Property], path: str) -> pl.DataFrame:
    """One JSON object a row of the cells that are not empty, and the first flaw among them."""
    pairs, wrong = [], []
    for name, field in fields.items():
        raw = pl.col(field.column)
        value = _as(raw, field.kind)
        pairs.append(pl.lit(orjson.dumps(name).decode() + ":") + value)
        wrong.append((f"{path}.{name}", f"not a {field.kind}", raw.is_not_null() & value.is_null(), raw))
    body = pl.concat_str(pairs, separator=",", ignore_nulls=True)
    return chunk.fragments.select(
        (pl.lit("{") + body + pl.lit("}")).alias("properties"),
        pl.coalesce(pl.when(bad).then(pl.lit(field)) for field, _, bad, _ in wrong).alias("flaw_field"),
        pl.coalesce(pl.when(bad).then(pl.lit(reason)) for _, reason, bad, _ in wrong).alias("flaw_reason"),
        pl.coalesce(pl.when(bad).then(raw) for _, _, bad, raw in wrong).alias("flaw_value"),
    )


def _as(fragment: pl.Expr, kind: str | None) -> pl.Expr:
    """JSON text of a value as JSON text of another kind; null where it can't be."""
    if kind is None:
        return fragment
    bare = pl.when(fragment.str.starts_with('"')).then(fragment.str.slice(1).str.head(-1)).otherwise(fragment)
    if kind == "text":
        return pl.when(fragment.str.starts_with('"')).then(fragment).otherwise(json_text(fragment))
    if kind == "number":
        number = bare.str.contains(NUMBER) & bare.cast(pl.Float64(), strict=False).is_finite()
        return pl.when(number).then(bare)
    lower = bare.str.to_lowercase()
    truth = pl.when(lower.is_in(_TRUE)).then(pl.lit("true"))
    return truth.when(lower.is_in(_FALSE)).then(pl.lit("false"))
