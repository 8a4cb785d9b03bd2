"""Who was in which segment at first exposure: the declared rules, over the features that were logged then.

Features are matched by name where the playbook has changed since; one that it did not have then is not
known, and what is not known is in no segment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.report.experiment.cohort import Bools, Floats
from experiments.report.kept import KeptPlaybooks
from nba.blobs import unpack
from nba.errors import InvalidInput
from nba.playbook.compile import Playbook
from nba.playbook.declaration import FeatureSchema
from nba.playbook.rules import RuleError, compile_rule

_AT_ONCE = 20_000  # rows of some hundred features


def memberships(
    segments: Mapping[str, str],
    logged: Sequence[tuple[str, bytes]],
    playbook: Playbook,
    kept: KeptPlaybooks,
) -> dict[str, Bools]:
    """Segment → (n,) who is in it.

    Args:
        logged: n playbook versions and the features packed under them.

    Raises:
        InvalidInput: a rule that is none over the playbook's features; a playbook that the store lacks.
    """
    found = {name: np.zeros(len(logged), dtype=np.bool_) for name in segments}
    for start in range(0, len(logged) if segments else 0, _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        features = _features(logged[rows], playbook.schema, kept)
        for name, text in segments.items():
            found[name][rows] = _holds(name, text, playbook.schema, features)
    return found


def _holds(name: str, text: str, schema: FeatureSchema, features: Floats) -> Bools:
    try:
        return compile_rule(text, schema).holds(features)
    except RuleError as error:
        raise InvalidInput.of(f"segments.{name}", str(error)) from None


def _features(logged: Sequence[tuple[str, bytes]], schema: FeatureSchema, kept: KeptPlaybooks) -> Floats:
    """(n, F) in the schema's order, NaN where not known; so are all of a customer who was erased."""
    features = np.full((len(logged), len(schema)), np.nan)
    versions = np.array([version for version, _ in logged])
    there = np.array([len(blob) > 0 for _, blob in logged], dtype=np.bool_)
    for version in np.unique(versions[there]):
        places = np.flatnonzero(there & (versions == version))
        then = kept.of(str(version)).schema
        to = np.array([_place(schema, then, name) for name in then.names])
        rows = unpack([logged[i][1] for i in places.tolist()], len(then))
        features[np.ix_(places, to[to >= 0])] = rows[:, to >= 0]
    return features


def _place(now: FeatureSchema, then: FeatureSchema, name: str) -> int:
    """Where a feature of then stands now; -1 where there is none that means the same."""
    place = now.index.get(name, -1)
    return place if place >= 0 and now.features[place] == then.features[then.index[name]] else -1
