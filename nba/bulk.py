"""Decisions in bulk: a Parquet file of requests in, a Parquet file of answers out, through the same service.

One row is one request: `customer_id`, and where wanted `decision_id`, `actions`, `channels`, `activate`,
`explain`, `at`; every other column is a context key. A row without a `decision_id` gets one from the file's
content and its place in it, so the same file again gets the same answers, and a run that was cut off goes
on where it was. The answers stand in the order of the requests.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from nba.errors import FieldError, InvalidInput, NbaError
from nba.model import Answer, DecisionRequest, Result
from nba.requests import digest_of
from nba.service import Service

ROWS = 1_000  # in one transaction
_OWN = ("customer_id", "decision_id", "actions", "channels", "activate", "explain", "at")
_TEXT = (
    "decision_id", "customer_id", "decided_at", "action", "channel", "timing", "send_at", "purpose",
    "group", "policy", "playbook", "stage", "segment", "reason", "retry_at", "fallback",
)  # fmt: skip
_NUMBERS, _FLAGS, _LISTS = ("propensity", "expected_value"), ("explored",), ("ignored", "displaced")
_JSON = ("scores", "experiment", "refused", "alternatives", "contributions", "best")
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in _TEXT),
        *((name, pa.float64()) for name in _NUMBERS),
        *((name, pa.bool_()) for name in _FLAGS),
        *((name, pa.list_(pa.string())) for name in _LISTS),
        *((name, pa.string()) for name in _JSON),
        ("repeated", pa.bool_()),
        ("problem", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How many rows were decided now, had been before, and could not be; the first of these, by its place."""

    decided: int
    repeated: int
    problems: int
    first: str | None = None


def decide_file(
    service: Service,
    source: Path,
    target: Path,
    *,
    now: Callable[[], float],
    progress: Callable[[int, int], None] = lambda done, rows: None,
) -> Summary:
    """Answer every row of `source` into `target`, which is there only when all of it is.

    Raises:
        InvalidInput: a file or a column is wrong as a whole; a wrong row keeps its place, with its problem.
        StoreUnavailable: what was decided so far is kept, and the same call goes on from there.
    """
    if target.exists() and target.samefile(source):
        raise InvalidInput.of("out", "is the file that is read; name another")
    file = _opened(source)
    _check_columns(file.schema_arrow, source)
    identity = _digest(source)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    counts = {"decided": 0, "repeated": 0, "problems": 0}
    done, rows = 0, file.metadata.num_rows
    first: str | None = None
    try:
        with pq.ParquetWriter(unfinished, SCHEMA, compression="zstd") as writer:
            for batch in file.iter_batches(ROWS):
                read = [_read(row, f"{identity}-{done + i}") for i, row in enumerate(batch.to_pylist())]
                told = list(_told(_answered(service, read, now()), read))
                writer.write_table(pa.Table.from_pylist(told, schema=SCHEMA))
                for i, row in enumerate(told, start=done + 1):
                    counts[_kind(row)] += 1
                    if first is None and "problem" in row:
                        first = f"row {i}: {row['problem']}"
                done += len(told)
                progress(done, rows)
        unfinished.replace(target)
    except OSError as error:
        raise InvalidInput.of(str(target), f"can't be written: {error.strerror or error}") from None
    finally:
        unfinished.unlink(missing_ok=True)
    return Summary(**counts, first=first)


def _opened(source: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(source)
    except (OSError, pa.ArrowInvalid) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no Parquet file"
        raise InvalidInput.of("in", f"{source} can't be read: {reason}") from None


_KINDS: dict[str, tuple[Callable[[pa.DataType], bool], str]] = {
    "customer_id": (lambda t: pa.types.is_string(t) or pa.types.is_large_string(t), "text"),
    "decision_id": (lambda t: pa.types.is_string(t) or pa.types.is_large_string(t), "text"),
    "actions": (lambda t: pa.types.is_list(t) or pa.types.is_large_list(t), "a list of text"),
    "channels": (lambda t: pa.types.is_list(t) or pa.types.is_large_list(t), "a list of text"),
    "activate": (pa.types.is_boolean, "boolean"),
    "explain": (pa.types.is_boolean, "boolean"),
    "at": (lambda t: pa.types.is_timestamp(t) or pa.types.is_string(t), "a timestamp or text"),
}


def _check_columns(schema: pa.Schema, source: Path) -> None:
    """Raises InvalidInput with every column that is missing or of a kind that can't be."""
    errors = []
    if "customer_id" not in schema.names:
        errors.append(
            FieldError(field="customer_id", detail="there is no such column; it names whom to decide for")
        )
    for field in schema:
        kind = _KINDS.get(field.name)
        scalar = pa.types.is_primitive(field.type) or pa.types.is_string(field.type)
        scalar = scalar or pa.types.is_large_string(field.type) or pa.types.is_dictionary(field.type)
        if kind is not None and not pa.types.is_null(field.type) and not kind[0](field.type):
            errors.append(
                FieldError(field=field.name, detail=f"this column must hold {kind[1]}, not {field.type}")
            )
        elif kind is None and not scalar and not pa.types.is_null(field.type):
            errors.append(
                FieldError(
                    field=field.name, detail=f"a context key is text, number or boolean, not {field.type}"
                )
            )
    if errors:
        raise InvalidInput(errors, str(source))


def _digest(source: Path) -> str:
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _read(row: dict[str, Any], new_id: str) -> DecisionRequest | InvalidInput:
    """A row as a request, or what is wrong with it."""
    try:
        at = _epoch(row.get("at"))
        context = {name: _scalar(name, v) for name, v in row.items() if name not in _OWN and v is not None}
        actions, channels = (_names(name, row.get(name)) for name in ("actions", "channels"))
        activate, explain = row.get("activate") is not False, row.get("explain") is True
        customer_id = row["customer_id"] or ""
        return DecisionRequest(
            customer_id=customer_id,
            decision_id=row.get("decision_id") or new_id,
            digest=digest_of(
                customer_id=customer_id,
                context=context,
                actions=actions,
                channels=channels,
                activate=activate,
                explain=explain,
                at=at,
            ),
            context=context,
            actions=actions,
            channels=channels,
            activate=activate,
            explain=explain,
            at=at,
        )
    except InvalidInput as error:
        return error


def _scalar(name: str, value: Any) -> str | float | bool | None:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        number = float(value)
        if isnan(number):
            return None
        if abs(number) != float("inf"):
            return number
    raise InvalidInput.of(name, "must be text, a finite number, true, false or null")


def _names(field: str, values: Sequence[Any] | None) -> tuple[str, ...] | None:
    if values is None:
        return None
    if not all(isinstance(value, str) for value in values):
        raise InvalidInput.of(field, "must be a list of names")
    return tuple(values)


def _epoch(at: datetime | str | None) -> float | None:
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at)
        except ValueError:
            raise InvalidInput.of("at", "must be ISO-8601, such as 2026-11-21T18:00:00Z") from None
    if at is None:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _answered(
    service: Service, read: Sequence[DecisionRequest | InvalidInput], now: float
) -> list[Result | Exception]:
    asked = [one for one in read if isinstance(one, DecisionRequest)]
    answers = iter(service.handle(asked, now) if asked else ())
    return [one if isinstance(one, InvalidInput) else next(answers) for one in read]


def _told(
    results: Sequence[Result | Exception], read: Sequence[DecisionRequest | InvalidInput]
) -> Iterator[dict[str, Any]]:
    for result, one in zip(results, read, strict=True):
        match result:
            case Answer():
                answer = orjson.loads(result.body)
                texts = {name: _json(answer[name]) for name in _JSON if answer.get(name) is not None}
                yield {**answer, **texts, "repeated": result.repeated}
            case NbaError():
                yield {**_ids(one), "problem": result.detail}
            case Exception():
                raise result
            case _:
                raise TypeError(f"a {type(result).__name__} answers no decision request")


def _ids(one: DecisionRequest | InvalidInput) -> dict[str, Any]:
    if isinstance(one, InvalidInput):
        return {}
    return {"decision_id": one.decision_id, "customer_id": one.customer_id}


def _json(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _kind(row: dict[str, Any]) -> str:
    if "problem" in row:
        return "problems"
    return "repeated" if row["repeated"] else "decided"
