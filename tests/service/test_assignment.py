"""Who is in which variant or in the ramp: shares, independence, and that it sticks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2_contingency, chisquare

from nba.chance import group_of, ramped, running_at, uniforms, variants_of
from nba.playbook.book import Combination
from nba.playbook.schema import Experiment, Groups

SECRET = b"a secret of the store"
CUSTOMERS = [f"customer-{i}" for i in range(20_000)]
LEVEL = 1e-6  # of each test below, whose seed is the secret


def experiment(name: str, share: float = 1.0, layer: str = "main", **fields: object) -> Experiment:
    weights: dict[str, float] = fields.pop("weights", {"control": 1.0, "new": 1.0})  # type: ignore[assignment]
    variants = {variant: {"weight": weight} for variant, weight in weights.items()}
    written = {"name": name, "share": share, "layer": layer, "variants": variants, **fields}
    return Experiment.model_validate(written)


def assigned(*experiments: Experiment, at: float = 0.0, of: Sequence[str] = CUSTOMERS) -> list[Combination]:
    running = running_at(experiments, at)
    return variants_of(SECRET, of, experiments, [running] * len(of))


def test_each_variant_gets_its_share_by_weight() -> None:
    """20,000 customers, a fixed secret: chi-square over four cells; right shares fail once in a million."""
    found = Counter(assigned(experiment("e", 0.7, weights={"a": 1.0, "b": 2.0, "c": 4.0})))
    cells = [(("e", "a"),), (("e", "b"),), (("e", "c"),), ()]
    expected = np.array([0.1, 0.2, 0.4, 0.3]) * len(CUSTOMERS)
    assert chisquare([found[cell] for cell in cells], expected).pvalue > LEVEL


def test_no_customer_is_in_two_experiments_of_a_layer() -> None:
    """20,000 customers, a fixed secret: the shares as well, once in a million each."""
    found = assigned(experiment("one", 0.3), experiment("two", 0.5), experiment("three", 0.2))
    assert {len(pairs) for pairs in found} == {1}
    counts = Counter(pairs[0][0] for pairs in found)
    for name, share in (("one", 0.3), ("two", 0.5), ("three", 0.2)):
        assert binomtest(counts[name], len(CUSTOMERS), share).pvalue > LEVEL


def _independent(one: Sequence[object], other: Sequence[object]) -> bool:
    rows, columns = sorted(set(map(str, one))), sorted(set(map(str, other)))
    counts = Counter(zip(map(str, one), map(str, other), strict=True))
    return bool(chi2_contingency([[counts[r, c] for c in columns] for r in rows]).pvalue > LEVEL)


def test_layers_groups_ramps_and_draws_tell_nothing_of_each_other() -> None:
    """20,000 customers, a fixed secret: nine tables; right hashes fail each once in a million."""
    first = list(assigned(experiment("one", 0.6)))
    second = list(assigned(experiment("two", 0.6, "other")))
    same_layer = list(assigned(experiment("another", 0.6)))
    groups = [group_of(SECRET, c, Groups(holdout=0.3, random_eligible=0.3)) for c in CUSTOMERS]
    ramp = ramped(SECRET, CUSTOMERS, 7, 0.25)
    draws = (uniforms(SECRET, CUSTOMERS) > 0.5).tolist()
    for others in (second, groups, ramp, draws):
        assert _independent(first, others)
    for others in (second, groups, draws, ramped(SECRET, CUSTOMERS, 8, 0.25)):
        assert _independent(ramp, others)
    # Experiments that follow one another in a layer have the same customers, split anew.
    both = [(a[0][1], b[0][1]) for a, b in zip(first, same_layer, strict=True) if a and b]
    assert len(both) == sum(map(bool, first))
    assert _independent([a for a, _ in both], [b for _, b in both])


def test_a_new_salt_splits_the_same_customers_anew() -> None:
    before, after = (assigned(experiment("e", 0.5, **s)) for s in ({}, {"salt": "e-2"}))  # type: ignore[arg-type]
    assert [bool(pairs) for pairs in before] == [bool(pairs) for pairs in after]
    there = [(a[0][1], b[0][1]) for a, b in zip(before, after, strict=True) if a]
    assert _independent([a for a, _ in there], [b for _, b in there])


def test_starting_and_ending_an_experiment_moves_nobody_in_another() -> None:
    early = experiment("early", 0.4, ends="2026-01-01T00:00:00Z")
    late = experiment("late", 0.4, starts="2026-02-01T00:00:00Z", washout="7d")
    always = experiment("always", 0.2)
    moments = {"2025-12-01": 1_764_547_200.0, "2026-02-03": 1_770_076_800.0, "2026-02-09": 1_770_595_200.0}
    found = [assigned(early, late, always, at=at) for at in moments.values()]
    kept = [[pair for pairs in some for pair in pairs if pair[0] == "always"] for some in found]
    assert kept[0] == kept[1] == kept[2]
    there = [{pair[0] for pairs in some for pair in pairs} for some in found]
    assert there == [{"early", "always"}, {"always"}, {"late", "always"}], "washout exposes nobody"


def test_one_alone_is_assigned_as_among_others_each_at_its_own_moment() -> None:
    ends = experiment("ends", ends="2026-01-01T00:00:00Z")
    moments = [0.0, 2e9] * 50
    running = [running_at([ends], at) for at in moments]
    together = variants_of(SECRET, CUSTOMERS[:100], [ends], running)
    alone = [assigned(ends, at=at, of=[c])[0] for c, at in zip(CUSTOMERS[:100], moments, strict=True)]
    assert together == alone
    assert [bool(pairs) for pairs in together] == [True, False] * 50


def test_the_share_of_a_ramp_is_that_of_its_customers() -> None:
    """20,000 customers, a fixed secret; a right share fails once in a million for each of three."""
    for share in (0.01, 0.05, 0.25):
        count = sum(ramped(SECRET, CUSTOMERS, 7, share))
        assert binomtest(count, len(CUSTOMERS), share).pvalue > LEVEL


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 99))
def test_growing_a_ramp_keeps_those_who_are_in_it(one: float, other: float, origin: int) -> None:
    small, large = (ramped(SECRET, CUSTOMERS[:300], origin, s) for s in sorted((one, other)))
    assert all(now for before, now in zip(small, large, strict=True) if before)
    assert not any(ramped(SECRET, CUSTOMERS[:300], origin, 0.0))
    assert all(ramped(SECRET, CUSTOMERS[:300], origin, 1.0))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.01, 0.2), min_size=1, max_size=4), st.floats(0.01, 0.2))
def test_an_experiment_added_at_the_end_of_a_layer_moves_nobody(shares: list[float], new: float) -> None:
    before = [experiment(f"e{i}", share) for i, share in enumerate(shares)]
    found = assigned(*before, of=CUSTOMERS[:300])
    after = assigned(*before, experiment("new", new), of=CUSTOMERS[:300])
    assert all(
        now == was or (was == () and now[0][0] == "new") for was, now in zip(found, after, strict=True)
    )
