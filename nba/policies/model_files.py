"""Learned models as named arrays and texts, and back. No pickle: JSON, NumPy arrays and LightGBM's text."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nba.errors import CorruptArtefact
from nba.playbook.arms import ArmTable
from nba.policies.bilinear import Weights
from nba.policies.boosted import BoostedModel
from nba.policies.encoder import Encoder
from nba.policies.linear import LinearModel
from nba.policies.served import LearnedModel
from nba.trees import Trees

_ARM_NAMES = ("actions", "channels", "timings", "categories", "feature_names")
_ARM_ARRAYS = ("action", "channel", "timing", "cost", "lever", "priority", "features")
_HEADS = ("level", "sloped", "matrix")
Arrays = dict[str, NDArray[Any]]


def write_model(model: LearnedModel, values: dict[str, Any], files: dict[str, bytes]) -> None:
    """Add what makes the model up to `values`, which become JSON, and to `files`."""
    arms = model.arms
    values |= {"sigma": model.sigma, "resolution": model.resolution}
    values["arms"] = {name: getattr(arms, name) for name in _ARM_NAMES}
    arrays: Arrays = {f"arms.{name}": getattr(arms, name) for name in _ARM_ARRAYS}
    if isinstance(model, LinearModel):
        values |= {"columns": model.encoder.names, "arm_features": model.arm_features, "form": "linear"}
        arrays |= {f"encoder.{name}": array for name, array in model.encoder.arrays().items()}
        arrays["weights"] = model.weights
        if model.heads is not None:
            arrays |= {f"heads.{name}": getattr(model.heads.weights, name) for name in _HEADS}
    elif isinstance(model, BoostedModel):
        values["form"] = "boosted"
        arrays["columns"] = model.columns
        files |= {"base.txt": model.base.text.encode(), "effect.txt": model.effect.text.encode()}
    else:
        raise TypeError(f"a {type(model).__name__} has no form as bytes")
    write_arrays(arrays, files)


def read_model(values: Mapping[str, Any], files: Mapping[str, bytes]) -> LearnedModel:
    """The model for the arm table it was trained on. Raises CorruptArtefact, KeyError, ValueError."""
    arrays = read_arrays(files)
    arms = _arm_table(values["arms"], arrays)
    figures: dict[str, Any] = {"sigma": float(values["sigma"]), "resolution": float(values["resolution"])}
    if values["form"] == "boosted":
        base, effect = (Trees(files[f"{name}.txt"].decode()) for name in ("base", "effect"))
        width = arrays["vectors.features"].shape[1]
        if (base.features, effect.features) != (width, width + arrays["columns"].shape[1]):
            raise CorruptArtefact("the boosted model takes other columns than the policy has")
        return BoostedModel(base=base, effect=effect, columns=arrays["columns"], arms=arms, **figures)
    own = {name.removeprefix("encoder."): a for name, a in arrays.items() if name.startswith("encoder.")}
    drawn = "heads.level" in arrays
    return LinearModel.compile(
        specification=values["kind"],
        encoder=Encoder.from_arrays(tuple(values["columns"]), own),
        weights=arrays["weights"],
        arm_features=values["arm_features"],
        arms=arms,
        heads=Weights.sparse(*(arrays[f"heads.{name}"] for name in _HEADS)) if drawn else None,
        **figures,
    )


def write_arrays(arrays: Arrays, files: dict[str, bytes]) -> None:
    """Each array as a file `name.npy`."""
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
        files[f"{name}.npy"] = buffer.getvalue()


def read_arrays(files: Mapping[str, bytes]) -> Arrays:
    """The files `name.npy`, by name. Raises ValueError."""
    return {
        name.removesuffix(".npy"): np.load(io.BytesIO(data), allow_pickle=False)
        for name, data in files.items()
        if name.endswith(".npy")
    }


def _arm_table(names: Mapping[str, Any], arrays: Arrays) -> ArmTable:
    columns: dict[str, Any] = {name: arrays.get(f"arms.{name}") for name in _ARM_ARRAYS}
    if columns["lever"] is None:  # written when playbooks had none
        columns["lever"] = np.ones(len(columns["action"]))
        columns["priority"] = np.zeros(len(columns["action"]), dtype=np.int64)
    texts: dict[str, Any] = {name: tuple(names[name]) for name in _ARM_NAMES}
    return ArmTable(**texts, **columns)
