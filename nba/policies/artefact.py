"""Policies as bytes and back: same policy, same bytes.

A learned policy carries its arm table and test vectors, so that whoever reads it can check that it
scores as it did where it was trained, before fitting it to the playbook of today. The explorer, its floor
and the levers always come from the playbook in force. The parts of a mixture are policies of their own
among its files, `0.policy.json` and so on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nba.artefacts import Artefact, Manifest
from nba.errors import CorruptArtefact, InvalidInput, SchemaMismatch
from nba.playbook.compile import Playbook
from nba.playbook.declaration import FeatureSchema
from nba.playbook.schema import Exploration
from nba.policies.mixture import MixturePolicy
from nba.policies.model_files import Arrays, read_arrays, read_model, write_arrays, write_model
from nba.policies.policy import Floats, Policy
from nba.policies.served import ConstantPolicy, IncumbentPolicy, LearnedModel, ServedPolicy, UniformPolicy

_TOLERANCE = 1e-9
_VECTORS = 32
_VALUES = "policy.json"


def seal(
    policy: Policy,
    playbook: Playbook,
    *,
    data_from: float | None,
    data_to: float | None,
    rows: int,
    parameters: Mapping[str, Any],
    contexts: Floats | None = None,
) -> Artefact:
    """A policy as an artefact that serves under the playbook's own exploration and levers.

    Args:
        contexts: (m, F) features for the test vectors; made up from the schema by default.

    Raises:
        SchemaMismatch: the playbook asks for thompson, and the model has no heads.
    """
    X = made_up_contexts(playbook.schema, _VECTORS) if contexts is None else contexts[:_VECTORS]
    manifest = Manifest(
        kind="policy",
        specification=policy.specification,
        playbook=playbook.fingerprint,
        features=playbook.schema.fingerprint,
        arms=playbook.arms.names,
        data_from=data_from,
        data_to=data_to,
        rows=rows,
        parameters=dict(parameters),
    )
    return Artefact.of(manifest, _write(_serving(policy, playbook), playbook, X))


def unseal(artefact: Artefact, playbook: Playbook) -> Policy:
    """The policy, checked against its test vectors and fitted to the playbook.

    Raises:
        SchemaMismatch: the playbook has other features, or arms that the policy can't score, or asks for
            draws that it has not.
        CorruptArtefact: the bytes are no policy, or don't reproduce the test vectors.
    """
    manifest = artefact.manifest
    if manifest.kind != "policy":
        raise CorruptArtefact(f"an artefact of kind {manifest.kind!r} is no policy")
    if Artefact.of(manifest, artefact.files).manifest.files != manifest.files:
        # checked on reading too; LightGBM ends the process on damaged text, so never ask it
        raise CorruptArtefact("the policy has bytes that don't match its manifest")
    if manifest.features != playbook.schema.fingerprint:
        raise SchemaMismatch(
            f"the policy was trained on the features {manifest.features}, the playbook {playbook.version}"
            f" has {playbook.schema.fingerprint}; train again, or go back to the old playbook"
        )
    try:
        return _read(artefact.files, playbook, manifest.playbook == playbook.fingerprint)
    except (KeyError, ValueError, TypeError, IndexError, InvalidInput) as error:
        raise CorruptArtefact(f"the policy can't be read: {type(error).__name__}: {error}") from None


def made_up_contexts(schema: FeatureSchema, rows: int) -> Floats:
    """(rows, F) features of every kind and size, some not known; always the same."""
    rng = np.random.default_rng(1)
    X = rng.lognormal(0.0, 2.0, size=(rows, len(schema)))
    for i, feature in enumerate(schema.features):
        if feature.kind != "number":
            X[:, i] = rng.integers(len(feature.categories) or 2, size=rows)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


def _serving(policy: Policy, playbook: Playbook) -> Policy:
    """As it will serve."""
    match policy:
        case ServedPolicy(model=model):
            return ServedPolicy.of(model, playbook.spec.exploration, playbook.arms.lever)
        case MixturePolicy(components=components):
            return replace(policy, components=tuple(_serving(part, playbook) for part in components))
        case _:
            return policy


def _write(policy: Policy, playbook: Playbook, X: Floats) -> dict[str, bytes]:
    """The files of a policy, test vectors on (m, F) features among them."""
    values: dict[str, Any] = {"kind": policy.specification}
    files: dict[str, bytes] = {}
    match policy:
        case ServedPolicy(model=model):
            write_model(model, values, files)
            values["exploration"] = playbook.spec.exploration.model_dump()
        case ConstantPolicy(arm=arm):
            values["arm"] = playbook.arms.names[arm]
        case MixturePolicy(components=components, weights=weights):
            values["weights"] = weights
            for i, part in enumerate(components):
                files |= {f"{i}.{name}": data for name, data in _write(part, playbook, X).items()}
    eligible = np.random.default_rng(0).random((len(X), len(playbook.arms))) < 0.7
    eligible[:, 0] = True
    odds = policy.choose(X, eligible).odds
    write_arrays({"vectors.features": X, "vectors.eligible": eligible, "vectors.odds": odds}, files)
    files[_VALUES] = json.dumps(values, sort_keys=True, indent=1, allow_nan=False).encode()
    return files


def _read(files: Mapping[str, bytes], playbook: Playbook, same: bool) -> Policy:
    """The policy of these files; `same` where they were written under this very playbook."""
    values = json.loads(files[_VALUES])
    if values["kind"] in _SIMPLE:
        policy = _SIMPLE[values["kind"]](values, playbook)
    elif values["kind"] == "mixture":
        parts = [_read(_part(files, i), playbook, same) for i in range(len(values["weights"]))]
        policy = MixturePolicy.of(playbook, parts, values["weights"])
    else:
        return _read_served(values, files, playbook, same)
    if same:
        _check(policy, read_arrays(files))
    return policy


def _read_served(
    values: Mapping[str, Any], files: Mapping[str, bytes], playbook: Playbook, same: bool
) -> ServedPolicy:
    model: LearnedModel = read_model(values, files)
    trained = ServedPolicy.of(model, Exploration(**values["exploration"]), model.arms.lever)
    _check(trained, read_arrays(files))
    if not same:
        model = model.recompiled(playbook.arms)
    return ServedPolicy.of(model, playbook.spec.exploration, playbook.arms.lever)


def _part(files: Mapping[str, bytes], number: int) -> dict[str, bytes]:
    """The files of one part of a mixture."""
    start = f"{number}."
    return {name.removeprefix(start): data for name, data in files.items() if name.startswith(start)}


def _constant(values: Mapping[str, Any], playbook: Playbook) -> Policy:
    arm = playbook.arms.index.get(values["arm"])
    if arm is None:
        raise SchemaMismatch(f"the playbook {playbook.version} has no arm {values['arm']}")
    return ConstantPolicy.of(playbook, arm)


_SIMPLE: dict[str, Callable[[Mapping[str, Any], Playbook], Policy]] = {
    "constant": _constant,
    "uniform": lambda values, playbook: UniformPolicy.of(playbook),
    "incumbent": lambda values, playbook: IncumbentPolicy.of(playbook),
}


def _check(policy: Policy, arrays: Arrays) -> None:
    X, eligible, expected = (arrays[f"vectors.{name}"] for name in ("features", "eligible", "odds"))
    odds = policy.choose(X, eligible).odds
    if odds.shape != expected.shape or not np.abs(odds - expected).max() <= _TOLERANCE:
        raise CorruptArtefact("the policy doesn't reproduce the odds of its own test vectors")
