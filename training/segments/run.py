"""What `nba journey segments` does: read, cluster, match, describe, log to MLflow, seal. The shell around the
pure steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.tracking import Tracker
from nba.artefacts import Artefact, Artefacts
from nba.errors import CallOperator, NotFound
from nba.journey.scores import ScoreModels, unseal_scores
from nba.journey.segments import (
    Scaling,
    Segment,
    SegmentModel,
    asked_for,
    nearest,
    read_segments,
    seal_segments,
)
from nba.journey.traits import traits_of
from nba.playbook.compile import Playbook
from nba.stores.ports import Store
from training.segments.choose import Choice, choose, clusters, fit_scaling
from training.segments.cohort import Cohort, cohort
from training.segments.describe import Persona, describe
from training.segments.match import Matched, match
from training.segments.name import names, renamed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_PROBES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How segments are sought.

    Attributes:
        most: the largest number that is tried; `count` asks for one number.
        least: the share of the customers that each must have.
        names: id → the name that somebody chose.
    """

    most: int = 8
    count: int | None = None
    least: float = 0.02
    names: Mapping[str, str]
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The artefact before, and the model in it, as far as it can be compared with the playbook of today."""

    model: SegmentModel | None
    segments: tuple[Segment, ...]
    following: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Segments of a cohort, best worth first.

    Attributes:
        place: (n,) who is in which.
    """

    as_of: float
    cohort: Cohort
    scaling: Scaling
    centroids: Floats
    choice: Choice
    place: Ints
    matched: Matched
    segments: tuple[Segment, ...]
    personas: tuple[Persona, ...]
    unknown: tuple[str, ...]


def find(
    playbook: Playbook,
    history: Path,
    as_of: float,
    settings: Settings,
    before: Before | None = None,
    scores: ScoreModels | None = None,
    hear: Callable[[str], None] = lambda step: None,
) -> Found:
    """A pure function of what it is given and the history.

    Raises:
        NotEnoughData: too few customers, or they don't differ.
        InvalidInput: a name that was chosen can't be.
    """
    hear("reading the history")
    people = cohort(playbook, history, as_of, scores, None if before is None else before.model)
    traits = traits_of(playbook)
    scaling = fit_scaling(traits, people.values, people.seen)
    Z = scaling.scaled(people.values, people.seen)
    choice = choose(Z, settings.most, settings.least, settings.count, settings.seed, hear)
    hear("describing")
    centroids = _ordered(clusters(Z, choice.k, settings.seed), Z, people)
    place = nearest(Z, centroids)
    former, following = ((), 1) if before is None else (before.segments, before.following)
    matched = match(place, choice.k, people.before, former, following)
    given = names(playbook, people, scaling, place, matched.names)
    final = renamed(matched.ids, given, settings.names)
    segments = tuple(Segment(id=i, name=n) for i, n in zip(matched.ids, final, strict=True))
    return Found(
        as_of=as_of,
        cohort=people,
        scaling=scaling,
        centroids=centroids,
        choice=choice,
        place=place,
        matched=matched,
        segments=segments,
        personas=tuple(describe(playbook, people, scaling, place, choice.k)),
        unknown=tuple(name for name in asked_for(playbook) if name not in final),
    )


def before_of(store: Store, artefacts: Path, playbook: Playbook) -> Before | None:
    """The segments that were published last, also where they no longer fit; None where none were, or where
    their artefact can't be read any more."""
    published = store.serving().get("segments")
    if published is None or not published.version:
        return None
    try:
        artefact = Artefacts(artefacts).read(published.version)
        model = read_segments(artefact, playbook)
    except (NotFound, CallOperator):
        return None
    following = int(artefact.manifest.parameters["following"])
    return Before(model=model.comparable(playbook), segments=model.segments, following=following)


def scores_of(store: Store, artefacts: Path, playbook: Playbook) -> ScoreModels | None:
    """The score models that serve; None where there are none that fit the playbook."""
    published = store.serving().get("scores")
    if published is None or not published.version:
        return None
    try:
        return unseal_scores(Artefacts(artefacts).read(published.version), playbook.schema)
    except (NotFound, CallOperator):
        return None


def seal(playbook: Playbook, found: Found) -> Artefact:
    """The artefact that serves them."""
    return seal_segments(
        found.scaling,
        found.centroids,
        found.segments,
        playbook,
        _probes(found.cohort.values, found.cohort.seen),
        data_to=found.as_of,
        rows=len(found.cohort),
        parameters={**finite(as_json(playbook, found)), "following": found.matched.following},
    )


def log(playbook: Playbook, found: Found, artefact: Artefact, settings: Settings) -> str:
    """A run of the MLflow experiment `segments`; its id. No customer's row or id leaves.

    Raises:
        StoreUnavailable: MLflow can't be reached.
    """
    from training.segments.figures import candidates_figure, differences_figure

    params = {"as_of": found.as_of, "most": settings.most, "count": settings.count, "least": settings.least}
    tags = {"playbook": playbook.version, "artefact": artefact.version}
    taken = next(c for c in found.choice.candidates if c.k == found.choice.k)
    with Tracker().run("segments", playbook.spec.name, {**params, "seed": settings.seed}, tags) as run:
        run.log_metrics(
            {**{k: float(v) for k, v in asdict(taken).items()}, "customers": float(len(found.cohort))}
        )
        for candidate in found.choice.candidates:
            figures = {"by_k.stability": candidate.stability, "by_k.silhouette": candidate.silhouette}
            run.log_metrics(figures, step=candidate.k)
        run.log_table([asdict(c) for c in found.choice.candidates], "candidates.json")
        run.log_dict(finite(as_json(playbook, found)), "segments.json")
        run.log_figure(candidates_figure(found), "candidates.png")
        run.log_figure(differences_figure(found), "differences.png")
        return run.run_id


def as_json(playbook: Playbook, found: Found) -> dict[str, Any]:
    """Everything that is said of them; NaN where a median is not known."""
    matched = found.matched
    return {
        "playbook": playbook.version,
        "as_of": found.as_of,
        "customers": len(found.cohort),
        "currency": playbook.spec.currency,
        "chosen": {
            "segments": found.choice.k,
            "sound": found.choice.sound,
            "said": found.choice.said,
            "candidates": [asdict(c) for c in found.choice.candidates],
        },
        "segments": [
            {**asdict(s), "overlap": overlap, "new": overlap == 0.0, **p.to_json()}
            for s, p, overlap in zip(found.segments, found.personas, matched.overlap, strict=True)
        ],
        "changes": {"gone": [asdict(s) for s in matched.gone], "moved": matched.moved},
        "rules_ask_for_unknown": list(found.unknown),
    }


def table(found: Found) -> pl.DataFrame:
    """A row a customer: id, segment, and the traits in their own units."""
    people, traits = found.cohort, found.scaling.traits
    named = {
        "segment_id": [found.segments[i].id for i in found.place.tolist()],
        "segment": [found.segments[i].name for i in found.place.tolist()],
    }
    measured = {t.name: people.values[:, i] for i, t in enumerate(traits)}
    frame = pl.DataFrame({"customer_id": people.customer.tolist(), **named, **measured})
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None)).sort("customer_id")


def _ordered(centroids: Floats, Z: Floats, people: Cohort) -> Floats:
    """By worth, then by size, so that new ids come in an order that means something."""
    place, k = nearest(Z, centroids), len(centroids)
    size = np.bincount(place, minlength=k)
    worth = np.bincount(place, weights=np.nan_to_num(people.worth), minlength=k) / np.maximum(size, 1)
    return centroids[np.lexsort((-size, -worth))]


def _probes(values: Floats, seen: Floats, seed: int = 0) -> tuple[Floats, Floats]:
    """Made-up traits over the range of the real ones, some unknown: test vectors of no real customer."""
    rng = np.random.default_rng(seed)
    drawn = []
    for columns in (values, seen):
        filled = np.where(np.isnan(columns).all(axis=0), 0.0, columns)
        low, high = np.nanmin(filled, axis=0), np.nanmax(filled, axis=0)
        rows = low + rng.random((_PROBES, columns.shape[1])) * (high - low)
        rows[rng.random(rows.shape) < 0.1] = np.nan
        drawn.append(rows)
    return drawn[0], drawn[1]


def finite(value: Any) -> Any:
    """With None for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
