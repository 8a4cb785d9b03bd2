"""What the variants of experiments make of a playbook: which changes meet, and what they must leave alone.

Arms and features stay the same, so that one log and one feature state serve all variants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nba.playbook.book import Combination as Combination
from nba.playbook.book import Playbook
from nba.playbook.declaration import SEGMENT
from nba.playbook.experiment import Experiment
from nba.playbook.trials import meet

Path = tuple[str | int, ...]
Finding = tuple[Path, str]
MOST = 64  # variations: each is a playbook of its own in memory and in the store
_CATALOGUE = ("category", "channels", "timings", "attributes")


def combinations(experiments: Sequence[Experiment]) -> list[Combination]:
    """The changes under which a customer may come, fewest first; more than MOST are not told apart.

    Each names variants with a change, at most one a layer, of experiments that run at the same time.
    """
    found: list[Combination] = [()]
    by_name = {experiment.name: experiment for experiment in experiments}
    for experiment in experiments:
        pairs = [(experiment.name, name) for name, variant in experiment.variants.items() if variant.change]
        found += [
            (*others, pair)
            for others in found
            for pair in pairs
            if all(_together(by_name[other], experiment) for other, _ in others)
        ][: MOST + 1]
    return sorted(found[1:], key=len)


def _together(one: Experiment, other: Experiment) -> bool:
    """Whether a customer may be in both at a time."""
    return one.layer != other.layer and meet(one, other)


def changed(
    experiments: Sequence[Experiment], combination: Combination
) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Each change of a combination, and where it stands in the file."""
    places = {experiment.name: i for i, experiment in enumerate(experiments)}
    for name, variant in combination:
        place = places[name]
        path = ("experiments", place, "variants", variant, "change")
        yield path, experiments[place].variants[variant].change


def strays(book: Playbook, varied: Playbook) -> Iterator[Finding]:
    """Where a variation has other arms or features than the playbook: the path below the change, and why."""
    yield from _arms(book, varied)
    before, after = set(book.schema.names), set(varied.schema.names)
    for name in sorted(after - before):
        yield (), f"uses {name}, which no rule of the playbook itself does; name it in one that all share"
    if SEGMENT in before & after and not set(_asked(varied)) <= set(_asked(book)):
        stray = min(set(_asked(varied)) - set(_asked(book)))
        yield (), f"asks for the segment {stray!r}, which no rule of the playbook itself does"
    elif SEGMENT in before & after and _asked(varied) != _asked(book):
        stray = min(set(_asked(book)) - set(_asked(varied)))
        yield (), f"leaves the segment {stray!r} without a rule that asks for it; ask in one that all share"
    for name in sorted(before - after):
        yield (), f"leaves {name} without a rule that uses it; name it in one that all share"
    for name in _CATALOGUE:
        if getattr(book.spec.catalogue, name) != getattr(varied.spec.catalogue, name):
            yield ("catalogue", name), "may not differ by variant, since policies learn by it"


def _asked(playbook: Playbook) -> tuple[str, ...]:
    """The segments that its rules ask for."""
    return playbook.schema.features[playbook.schema.index[SEGMENT]].categories


def _arms(book: Playbook, varied: Playbook) -> Iterator[Finding]:
    """At most one finding: what one action gains another may lose."""
    ours, theirs = book.arms, varied.arms
    stray = [
        *(n for n in theirs.names if n not in ours.index),
        *(n for n in ours.names if n not in theirs.index),
    ]
    if stray:
        arm = stray[0]
        word = "adds" if arm in theirs.index else "removes"
        detail = f"{word} the arm {arm}; a variant has the playbook's own actions, channels and timings"
        yield ("actions", arm.partition("/")[0]), f"{detail}: pause one with daily: {{contacts: 0}}"
    elif ours.names != theirs.names:
        yield ("actions",), "puts the arms in another order"
    elif ours.feature_names != theirs.feature_names or not np.array_equal(ours.features, theirs.features):
        yield ("actions",), "gives an action another category or other attributes, by which policies learn"
