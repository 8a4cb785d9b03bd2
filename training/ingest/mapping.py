"""The mapping file: which column of which file means what. Says what is wrong by path and line."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from datetime import date, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
import yaml
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, field_validator, model_validator

from nba.errors import FieldError, InvalidInput
from nba.playbook.checks import zone_names
from nba.playbook.document import Document
from nba.playbook.rules import nearest
from nba.playbook.schema import FeatureName, Section

Format = Literal["csv", "jsonl", "parquet"]


def _short(value: object) -> object:
    """`customer: id` is short for `customer: {column: id}`."""
    return {"column": value} if isinstance(value, str) else value


def _text(value: object) -> object:
    """YAML reads 1 and 2018-01-01 as what they are; a constant is their text."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _listed(value: object) -> object:
    """`[a, b]` is short for `{a: a, b: b}`."""
    return {item: item for item in value if isinstance(item, str)} if isinstance(value, list) else value


def _fields(value: object) -> object:
    """`payload` is one column of objects; a list or a mapping are columns of values."""
    return _short(value) if isinstance(value, str) else {"fields": _listed(value)}


class Cell(Section):
    """A column, with its values renamed where `values` has them, or a constant."""

    column: str | None = None
    constant: Annotated[str | None, BeforeValidator(_text)] = None
    values: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one(self) -> Cell:
        if (self.column is None) == (self.constant is None):
            raise ValueError("name either a column or a constant")
        return self


def _require_format(format: str) -> None:
    try:
        pl.Series(["x"]).str.to_datetime(format, strict=False)
    except pl.exceptions.PolarsError:
        detail = f"{format!r} is no format of date and time; write it as in %Y-%m-%d %H:%M"
        raise ValueError(detail) from None


class Time(Section):
    """A column of times. Without `format` ISO 8601; numbers since 1970 need `unit`."""

    column: str | None = None
    constant: Annotated[str | None, BeforeValidator(_text)] = None
    format: str | None = None
    unit: Literal["s", "ms", "us", "ns"] | None = None
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _zone(cls, zone: str) -> str:
        if zone not in zone_names():
            raise ValueError(f"there is no time zone {zone!r}{nearest(zone, sorted(zone_names()))}")
        return zone

    @model_validator(mode="after")
    def _one(self) -> Time:
        if (self.column is None) == (self.constant is None):
            raise ValueError("name either a column or a constant")
        if self.format is not None and self.unit is not None:
            raise ValueError("a time has a format or a unit, not both")
        if self.format is not None:
            _require_format(self.format)
        return self


class Property(Section):
    """A column whose cells become one property or attribute."""

    column: str
    kind: Literal["text", "number", "boolean"] | None = Field(default=None, alias="as")


class Properties(Section):
    """`column` holds whole JSON objects, or each of `fields` is a column of values."""

    column: str | None = None
    fields: dict[
        Annotated[str, Field(min_length=1, max_length=64)], Annotated[Property, BeforeValidator(_short)]
    ] = Field(default_factory=dict)


CellField = Annotated[Cell, BeforeValidator(_short)]
Attributes = dict[FeatureName, Annotated[Property, BeforeValidator(_short)]]


class Source(Section):
    """How the files whose names match are read. Their rows are events, profiles (`attributes`) or both."""

    match: str = "*"
    format: Format | None = None
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    customer: CellField
    time: Annotated[Time, BeforeValidator(_short)]
    type: CellField | None = None
    channel: CellField | None = None
    action: CellField | None = None
    value: CellField | None = None
    id: str | None = None
    properties: Annotated[Properties, BeforeValidator(_fields)] = Field(default_factory=Properties)
    attributes: Annotated[Attributes, BeforeValidator(_listed)] = Field(default_factory=dict)

    @field_validator("encoding")
    @classmethod
    def _codec(cls, encoding: str) -> str:
        try:
            return codecs.lookup(encoding).name
        except LookupError:
            raise ValueError(f"there is no encoding {encoding!r}") from None

    @model_validator(mode="after")
    def _something(self) -> Source:
        if self.type is None and not self.attributes:
            raise ValueError("type is missing: rows are events of a type, or have attributes")
        return self

    def columns(self) -> dict[str, str]:
        """Each column that is named, and the first field that names it."""
        single = {"customer": self.customer, "type": self.type, "time": self.time}
        single |= {"channel": self.channel, "action": self.action, "value": self.value}
        named = [(cell.column, field) for field, cell in single.items() if cell and cell.column]
        named += [(column, field) for column, field in ((self.id, "id"),) if column]
        named += [(self.properties.column, "properties")] if self.properties.column else []
        named += [(p.column, f"properties.{name}") for name, p in self.properties.fields.items()]
        named += [(p.column, f"attributes.{name}") for name, p in self.attributes.items()]
        fields: dict[str, str] = {}
        for column, field in named:
            fields.setdefault(column, field)
        return fields

    def required(self) -> set[str]:
        """Columns without which no row can be good."""
        cells = (self.customer.column, self.time.column, self.type.column if self.type else None)
        return {column for column in cells if column}


class Mapping(Section):
    """The whole file."""

    sources: list[Source] = Field(min_length=1)

    def source_of(self, path: Path) -> Source:
        """The first source whose `match` fits the file's name. Raises InvalidInput where none does."""
        for source in self.sources:
            if fnmatch(path.name, source.match):
                return source
        patterns = ", ".join(repr(source.match) for source in self.sources)
        raise InvalidInput.of("sources", f"no match fits this file; there are {patterns}", source=str(path))


def contract(columns: Iterable[str] | None) -> Source:
    """The source that needs no mapping: the field names of the HTTP events.

    Args:
        columns: the file's columns, of which the optional ones are taken; None where lines may differ.
    """
    optional = {"channel", "action", "value", "properties", "event_id"}
    there = optional if columns is None else optional.intersection(columns)
    extra = {"id" if name == "event_id" else name: name for name in there}
    return Source.model_validate({"customer": "customer_id", "type": "type", "time": "occurred_at", **extra})


_MODELS: tuple[type[BaseModel], ...] = (Mapping, Source, Cell, Time, Property)


def load(path: Path) -> Mapping:
    """Read and check a mapping file.

    Raises:
        InvalidInput: the file can't be read, or says something wrong: each field, its line, the mend.
    """
    try:
        document = Document.parse(path.read_text(encoding="utf-8"))
        return Mapping.model_validate(document.values)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidInput.of("mapping", f"can't be read: {reason}", source=str(path)) from None
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        line = mark.line + 1 if mark is not None else None
        raise InvalidInput.of("mapping", f"is not YAML: {problem or error}", line, str(path)) from None
    except ValidationError as error:
        raise InvalidInput(_explain(document, error), str(path)) from None


def _explain(document: Document, error: ValidationError) -> list[FieldError]:
    names = {field.alias or name for model in _MODELS for name, field in model.model_fields.items()}
    found: dict[tuple[str | int, ...], str] = {}
    for item in error.errors(include_url=False, include_context=False):
        path = _real(document.values, item["loc"])
        detail = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            detail = f"there is no such field{nearest(str(path[-1]), sorted(names))}"
        elif item["type"] == "missing":
            detail = "is missing"
        found.setdefault(path, detail[0].lower() + detail[1:])
    return [document.error(path, detail) for path, detail in found.items()]


def _real(values: Any, location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """pydantic's location without the steps that a short form leaves out."""
    path: list[str | int] = []
    here = values
    for step in location:
        inside = step in here if isinstance(here, dict) else isinstance(here, list) and isinstance(step, int)
        if inside:
            here = here[step]
        elif not (isinstance(here, dict) and step == location[-1]):
            continue
        path.append(step)
    return tuple(path)
