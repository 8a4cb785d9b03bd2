"""Tests and bounds equal those of independent packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from experiments.ab import Difference, Moments, always_valid, at_look, difference, group_sequential, posterior

GOLDEN = Path(__file__).parents[2] / "golden"
ALL = json.loads((GOLDEN / "ab.json").read_text())["cases"]
BAYESIAN = [case for case in ALL if case["name"].startswith("bayes")]
CASES = [case for case in ALL if case not in BAYESIAN]
BOUNDS = json.loads((GOLDEN / "group_sequential.json").read_text())["bounds"]


def arm(sums: Any) -> Moments:
    if isinstance(sums, dict):
        return Moments(
            n=sums["n"],
            total=sums["y"],
            squares=sums["yy"],
            before=sums["x"],
            before_squares=sums["xx"],
            cross=sums["xy"],
        )
    if len(sums) == 2:
        successes, n = sums
        return Moments(n=n, total=successes, squares=successes)
    total, squares, n = sums
    return Moments(n=n, total=total, squares=squares)


def ours(case: dict[str, Any]) -> Difference:
    inputs, relative = case["inputs"], "relative" in case["name"]
    arms = arm(inputs["a"]), arm(inputs["b"])
    if "tuning" in inputs:
        return always_valid(*arms, tuning=inputs["tuning"], relative=relative)
    if case["name"].startswith("seq"):
        return always_valid(*arms, relative=relative)  # 5,000 is the default
    if case["name"].startswith("onesided"):
        return difference(*arms, relative=relative, alternative="greater")
    return difference(*arms, relative=relative)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_difference_equals_theirs(case: dict[str, Any]) -> None:
    found, theirs = ours(case), case["expected"]
    assert found.value == pytest.approx(theirs["expected"], abs=1e-5)
    assert found.stderr == pytest.approx(theirs["uplift"]["stddev"], abs=1e-5)
    assert [found.low, found.high] == pytest.approx(theirs["ci"], abs=1e-5)
    assert found.p_value == pytest.approx(theirs["pValue"], abs=1e-5)


@pytest.mark.parametrize("looks", BOUNDS)
def test_the_bounds_equal_theirs(looks: str) -> None:
    assert group_sequential(int(looks), alpha=0.05, exponent=2) == pytest.approx(BOUNDS[looks], abs=1e-4)


@pytest.mark.parametrize("case", BAYESIAN, ids=lambda case: case["name"])
def test_the_chance_to_be_better_and_the_risks_equal_theirs(case: dict[str, Any]) -> None:
    inputs, theirs = case["inputs"], case["expected"]
    found = posterior(arm(inputs["a"]), arm(inputs["b"]), relative="relative" in case["name"])
    assert (found.value, found.stderr) == pytest.approx(
        (theirs["uplift"]["mean"], theirs["uplift"]["stddev"]), abs=1e-5
    )
    assert [found.low, found.high] == pytest.approx(theirs["ci"], abs=1e-5)
    assert found.better == pytest.approx(theirs["chanceToWin"], abs=1e-5)
    assert [found.risk_control, found.risk_treatment] == pytest.approx(theirs["risk"], abs=1e-5)


@pytest.mark.parametrize("looks", BOUNDS)
def test_the_bounds_of_single_looks_equal_theirs(looks: str) -> None:
    arms = arm([200, 2_000]), arm([230, 2_000])
    found = [at_look(*arms, look=k + 1, looks=int(looks)).bound for k in range(int(looks))]
    assert found == pytest.approx(BOUNDS[looks], abs=1e-4)
