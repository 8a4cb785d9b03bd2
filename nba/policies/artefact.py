"""Policies as bytes and back. No pickle: JSON, NumPy arrays and LightGBM's text; same policy, same bytes.

A learned policy carries its arm table and test vectors, so that whoever reads it can check that it
scores as it did where it was trained, before fitting it to the playbook of today. The explorer and its
floor always come from the playbook in force.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nba.artefacts import Artefact, Manifest
from nba.errors import CorruptArtefact, SchemaMismatch
from nba.playbook.arms import ArmTable
from nba.playbook.compile import Playbook
from nba.playbook.declaration import FeatureSchema
from nba.playbook.schema import Exploration
from nba.policies.boosted import BoostedModel
from nba.policies.encoder import Encoder
from nba.policies.linear import LinearModel
from nba.policies.policy import Floats, Policy
from nba.policies.served import ConstantPolicy, IncumbentPolicy, LearnedModel, ServedPolicy, UniformPolicy
from nba.trees import Trees

_TOLERANCE = 1e-9
_VECTORS = 32
_ARM_NAMES = ("actions", "channels", "timings", "categories", "feature_names")
_ARM_ARRAYS = ("action", "channel", "timing", "cost", "features")
Arrays = dict[str, NDArray[Any]]


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
    """A policy as an artefact that serves under the playbook's own exploration.

    Args:
        contexts: (m, F) features for the test vectors; made up from the schema by default.
    """
    values: dict[str, Any] = {"kind": policy.specification}
    arrays: Arrays = {}
    files: dict[str, bytes] = {}
    match policy:
        case ServedPolicy(model=model):
            policy = ServedPolicy.of(model, playbook.spec.exploration)
            files |= _write_model(model, values, arrays)
            values["exploration"] = playbook.spec.exploration.model_dump()
        case ConstantPolicy(arm=arm):
            values["arm"] = playbook.arms.name(arm)
    X = made_up_contexts(playbook.schema, _VECTORS) if contexts is None else contexts[:_VECTORS]
    eligible = np.random.default_rng(0).random((len(X), len(playbook.arms))) < 0.7
    eligible[:, 0] = True
    odds = policy.choose(X, eligible).odds
    arrays |= {"vectors.features": X, "vectors.eligible": eligible, "vectors.odds": odds}
    files |= {f"{name}.npy": _to_bytes(array) for name, array in arrays.items()}
    files["policy.json"] = json.dumps(values, sort_keys=True, indent=1, allow_nan=False).encode()
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
    return Artefact.of(manifest, files)


def unseal(artefact: Artefact, playbook: Playbook) -> Policy:
    """The policy, checked against its test vectors and fitted to the playbook.

    Raises:
        SchemaMismatch: the playbook has other features, or arms that the policy can't score.
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
        values, arrays = _read(artefact)
        kind = values["kind"]
        if kind in _SIMPLE:
            policy = _SIMPLE[kind](values, playbook)
            if manifest.playbook == playbook.fingerprint:
                _check(policy, arrays)
            return policy
        model = _read_model(values, arrays, artefact.files)
        _check(ServedPolicy.of(model, Exploration(**values["exploration"])), arrays)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise CorruptArtefact(f"the policy can't be read: {type(error).__name__}: {error}") from None
    if manifest.playbook != playbook.fingerprint:
        model = model.recompiled(playbook.arms)
    return ServedPolicy.of(model, playbook.spec.exploration)


def made_up_contexts(schema: FeatureSchema, rows: int) -> Floats:
    """(rows, F) features of every kind and size, some not known; always the same."""
    rng = np.random.default_rng(1)
    X = rng.lognormal(0.0, 2.0, size=(rows, len(schema)))
    for i, feature in enumerate(schema.features):
        if feature.kind != "number":
            X[:, i] = rng.integers(len(feature.categories) or 2, size=rows)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


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


def _write_model(model: LearnedModel, values: dict[str, Any], arrays: Arrays) -> dict[str, bytes]:
    arms = model.arms
    values |= {"sigma": model.sigma, "resolution": model.resolution}
    values["arms"] = {name: getattr(arms, name) for name in _ARM_NAMES}
    arrays |= {f"arms.{name}": getattr(arms, name) for name in _ARM_ARRAYS}
    if isinstance(model, LinearModel):
        values |= {"columns": model.encoder.names, "arm_features": model.arm_features, "form": "linear"}
        arrays |= {f"encoder.{name}": array for name, array in model.encoder.arrays().items()}
        arrays["weights"] = model.weights
        return {}
    if isinstance(model, BoostedModel):
        values["form"] = "boosted"
        arrays["columns"] = model.columns
        return {"base.txt": model.base.text.encode(), "effect.txt": model.effect.text.encode()}
    raise TypeError(f"a {type(model).__name__} has no form as bytes")


def _read_model(values: Mapping[str, Any], arrays: Arrays, files: Mapping[str, bytes]) -> LearnedModel:
    names: dict[str, Any] = {name: tuple(values["arms"][name]) for name in _ARM_NAMES}
    columns: dict[str, Any] = {name: arrays[f"arms.{name}"] for name in _ARM_ARRAYS}
    arms = ArmTable(**names, **columns)
    figures: dict[str, Any] = {"sigma": float(values["sigma"]), "resolution": float(values["resolution"])}
    if values["form"] == "boosted":
        base, effect = (Trees(files[f"{name}.txt"].decode()) for name in ("base", "effect"))
        width = arrays["vectors.features"].shape[1]
        if (base.features, effect.features) != (width, width + arrays["columns"].shape[1]):
            raise CorruptArtefact("the boosted model takes other columns than the policy has")
        return BoostedModel(base=base, effect=effect, columns=arrays["columns"], arms=arms, **figures)
    own = {name.removeprefix("encoder."): a for name, a in arrays.items() if name.startswith("encoder.")}
    return LinearModel.compile(
        specification=values["kind"],
        encoder=Encoder.from_arrays(tuple(values["columns"]), own),
        weights=arrays["weights"],
        arm_features=values["arm_features"],
        arms=arms,
        **figures,
    )


def _to_bytes(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _read(artefact: Artefact) -> tuple[dict[str, Any], Arrays]:
    values = json.loads(artefact.files["policy.json"])
    arrays = {
        name.removesuffix(".npy"): np.load(io.BytesIO(data), allow_pickle=False)
        for name, data in artefact.files.items()
        if name.endswith(".npy")
    }
    return values, arrays
