"""Columns of an exported log back to decisions, each row checked: a wrong one is told and left out.

The hashes say that a folder is as it was written, not that whoever wrote it was right. What a decision must
hold to here: known names, odds over its eligible arms that add up to 1, the propensity of the arm drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from nba.blobs import pack
from nba.errors import FieldError, InvalidInput
from nba.model import BroughtAction, is_id
from nba.playbook.compile import Playbook
from nba.stores.ports import DecisionRow, TouchpointRow
from nba.trace import brought_of
from training.interchange.columns import FEATURE, PLAIN, TOUCHPOINTS, arms_of, schema_of
from training.interchange.parts import GROUPS

Floats = np.ndarray
_EXACT = 1e-9
_YEARS = (-2_208_988_800.0, 7_258_118_400.0)  # 1900 to 2199


class Wrong(NamedTuple):
    """A row that was left out: its place in the batch, the field, what is wrong and the mend."""

    row: int
    field: str
    detail: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """A batch read: each decision with `displaced`, by its place; and what was wrong."""

    rows: dict[int, tuple[DecisionRow, bool]] = field(default_factory=dict)
    wrong: list[Wrong] = field(default_factory=list)


def check_schema(found: pa.Schema, wanted: pa.Schema, source: str) -> None:
    """Raises InvalidInput with every column that is missing or of another type."""
    errors = [
        FieldError(field=column.name, detail=f"must be a column of {column.type}; export again")
        for column in wanted
        if column.name not in found.names or found.field(column.name).type != column.type
    ]
    if errors:
        raise InvalidInput(errors, source)


def imported_digest(decision_id: str) -> bytes:
    """In place of a request's digest, which is not exported: no request has it, so none is a repeat."""
    return hashlib.sha256(f"imported:{decision_id}".encode()).digest()


def touchpoints_of(batch: pa.RecordBatch) -> tuple[dict[int, TouchpointRow], list[Wrong]]:
    """Rows by their place, and what is wrong with the others."""
    rows, wrong = {}, []
    for i, told in enumerate(batch.select(TOUCHPOINTS.names).to_pylist()):
        flaw = _flaw(told)
        if flaw is None:
            rows[i] = TouchpointRow(**told)
        else:
            wrong.append(Wrong(i, *flaw))
    return rows, wrong


def _flaw(told: Mapping[str, Any]) -> tuple[str, str] | None:
    if told["source"] not in ("event", "outcome"):
        return "source", "must be event or outcome"
    for name in ("id", "surrogate"):
        if not is_id(told[name] or ""):
            return name, "must be 1 to 128 of A-Z a-z 0-9 . _ ~ : -"
    if not told["type"]:
        return "type", "must be a name"
    if not _in_years(told["occurred_at"]):
        return "occurred_at", "must be epoch seconds in the years 1900 to 2199"
    if told["value"] is None or not np.isfinite(told["value"]):
        return "value", "must be a finite number"
    if told["decision_id"] is not None and not is_id(told["decision_id"]):
        return "decision_id", "must be the id of a decision, or null"
    return None


class Decoder:
    """Reads batches of decisions that were made under one playbook, which they name as `version`."""

    def __init__(self, playbook: Playbook, version: str) -> None:
        self._playbook = playbook
        self._version = version
        self._arms: dict[tuple[BroughtAction, ...], _Arms] = {}
        self.schema = schema_of(playbook)

    def decode(self, batch: pa.RecordBatch) -> Decoded:
        """`batch` has the columns of `schema`."""
        read = Decoded()
        texts: dict[int, tuple[str, Any]] = {}
        alike: dict[tuple[BroughtAction, ...], list[int]] = {}
        plain = batch.select([*PLAIN, "displaced", "answer", "trace"]).to_pylist()
        for i, told in enumerate(plain):
            try:
                trace, answer = orjson.loads(told["trace"] or ""), orjson.loads(told["answer"] or "")
                brought = brought_of(trace)
                if not isinstance(answer, dict):
                    raise TypeError
                arms = self._of(brought)
            except (orjson.JSONDecodeError, TypeError, ValueError, AttributeError, InvalidInput):
                read.wrong.append(Wrong(i, "trace", "trace and answer must be JSON as exported"))
                continue
            flaw = _plain_flaw(told, self._version, arms)
            if flaw is not None:
                read.wrong.append(Wrong(i, *flaw))
                continue
            texts[i] = (told["trace"], answer)
            alike.setdefault(brought, []).append(i)
        for brought, places in alike.items():
            self._rows(batch, plain, texts, self._of(brought), places, read)
        return read

    def _of(self, brought: tuple[BroughtAction, ...]) -> _Arms:
        """Raises InvalidInput for actions that can't be brought along."""
        if brought not in self._arms:
            if len(self._arms) > 64:
                self._arms.clear()
            self._arms[brought] = _Arms(tuple(arms_of(self._playbook, brought)))
        return self._arms[brought]

    def _rows(
        self,
        batch: pa.RecordBatch,
        plain: Sequence[Mapping[str, Any]],
        texts: Mapping[int, tuple[str, Any]],
        arms: _Arms,
        places: list[int],
        read: Decoded,
    ) -> None:
        part = batch.take(pa.array(places))
        arrays = _Arrays.of(part, plain, arms, places)
        features, unknown = _features(part, self._playbook)
        for j, name in unknown:
            arrays.flaws.setdefault(j, (FEATURE + name, "is no category of the playbook's"))
        packed = pack(features), pack(arrays.odds), pack(arrays.scores)
        for j, (i, vector, odds, values) in enumerate(zip(places, *packed, strict=True)):
            if j in arrays.flaws:
                read.wrong.append(Wrong(i, *arrays.flaws[j]))
                continue
            told, (trace, answer) = plain[i], texts[i]
            row = DecisionRow(
                **{name: told[name] for name in PLAIN},
                digest=imported_digest(told["decision_id"]),
                body=orjson.dumps(answer),
                trace=trace.encode(),
                features=vector,
                eligible=arrays.codes[j].astype("<i2").tobytes(),
                odds=odds,
                values=values,
            )
            read.rows[i] = row, bool(told["displaced"])


@dataclass(frozen=True)
class _Arms:
    names: tuple[str, ...]

    @cached_property
    def index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def array(self) -> pa.Array:
        return pa.array(self.names, type=pa.string())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrays:
    """(n, k) refusal codes, odds and scores of n rows over the same arms, and the flaws found by place."""

    codes: np.ndarray
    odds: Floats
    scores: Floats
    flaws: dict[int, tuple[str, str]]

    @classmethod
    def of(
        cls, part: pa.RecordBatch, plain: Sequence[Mapping[str, Any]], arms: _Arms, places: list[int]
    ) -> _Arrays:
        n, k = len(part), len(arms.names)
        flaws: dict[int, tuple[str, str]] = {}
        detail = f"must have a value for each of the {k} arms of its playbook"
        codes, scores = np.ones((n, k), dtype=np.int64), np.zeros((n, k))
        odds = np.zeros((n, k))
        for name, into in (("refusals", codes), ("scores", scores)):
            whole = pc.equal(pc.list_value_length(part[name]), k).fill_null(False).to_numpy(False)
            flaws |= dict.fromkeys(np.flatnonzero(~whole).tolist(), (name, detail))
            into[whole] = part[name].filter(pa.array(whole)).flatten().to_numpy(False).reshape(-1, k)
        eligible = codes == 0
        lengths = eligible.sum(axis=1)
        fits = np.ones(n, dtype=np.bool_)
        for name in ("eligible", "odds"):
            fits &= pc.equal(pc.list_value_length(part[name]), lengths).fill_null(False).to_numpy(False)
        for j in np.flatnonzero(~fits).tolist():
            flaws.setdefault(j, ("eligible", "must name the arms that are not refused, with odds for each"))
        rows, columns = np.nonzero(eligible & fits[:, None])
        chosen = part.filter(pa.array(fits))
        named = pc.index_in(chosen["eligible"].flatten(), arms.array).fill_null(-1).to_numpy(False)
        odds[rows, columns] = chosen["odds"].flatten().to_numpy(False)
        for j in np.unique(rows[named != columns]).tolist():
            flaws.setdefault(
                j, ("eligible", "must name the arms that are not refused, in the playbook's order")
            )
        sums = np.abs(odds.sum(axis=1) - 1.0)
        for j in np.flatnonzero(~(sums <= _EXACT) | (odds < 0).any(axis=1)).tolist():
            flaws.setdefault(j, ("odds", "must be 0 or more and add up to 1"))
        arm = np.array([arms.index[plain[i]["arm"]] for i in places])
        propensity = np.array([plain[i]["propensity"] for i in places])
        drawn = np.abs(odds[np.arange(n), arm] - propensity) <= _EXACT
        for j in np.flatnonzero(~drawn).tolist():
            flaws.setdefault(j, ("propensity", "must be the odds of the arm drawn"))
        return cls(codes=codes, odds=odds, scores=scores, flaws=flaws)


def _features(part: pa.RecordBatch, playbook: Playbook) -> tuple[Floats, list[tuple[int, str]]]:
    """(n, F) features, and the places and names of categories that the playbook does not have."""
    features = np.empty((len(part), len(playbook.schema)))
    unknown: list[tuple[int, str]] = []
    for column, feature in enumerate(playbook.schema.features):
        values = part[FEATURE + feature.name]
        if feature.kind == "category":
            found = pc.index_in(values, pa.array(feature.categories, type=pa.string()))
            strange = pc.and_(pc.is_valid(values), pc.is_null(found)).to_numpy(False)
            unknown += [(j, feature.name) for j in np.flatnonzero(strange).tolist()]
            values = found.cast(pa.float64())
        features[:, column] = values.to_numpy(False)
    return features, unknown


def _plain_flaw(told: Mapping[str, Any], version: str, arms: _Arms) -> tuple[str, str] | None:
    return next(_plain_flaws(told, version, arms), None)


def _plain_flaws(told: Mapping[str, Any], version: str, arms: _Arms) -> Iterator[tuple[str, str]]:
    for name in ("decision_id", "surrogate"):
        if not is_id(told[name] or ""):
            yield name, "must be 1 to 128 of A-Z a-z 0-9 . _ ~ : -"
    if not _in_years(told["decided_at"]):
        yield "decided_at", "must be epoch seconds in the years 1900 to 2199"
    if told["status"] not in ("active", "held"):
        yield "status", "must be active or held"
    if told["group"] not in GROUPS:
        yield "group", f"must be one of {', '.join(GROUPS)}"
    if told["playbook"] != version:
        yield "playbook", f"must be {version}, as the manifest says of this file"
    if told["arm"] not in arms.index:
        yield "arm", "is no arm of its playbook"
    parts = (told["action"], told["channel"], told["timing"])
    if "/".join(part for part in parts if part is not None) != told["arm"]:
        yield "action", "action, channel and timing must be those of the arm"
    if told["propensity"] is None or not 0 < told["propensity"] <= 1 + _EXACT:
        yield "propensity", "must be more than 0 and at most 1"
    if not told["policy"]:
        yield "policy", "must name the policy that drew"


def _in_years(moment: float | None) -> bool:
    return moment is not None and _YEARS[0] <= moment < _YEARS[1]
