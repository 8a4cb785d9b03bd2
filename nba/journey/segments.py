"""Segments at serving time: the nearest centroid in scaled traits, and nothing of how they were found.

    z = clip((bend(x) − centre) / spread, ±3) · weight
    segment = argmin_k ‖z − c_k‖²

where bend(x) is sign(x)·log1p(|x|) for a skewed trait. Who was never seen is in no segment.

A share of few touchpoints is drawn towards that of all customers, (w·x + m·x̄) / (w + m); a trait that is not
known is `fill`. An artefact of kind `segments` holds these numbers, who the segments are, and test vectores
that a reader must reproduce before it serves. It is for the traits that its playbook had: where the playbook
of today has others, the model is older than its features and is refused.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nba.artefacts import Artefact, Manifest
from nba.errors import CorruptArtefact, SchemaMismatch
from nba.journey.traits import LAST_SEEN, Measure, Trait, fingerprint, traits_of
from nba.playbook.compile import Playbook
from nba.playbook.declaration import ANOTHER, SEGMENT

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
KIND = "segments"
CLIP = 3.0
_TOLERANCE = 1e-9
_ROWS = 4_096  # worked on at once
_NUMBERS = ("centre", "spread", "weight", "fill", "prior", "pull")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Who a segment is. `id` (`s3`) stays for good; `name` is what rules say and may be chosen."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scaling:
    """From traits in their own units to columns that compare; (d,) each.

    Attributes:
        centre, spread: of the bent values.
        weight: of the column in the distance; 0 leaves it out.
        fill: what stands for "not known", before bending.
        prior, pull: x̄ and m of shares; a pull of 0 for all else.
    """

    traits: tuple[Trait, ...]
    centre: Floats
    spread: Floats
    weight: Floats
    fill: Floats
    prior: Floats
    pull: Floats

    def known(self, values: Floats, weights: Floats) -> Floats:
        """(n, d) traits, nothing unknown, shares of little drawn towards the prior."""
        amount = np.nan_to_num(weights, nan=0.0)
        drawn = (amount * np.nan_to_num(values, nan=0.0) + self.pull * self.prior) / np.maximum(
            amount + self.pull, 1e-12
        )
        filled = np.where(np.isnan(values), self.fill, values)
        return np.asarray(np.where(self.pull > 0, drawn, filled), dtype=np.float64)

    def bent(self, known: Floats) -> Floats:
        """(n, d) with skewed traits bent."""
        skewed = np.array([trait.bent for trait in self.traits])
        return np.asarray(np.where(skewed, np.sign(known) * np.log1p(np.abs(known)), known), dtype=np.float64)

    def scaled(self, values: Floats, weights: Floats) -> Floats:
        """(n, d) as they are compared."""
        bent = self.bent(self.known(values, weights))
        return np.asarray(np.clip((bent - self.centre) / self.spread, -CLIP, CLIP) * self.weight)


@dataclass(frozen=True, eq=False)
class SegmentModel:
    """The segments of a playbook, ready to serve. Pure; a row does not depend on the others.

    Attributes:
        centroids: (k, d) in scaled traits.
        playbook: whose features it reads.
    """

    scaling: Scaling
    centroids: Floats
    segments: tuple[Segment, ...]
    playbook: Playbook

    def assign(self, features: Floats) -> Ints:
        """(n, F) in schema order → (n,) index into `segments`; -1 for who was never seen."""
        return self.place(*self._measure.values(features))

    def place(self, values: Floats, seen: Floats) -> Ints:
        """The same from measured traits, (n, d) each."""
        found = nearest(self.scaling.scaled(values, seen), self.centroids)
        last = [i for i, trait in enumerate(self.scaling.traits) if trait.name == LAST_SEEN]
        found[np.isnan(values[:, last]).any(axis=1)] = -1
        return found

    def mark(self, features: Floats) -> Ints:
        """Assign, and fill in the column `segment` where the playbook's rules ask for one."""
        found = self.assign(features)
        if self._codes is not None:
            features[:, self.playbook.schema.index[SEGMENT]] = self._codes[found]
        return found

    def comparable(self, playbook: Playbook) -> SegmentModel | None:
        """This model over the traits that another playbook still has; None where there are none.

        What it then says is an approximation, good enough to tell which old segment a new one continues.
        """
        index = playbook.schema.index
        kept = [i for i, t in enumerate(self.scaling.traits) if {*t.over, *t.by, *t.seen} <= index.keys()]
        if not any(self.scaling.weight[kept] > 0):
            return None
        numbers = {name: getattr(self.scaling, name)[kept] for name in _NUMBERS}
        scaling = Scaling(traits=tuple(self.scaling.traits[i] for i in kept), **numbers)
        return SegmentModel(scaling, self.centroids[:, kept], self.segments, playbook)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Segments that the playbook's rules ask for and that are none of these."""
        names = {segment.name for segment in self.segments}
        return tuple(name for name in asked_for(self.playbook) if name not in names)

    @cached_property
    def _measure(self) -> Measure:
        return Measure(self.scaling.traits, self.playbook.schema.index)

    @cached_property
    def _codes(self) -> Floats | None:
        """(k + 1,) what the column holds for each segment and, last, for none; None without such a column.

        Who is in no segment is known to be in none of those that rules ask for.
        """
        known = [f.categories for f in self.playbook.schema.features if f.group == "segment"]
        if not known:
            return None
        names = [s.name if s.name in known[0] else ANOTHER for s in self.segments]
        return np.array([known[0].index(name) for name in (*names, ANOTHER)], dtype=np.float64)


def asked_for(playbook: Playbook) -> tuple[str, ...]:
    """The segments that a playbook's rules name, in alphabetical order."""
    asked = [f.categories for f in playbook.schema.features if f.group == "segment"]
    return tuple(name for names in asked for name in names if name != ANOTHER)


def nearest(scaled: Floats, centroids: Floats) -> Ints:
    """(n, d), (k, d) → (n,) the nearest centroid, of equals the first; the sums don't depend on n."""
    found = np.empty(len(scaled), dtype=np.int64)
    for start in range(0, len(scaled), _ROWS):
        part = scaled[start : start + _ROWS]
        distance = np.square(part[:, None, :] - centroids[None, :, :]).sum(axis=2)
        found[start : start + _ROWS] = distance.argmin(axis=1)
    return found


def seal_segments(
    scaling: Scaling,
    centroids: Floats,
    segments: Sequence[Segment],
    playbook: Playbook,
    probes: tuple[Floats, Floats],
    *,
    data_to: float,
    rows: int,
    parameters: Mapping[str, Any],
) -> Artefact:
    """The artefact that serves them.

    Args:
        probes: (m, d) made-up traits and (m, d) what shares are shares of: test vectors.
        parameters: how they were found and what sets them apart, for readers; nothing of single customers.
    """
    manifest = Manifest(
        kind=KIND,
        specification=KIND,
        playbook=playbook.fingerprint,
        features=fingerprint(scaling.traits),
        data_to=data_to,
        rows=rows,
        parameters=dict(parameters),
    )
    described = {"traits": [asdict(t) for t in scaling.traits], "segments": [asdict(s) for s in segments]}
    numbers = np.vstack([getattr(scaling, name) for name in _NUMBERS])
    answers = scaling.scaled(*probes)
    files = {
        "segments.json": json.dumps(described, indent=1, allow_nan=False).encode(),
        "scaling.npy": _to_npy(numbers),
        "centroids.npy": _to_npy(centroids),
        "probes.npy": _to_npy(np.stack(probes)),
        "answers.npy": _to_npy(np.column_stack([answers, nearest(answers, centroids)])),
    }
    return Artefact.of(manifest, files)


def unseal_segments(artefact: Artefact, playbook: Playbook) -> SegmentModel:
    """The model of an artefact for a playbook, once it has reproduced its test vectors.

    Raises:
        SchemaMismatch: the playbook has other traits than the model was made for.
        CorruptArtefact: another kind, unreadable files, or other answers.
    """
    model = read_segments(artefact, playbook)
    if artefact.manifest.features != fingerprint(traits_of(playbook)):
        raise SchemaMismatch(
            f"the segments are older than their features: they were made under the playbook "
            f"{artefact.manifest.playbook}, and {playbook.version} has other touchpoints, channels or "
            "values; run nba journey segments"
        )
    return model


def read_segments(artefact: Artefact, playbook: Playbook) -> SegmentModel:
    """The same, also of a model that is older than its features: to be compared, not to serve.

    Raises CorruptArtefact.
    """
    if artefact.manifest.kind != KIND:
        raise CorruptArtefact(f"this is an artefact of kind {artefact.manifest.kind!r}, not {KIND!r}")
    try:
        described = json.loads(artefact.files["segments.json"])
        arrays = {name: _from_npy(artefact.files[f"{name}.npy"]) for name in _ARRAYS}
        traits = tuple(_trait(values) for values in described["traits"])
        if len(traits) != arrays["scaling"].shape[1] or fingerprint(traits) != artefact.manifest.features:
            raise ValueError("its traits are not those of its manifest")
        scaling = Scaling(traits=traits, **dict(zip(_NUMBERS, arrays["scaling"], strict=True)))
        segments = tuple(Segment(**values) for values in described["segments"])
        if arrays["centroids"].shape != (len(segments), len(traits)):
            raise ValueError("it has not one centroid a segment")
        scaled = scaling.scaled(arrays["probes"][0], arrays["probes"][1])
        answers = np.column_stack([scaled, nearest(scaled, arrays["centroids"])])
        agree = np.allclose(answers, arrays["answers"], rtol=0, atol=_TOLERANCE)
    except (KeyError, ValueError, TypeError, IndexError, EOFError) as error:
        raise CorruptArtefact(f"the segments can't be read: {error}") from None
    if not agree:
        raise CorruptArtefact("the segments don't reproduce the test vectors stored with them")
    return SegmentModel(scaling, arrays["centroids"], segments, playbook)


_ARRAYS = ("scaling", "centroids", "probes", "answers")


def _trait(values: Mapping[str, Any]) -> Trait:
    return Trait(**{**values, **{name: tuple(values[name]) for name in ("over", "by", "seen")}})


def _to_npy(values: Floats) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values, dtype=np.float64), allow_pickle=False)
    return buffer.getvalue()


def _from_npy(data: bytes) -> Floats:
    return np.asarray(np.load(io.BytesIO(data), allow_pickle=False), dtype=np.float64)
