"""A name for a new segment, from where it stands among all customers: `lapsing regulars`.

Names only have to be good enough to be recognised; a person gives better ones with `--name`, and those stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nba.errors import InvalidInput
from nba.journey.segments import Scaling
from nba.journey.traits import LAST_SEEN, Trait, valued_types
from nba.playbook.compile import Playbook
from nba.playbook.declaration import ANOTHER
from nba.playbook.schema import DAY
from training.segments.cohort import Cohort

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_Figure = Callable[[str], float]
_NAME = re.compile(r"[^\W_](?:[^\W_]|[ .,&+()/-]){0,59}")


def names(
    playbook: Playbook, cohort: Cohort, scaling: Scaling, place: Ints, kept: Sequence[str | None]
) -> list[str]:
    """(k,) a name each, all different: those that are `kept` as they are, the others made up."""
    taken = [name for name in kept if name is not None]
    given: list[str] = []
    known = scaling.known(cohort.values, cohort.seen)
    Z = scaling.scaled(cohort.values, cohort.seen)
    made = [_of(playbook, scaling.traits, known, place == i) for i in range(len(kept))]
    for i, name in enumerate(kept):
        if name is None:
            alike = {j for j, other in enumerate(made) if other == made[i] and j != i}
            name = made[i]
            if alike or name in taken:
                others = np.isin(place, list(alike)) if alike else place != i
                name = f"{name}, {_unlike(scaling, Z, place == i, others)}"
            name = _free(name, taken)
            taken.append(name)
        given.append(name)
    return given


def renamed(ids: Sequence[str], given: Sequence[str], wanted: Mapping[str, str]) -> list[str]:
    """With the names that somebody chose. Raises InvalidInput: no such id, no name, or one used twice."""
    for id, name in wanted.items():
        if id not in ids:
            raise InvalidInput.of("name", f"there is no segment {id!r} now; there are {', '.join(ids)}")
        if not _NAME.fullmatch(name) or name == ANOTHER:
            detail = (
                "a name is up to 60 letters, digits, spaces and . , & + ( ) / -, and begins with a letter"
            )
            raise InvalidInput.of("name", f"{name[:60]!r}: {detail}")
    final = [wanted.get(id, name) for id, name in zip(ids, given, strict=True)]
    twice = next((name for name in final if final.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput.of("name", f"two segments would be named {twice!r}")
    return final


def _of(playbook: Playbook, traits: Sequence[Trait], known: Floats, inside: NDArray[np.bool_]) -> str:
    index = {trait.name: i for i, trait in enumerate(traits)}

    def median(name: str) -> float:
        return float(np.median(known[inside, index[name]]))

    def level(name: str) -> float:
        """Where the segment's median stands among all customers, 0 to 1."""
        column = known[:, index[name]]
        return float((column < median(name)).mean() + (column == median(name)).mean() / 2)

    words = [_recency(playbook, median, level)]
    valued = valued_types(playbook)
    if (
        valued
        and median("value_each") > 0
        and median(f"{valued[0]}_total") >= 1
        and level("value_each") >= 0.75
    ):
        words.append("big-basket")
    words.append(_frequency(valued, median, level, _rate(valued, index, known, inside)))
    return " ".join(words)


def _rate(valued: Sequence[str], index: Mapping[str, int], known: Floats, inside: NDArray[np.bool_]) -> float:
    """How often those inside bought while they came, against all who bought twice; medians."""
    total = known[:, [index[f"{t}_total"] for t in valued]].sum(axis=1)
    span = np.maximum(known[:, index["tenure"]] - known[:, index[LAST_SEEN]], 30.0)
    rate, twice = total / span, total >= 2
    if not (twice & inside).any():
        return 0.0
    return float(np.median(rate[twice & inside]) / np.median(rate[twice]))


def _recency(playbook: Playbook, median: _Figure, level: _Figure) -> str:
    churn = playbook.spec.scores.churn
    if churn is not None:
        ago, length = median(LAST_SEEN), churn.inactivity / DAY
        lapsing, lost = ago > length / 2, ago > length
    else:
        lapsing, lost = level(LAST_SEEN) > 0.5, level(LAST_SEEN) > 0.8
    if lost:
        return "lost"
    if lapsing:
        return "lapsing"
    return "new" if level("tenure") < 0.3 and median("tenure") <= 60 else "active"


def _frequency(valued: Sequence[str], median: _Figure, level: _Figure, rate: float) -> str:
    if not valued:
        return "regulars" if level("activity") >= 0.6 else "occasionals"
    total = sum(median(f"{t}_total") for t in valued)
    if total < 0.5:
        return "lookers"
    if total < 1.5:
        return "one-time buyers"
    return "regulars" if rate >= 0.5 else "occasional buyers"


def _unlike(scaling: Scaling, Z: Floats, inside: NDArray[np.bool_], others: NDArray[np.bool_]) -> str:
    """`more evening`, `longer since purchase`: the trait in which segments of one name differ most."""
    gaps = Z[inside].mean(axis=0) - Z[others].mean(axis=0)
    gaps = np.divide(gaps, scaling.weight, out=np.zeros_like(gaps), where=scaling.weight > 0)
    most = int(np.abs(gaps).argmax())
    trait, more = scaling.traits[most], gaps[most] > 0
    if trait.name == "tenure":
        return "longer known" if more else "known for less long"
    if trait.group == "recency":
        return (
            f"{'longer' if more else 'less long'} since {trait.name.removeprefix('last_').replace('_', ' ')}"
        )
    if trait.group == "value":
        return f"{'larger' if more else 'smaller'} baskets" if trait.how == "share" else _worth(more)
    name = trait.name.removeprefix("share_").removeprefix("via_").replace("_", " ")
    return f"{'more' if more else 'less'} {name}"


def _worth(more: bool) -> str:
    return "worth more" if more else "worth less"


def _free(name: str, taken: Sequence[str]) -> str:
    if name not in taken:
        return name
    return next(other for n in range(2, len(taken) + 3) if (other := f"{name} {n}") not in taken)
