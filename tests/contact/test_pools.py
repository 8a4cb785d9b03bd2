"""Daily limits while experiments run: each variant has its part, and together they have no more."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nba.contact.limits import DailyLimits
from nba.contact.pools import OTHERS, Pool, counted, pool_of
from nba.model import Used
from nba.playbook.book import Combination
from nba.playbook.compile import Playbook, parse
from tests.contact.business import BARE, HEAD

SPEC: dict[str, Any] = {**yaml.safe_load(HEAD), **yaml.safe_load(BARE)}


def book(
    *experiments: dict[str, Any], daily: dict[str, Any] | None = None, **groups: float
) -> tuple[Playbook, list[Any]]:
    """A playbook and all its experiments, as running."""
    shares = {"holdout": 0.0, "random_eligible": 0.0, **groups}
    offer = {**SPEC["actions"]["offer"], **({} if daily is None else {"daily": daily})}
    known = parse(
        json.dumps({**SPEC, "groups": shares, "actions": {"offer": offer}, "experiments": experiments})
    )
    return known, known.spec.experiments


def experiment(name: str, share: float = 1.0, layer: str = "main", **variants: Any) -> dict[str, Any]:
    return {"name": name, "share": share, "layer": layer, "variants": variants or {"a": {}, "b": {}}}


def pool(known: tuple[Playbook, list[Any]], *variants: tuple[str, str]) -> Pool:
    found = pool_of(*known, variants)
    assert found is not None
    return found


def test_a_limit_is_split_by_share_and_weight_and_the_rest_is_the_others() -> None:
    known = book(experiment("e", 0.5, a={"weight": 3}, b={}), daily={"contacts": 80, "spend": 40.0})
    parts = {p.name: p.own["offer"] for p in (pool(known, ("e", "a")), pool(known, ("e", "b")), pool(known))}
    assert {name: (d.contacts, d.spend) for name, d in parts.items()} == {
        "e.a": (30, 15.0),
        "e.b": (10, 5.0),
        OTHERS: (40, 20.0),
    }
    assert {pool(known, *v).whole["offer"].contacts for v in ([], [("e", "a")])} == {80}


def test_random_eligible_customers_are_among_the_others_and_the_holdout_takes_no_part() -> None:
    known = book(experiment("e"), daily={"contacts": 90}, holdout=0.1, random_eligible=0.3)
    assert pool(known, ("e", "a")).own["offer"].contacts == 30
    assert pool(known).own["offer"].contacts == 30


layers = st.lists(
    st.tuples(st.floats(0.05, 1), st.lists(st.floats(0.1, 5), min_size=2, max_size=3)), min_size=1, max_size=3
)


@settings(max_examples=60, deadline=None)
@given(layers, st.integers(0, 500), st.floats(0, 0.4), st.floats(0, 0.4))
def test_all_parts_together_are_never_more_than_the_limit(
    drawn: list[tuple[float, list[float]]], contacts: int, holdout: float, random_eligible: float
) -> None:
    experiments = [
        experiment(f"e{i}", share, f"l{i}", **{f"v{n}": {"weight": w} for n, w in enumerate(weights)})
        for i, (share, weights) in enumerate(drawn)
    ]
    daily = {"contacts": contacts, "spend": float(contacts)}
    known = book(*experiments, daily=daily, holdout=holdout, random_eligible=random_eligible)
    options = [[None, *((e["name"], v) for v in e["variants"])] for e in experiments]
    cells: list[Combination] = [tuple(p for p in chosen if p is not None) for chosen in product(*options)]
    own = [pool(known, *cell).own["offer"] for cell in cells]
    assert sum(daily.contacts or 0 for daily in own) <= contacts
    assert sum(daily.spend or 0.0 for daily in own) == pytest.approx(contacts)
    assert sum(daily.contacts or 0 for daily in own) > contacts - len(cells)


def test_a_variants_own_limit_is_what_it_has_a_part_of() -> None:
    more = {"change": {"actions": {"offer": {"daily": {"contacts": 300}}}}}
    known = book(experiment("e", 0.5, a={}, more=more), daily={"contacts": 100})
    assert [pool(known, *v).own["offer"].contacts for v in ([("e", "a")], [("e", "more")], [])] == [
        25,
        75,
        50,
    ]
    assert {pool(known, *v).whole["offer"].contacts for v in ([("e", "a")], [("e", "more")])} == {150}


def test_where_only_a_variant_has_a_limit_it_has_its_part_and_the_others_none() -> None:
    limited = {"change": {"actions": {"offer": {"daily": {"contacts": 100}}}}}
    known = book(experiment("e", a={}, b=limited))
    assert pool_of(*known, (("e", "a"),)) is None
    assert pool(known, ("e", "b")).own["offer"].contacts == 50
    assert pool(known, ("e", "b")).whole == {}


def test_a_variant_pauses_an_action_for_its_own_customers() -> None:
    paused = {"change": {"actions": {"offer": {"daily": {"contacts": 0}}}}}
    known = book(experiment("e", a={}, b=paused), daily={"contacts": 100})
    ours = known[0].varied((("e", "b"),))
    limits = DailyLimits.of(ours, pool(known, ("e", "b")))
    assert limits is not None
    assert limits.shut.tolist() == [False, True, True]


def test_a_contact_counts_in_the_whole_and_in_its_pool() -> None:
    known = book(experiment("e"), daily={"contacts": 10})
    limits = DailyLimits.of(known[0], pool(known, ("e", "b")))
    assert limits is not None
    day = limits.day_of(0.0, "offer")
    assert day == "1970-01-01@e.b"
    assert counted("offer", day) == (("offer", "1970-01-01"), ("offer@e.b", "1970-01-01"))
    assert counted("offer", "1970-01-01") == (("offer", "1970-01-01"),)


def test_an_arm_is_refused_where_the_pool_or_the_whole_is_full() -> None:
    known = book(experiment("e"), daily={"contacts": 10})
    limits = DailyLimits.of(known[0], pool(known, ("e", "b")))
    assert limits is not None
    moments = np.array([[0.0]])
    day = "1970-01-01"
    assert limits.keys(moments) == [("offer", day), ("offer@e.b", day)]
    for used, full in (
        ({}, False),
        ({("offer@e.b", day): Used(contacts=4), ("offer", day): Used(contacts=9)}, False),
        ({("offer@e.b", day): Used(contacts=5), ("offer", day): Used(contacts=5)}, True),
        ({("offer@e.b", day): Used(contacts=0), ("offer", day): Used(contacts=10)}, True),
    ):
        refused = limits.refused(moments, used)
        assert (refused is not None and bool(refused[0, 1])) == full
    assert limits.room({("offer@e.b", day): Used(contacts=3)}, limits.keys(moments)) == 2


def test_names_of_whatever_length_fit_into_the_store() -> None:
    long = "n" * 64
    known = book(experiment(long, 1.0, "main", **{"v" * 64: {}, "w" * 64: {}}), daily={"contacts": 10})
    names = {pool(known, (long, letter * 64)).key("a" * 64) for letter in "vw"}
    assert len(names) == 2
    assert max(map(len, names)) <= 128
