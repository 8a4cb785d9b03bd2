"""A run as a plain value, which can be sent to MLflow now or later. It knows nothing of MLflow.

Composing one is pure; `Tracker.send` writes it, and `experiments.backlog` keeps it while MLflow is down.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from posixpath import normpath
from typing import Any
from uuid import uuid4

import orjson

from nba.errors import CorruptArtefact, InvalidInput

Metric = tuple[str, float, int]
_MAGIC = b"nba-run-1"
_SIZE = struct.Struct(">Q")
_KEY = re.compile(r"[A-Za-z0-9_./: -]{1,250}")  # what MLflow takes as a name
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A version of the registered `model`: the run's files in `folder`; Markdown describes it in the UI."""

    model: str
    folder: str
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run, whole. Whatever it holds are names and figures, never customers' data.

    Attributes:
        experiment: the MLflow experiment, one a kind: propensity, churn, policy, evaluation, ab, drift,
            tuning.
        started_at: epoch seconds; it stays the run's time however late the run is sent.
        id: 32 hexadecimal digits; what is sent twice under one id is written once.
        params: kept as text.
        metrics: (name, value, step); what is not finite is left out, since MLflow has no other.
        tables: path ending in .json → rows of like keys, which MLflow's UI shows as a table.
        dicts, texts: path → what the file holds, as JSON or as it is.
        files: folder → name → bytes.
        figures: path → PNG bytes.
        registration: the version of a registered model that the run makes.

    Raises:
        InvalidInput: a name or path that MLflow would refuse.
    """

    experiment: str
    name: str
    started_at: float
    id: str = field(default_factory=lambda: uuid4().hex)
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[Metric] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    dicts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    figures: Mapping[str, bytes] = field(default_factory=dict)
    registration: Registration | None = None

    def __post_init__(self) -> None:
        if re.fullmatch(r"[0-9a-f]{32}", self.id) is None:
            raise InvalidInput.of("id", "must be 32 hexadecimal digits, as uuid4().hex is")
        if not math.isfinite(self.started_at):
            raise InvalidInput.of("started_at", "must be a moment, in epoch seconds")
        finite = tuple((n, float(v), int(step)) for n, v, step in self.metrics if math.isfinite(v))
        object.__setattr__(self, "metrics", finite)
        object.__setattr__(self, "params", {name: str(value) for name, value in self.params.items()})
        for kind, names in self._names():
            for name in names:
                _check(kind, name)

    def to_bytes(self) -> bytes:
        """Sizes, a JSON header, then the files and figures as they are."""
        blobs = [("", path, data) for path, data in self.figures.items()]
        blobs += [(folder, name, data) for folder, of in self.files.items() for name, data in of.items()]
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values |= {"files": list(self.files), "figures": None}
        values["registration"] = None if self.registration is None else asdict(self.registration)
        values["blobs"] = [(folder, name, len(data)) for folder, name, data in blobs]
        header = orjson.dumps(values, option=_OPTIONS)
        return b"".join([_MAGIC, _SIZE.pack(len(header)), header, *(data for _, _, data in blobs)])

    @classmethod
    def of_bytes(cls, data: bytes) -> RunRecord:
        """The record that `to_bytes` wrote. Raises CorruptArtefact."""
        try:
            return _read(data)
        except (ValueError, TypeError, KeyError, struct.error, InvalidInput) as error:
            raise CorruptArtefact(f"the bytes are no record of a run: {error}") from None

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """(path, bytes) of every file that the run has in MLflow."""
        for path, rows in self.tables.items():
            yield path, orjson.dumps(_split(rows), option=_OPTIONS)
        for path, values in self.dicts.items():
            yield path, orjson.dumps(values, option=_OPTIONS | orjson.OPT_INDENT_2)
        for path, text in self.texts.items():
            yield path, text.encode()
        for folder, files in self.files.items():
            yield from ((f"{folder}/{name}", data) for name, data in files.items())
        yield from self.figures.items()

    def _names(self) -> Iterator[tuple[str, Sequence[str]]]:
        yield "metrics", [name for name, _, _ in self.metrics]
        for kind in ("params", "tags", "tables", "dicts", "texts", "files", "figures"):
            yield kind, list(getattr(self, kind))
        yield "files", [name for files in self.files.values() for name in files]


def _check(kind: str, name: str) -> None:
    good = _KEY.fullmatch(name) is not None and normpath(name) == name and not name.startswith((".", "/"))
    if not good:
        mend = "use letters, digits and ._-/: or spaces, at most 250, and no path that leads elsewhere"
        raise InvalidInput.of(f"{kind}.{name}", f"is no name that MLflow takes; {mend}")


def _split(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Rows as MLflow's tables have them: pandas' orient="split"."""
    columns = list(rows[0]) if rows else []
    return {"columns": columns, "data": [[row[name] for name in columns] for row in rows]}


def _read(data: bytes) -> RunRecord:
    start = len(_MAGIC) + _SIZE.size
    if not data.startswith(_MAGIC):
        raise ValueError("they begin otherwise")
    (size,) = _SIZE.unpack(data[len(_MAGIC) : start])
    values = orjson.loads(data[start : start + size])
    at, figures = start + size, dict[str, bytes]()
    files: dict[str, dict[str, bytes]] = {folder: {} for folder in values["files"]}
    for folder, name, length in values.pop("blobs"):
        (files[folder] if folder else figures)[name] = data[at : at + length]
        at += length
    if at != len(data):
        raise ValueError(f"{len(data)} bytes where {at} belong")
    registration = values["registration"]
    values |= {"files": files, "figures": figures, "metrics": [tuple(m) for m in values["metrics"]]}
    values["registration"] = None if registration is None else Registration(**registration)
    return RunRecord(**values)
