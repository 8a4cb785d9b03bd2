"""A text model as an artefact of kind `feedback`, and back: JSON and NumPy arrays, no pickle.

The artefact has words and parts of words that stand in several training texts, and no text. A reader must
reproduce the answers to its test texts, which are made up, before it serves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nba.artefacts import Artefact, Manifest
from nba.errors import CorruptArtefact
from nba.journey.feedback.language import Language
from nba.journey.feedback.model import SENTIMENT, SENTIMENTS, THEME, Head, Pieces, TextModel
from nba.journey.feedback.pieces import PIECES
from nba.policies.model_files import read_arrays, write_arrays

KIND = "feedback"
SPECIFICATION = "text"
PROBES = 32
_TOLERANCE = 1e-9


def seal_text_model(
    model: TextModel,
    *,
    data_from: float | None = None,
    data_to: float | None = None,
    rows: int = 0,
    parameters: dict[str, Any] | None = None,
    seed: int = 0,
) -> Artefact:
    """Put a model into an artefact; interval and rows are those of its training texts."""
    manifest = Manifest(
        kind=KIND,
        specification=SPECIFICATION,
        playbook="",
        features="",
        data_from=data_from,
        data_to=data_to,
        rows=rows,
        parameters=parameters or {},
    )
    probes = _probes(model, seed)
    told = {
        "pieces": [{"kind": kind.kind, "names": kind.names} for kind in model.pieces],
        "language": {
            "name": model.language.name,
            "known": sorted(model.language.known),
            "least": model.language.least,
        },
        "heads": [{"name": h.name, "classes": h.classes, "beta": h.beta} for h in model.heads.values()],
        "probes": probes,
    }
    arrays: dict[str, NDArray[Any]] = {f"{kind.kind}.idf": kind.idf for kind in model.pieces}
    for head in model.heads.values():
        arrays |= {f"{head.name}.{part}": getattr(head, part) for part in ("weights", "intercept", "lean")}
        arrays[f"{head.name}.answers"] = model.odds(head.name, probes)
    arrays["known"] = model.language.shares(probes)
    files: dict[str, bytes] = {"model.json": json.dumps(told, allow_nan=False).encode()}
    write_arrays(arrays, files)
    return Artefact.of(manifest, files)


def unseal_text_model(artefact: Artefact) -> TextModel:
    """The model of an artefact, once it has reproduced its test texts' answers.

    Raises:
        CorruptArtefact: another kind, unreadable files, or other answers.
    """
    if artefact.manifest.kind != KIND:
        raise CorruptArtefact(f"this is an artefact of kind {artefact.manifest.kind!r}, not {KIND!r}")
    try:
        told = json.loads(artefact.files["model.json"])
        arrays = read_arrays(artefact.files)
        model = _restored(told, arrays)
        known = np.allclose(
            model.language.shares(told["probes"]), arrays["known"], rtol=0, atol=_TOLERANCE, equal_nan=True
        )
        agree = known and all(
            np.allclose(model.odds(name, told["probes"]), arrays[f"{name}.answers"], rtol=0, atol=_TOLERANCE)
            for name in model.heads
        )
    except (KeyError, ValueError, TypeError, IndexError, EOFError, AttributeError) as error:
        raise CorruptArtefact(f"the text model can't be read: {error}") from None
    if not agree:
        raise CorruptArtefact("the text model doesn't reproduce the test texts stored with it")
    return model


def _restored(told: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> TextModel:
    language = told["language"]
    pieces = tuple(
        Pieces(kind=entry["kind"], names=tuple(entry["names"]), idf=arrays[f"{entry['kind']}.idf"])
        for entry in told["pieces"]
    )
    heads = {entry["name"]: _head(entry, arrays) for entry in told["heads"]}
    columns = sum(len(kind.names) for kind in pieces)
    if not heads or any(head.weights.shape != (len(head.classes), columns) for head in heads.values()):
        raise ValueError("heads and pieces don't fit each other")
    if any(kind.kind not in PIECES or len(kind.idf) != len(kind.names) for kind in pieces):
        raise ValueError("pieces are of an unknown kind, or lack their frequencies")
    return TextModel(
        pieces=pieces,
        language=Language(
            name=str(language["name"]), known=frozenset(language["known"]), least=float(language["least"])
        ),
        heads=heads,
    )


def _head(entry: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Head:
    name, classes = entry["name"], tuple(entry["classes"])
    if name not in (SENTIMENT, THEME):
        raise ValueError(f"there is no head {name!r}")
    if name == SENTIMENT and not {"negative", "positive"} <= set(classes) <= set(SENTIMENTS):
        raise ValueError("sentiments are negative, neutral and positive")
    weights, intercept, lean = (arrays[f"{name}.{part}"] for part in ("weights", "intercept", "lean"))
    return Head(
        name=name, classes=classes, weights=weights, intercept=intercept, beta=float(entry["beta"]), lean=lean
    )


def _probes(model: TextModel, seed: int) -> list[str]:
    """Made-up texts of known words in no order, some with markup and some of no language."""
    rng = np.random.default_rng(seed)
    known = sorted(model.language.known) or ["word"]
    texts = [
        " ".join(known[i] for i in rng.integers(len(known), size=size))
        for size in rng.integers(1, 40, size=PROBES - 2)
    ]
    return [*texts, "<script>alert('qxzj')</script>", ""]
