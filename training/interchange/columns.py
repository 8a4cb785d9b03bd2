"""The columns of an exported log, and decisions as such columns.

A file has the features of one playbook, each as a column `feature_<name>`: numbers as they are, categories
by name, null where not known. Arms go by name. All else that makes the decision again stands as JSON in
`trace` and `answer`, without the customer's id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from nba.blobs import unpack
from nba.model import BroughtAction
from nba.playbook.catalogue import bring
from nba.playbook.compile import Playbook
from nba.playbook.declaration import Feature
from nba.stores.ports import DecisionRow, TouchpointRow
from training.policy.catalogue import brought_in
from training.policy.rows import variant_of

FEATURE = "feature_"
_PLAIN = (
    ("decision_id", pa.string()),
    ("surrogate", pa.string()),
    ("decided_at", pa.float64()),
    ("activated_at", pa.float64()),
    ("status", pa.string()),
    ("group", pa.string()),
    ("policy", pa.string()),
    ("playbook", pa.string()),
    ("arm", pa.string()),
    ("action", pa.string()),
    ("channel", pa.string()),
    ("timing", pa.string()),
    ("send_at", pa.float64()),
    ("propensity", pa.float64()),
)
PLAIN = tuple(name for name, _ in _PLAIN)
_COMPUTED = (
    ("experiments", pa.string()),
    ("displaced", pa.bool_()),
    ("reward", pa.float64()),
    ("mature", pa.bool_()),
    ("overlaps", pa.int64()),
)
ARMS = (
    ("eligible", pa.list_(pa.string())),
    ("odds", pa.list_(pa.float64())),
    ("refusals", pa.list_(pa.int16())),
    ("scores", pa.list_(pa.float64())),
)
TEXTS = (("answer", pa.string()), ("trace", pa.string()))
TOUCHPOINTS = pa.schema(
    [
        *((name, pa.string()) for name in ("source", "id", "surrogate", "type", "channel")),
        ("occurred_at", pa.float64()),
        ("value", pa.float64()),
        ("decision_id", pa.string()),
    ]
)


def schema_of(playbook: Playbook) -> pa.Schema:
    """The columns of decisions under this playbook."""
    features = [(FEATURE + f.name, _type(f)) for f in playbook.schema.features]
    return pa.schema([*_PLAIN, *_COMPUTED, *ARMS, *TEXTS, *features])


def table_of(
    rows: Sequence[DecisionRow], playbook: Playbook, computed: Mapping[str, Sequence[Any]]
) -> pa.Table:
    """Decisions of one playbook as a table.

    Args:
        computed: displaced, reward (None where not mature), mature and overlaps of the rows.
    """
    columns: dict[str, pa.Array] = {
        name: pa.array([getattr(row, name) for row in rows], type=kind) for name, kind in _PLAIN
    }
    told: dict[str, Sequence[Any]] = {**computed, "experiments": [variant_of(row) for row in rows]}
    columns |= {name: pa.array(told[name], type=kind) for name, kind in _COMPUTED}
    columns |= _arms(rows, playbook)
    columns["answer"] = pa.array([_answer(row) for row in rows], type=pa.string())
    columns["trace"] = pa.array([row.trace.decode() for row in rows], type=pa.string())
    features = unpack([row.features for row in rows], len(playbook.schema))
    for i, feature in enumerate(playbook.schema.features):
        columns[FEATURE + feature.name] = _feature(feature, np.ascontiguousarray(features[:, i]))
    return pa.table(columns, schema=schema_of(playbook))


def touchpoint_table(rows: Sequence[TouchpointRow]) -> pa.Table:
    """Touchpoints without their properties, which may say anything of a person."""
    columns = {name: [getattr(row, name) for row in rows] for name in TOUCHPOINTS.names}
    return pa.table(columns, schema=TOUCHPOINTS)


def arms_of(playbook: Playbook, brought: tuple[BroughtAction, ...]) -> Sequence[str]:
    """The arms of a decision in the order of its table."""
    return bring(playbook, brought).arms.names


def _type(feature: Feature) -> pa.DataType:
    return pa.string() if feature.kind == "category" else pa.float64()


def _feature(feature: Feature, values: np.ndarray) -> pa.Array:
    unknown = np.isnan(values)
    if feature.kind != "category":
        return pa.array(values, mask=unknown)
    places = pa.array(np.where(unknown, 0, values).astype(np.int32), mask=unknown)
    return pa.array(feature.categories, type=pa.string()).take(places)


def _arms(rows: Sequence[DecisionRow], playbook: Playbook) -> dict[str, pa.Array]:
    """Runs of decisions over the same arms at once; most bring no arms along."""
    parts: dict[str, list[pa.Array]] = {name: [] for name, _ in ARMS}
    for brought, alike in groupby(rows, brought_in):
        for name, part in _alike(list(alike), arms_of(playbook, brought)).items():
            parts[name].append(part)
    return {name: pa.chunked_array(parts[name], type=kind) for name, kind in ARMS}


def _alike(rows: list[DecisionRow], names: Sequence[str]) -> dict[str, pa.Array]:
    n, k = len(rows), len(names)
    codes = np.frombuffer(b"".join(map(attrgetter("eligible"), rows)), dtype="<i2").reshape(n, k)
    odds, scores = (unpack([getattr(row, blob) for row in rows], k) for blob in ("odds", "values"))
    eligible = codes == 0
    starts = np.append(0, np.cumsum(eligible.sum(axis=1))).astype(np.int32)
    whole = np.arange(n + 1, dtype=np.int32) * k
    chosen = pa.array(names, type=pa.string()).take(pa.array(np.nonzero(eligible)[1]))
    return {
        "eligible": pa.ListArray.from_arrays(starts, chosen),
        "odds": pa.ListArray.from_arrays(starts, pa.array(odds[eligible])),
        "refusals": pa.ListArray.from_arrays(whole, pa.array(codes.ravel())),
        "scores": pa.ListArray.from_arrays(whole, pa.array(scores.ravel())),
    }


def _answer(row: DecisionRow) -> str:
    answer = orjson.loads(row.body)
    answer.pop("customer_id", None)
    return orjson.dumps(answer).decode()
