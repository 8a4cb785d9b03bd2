"""Point estimates equal those of an independent package."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.ope import LoggedBatch, Tuned, estimate, least_error, slope

CASES = json.loads((Path(__file__).parents[2] / "golden" / "ope.json").read_text())["cases"]
OURS: dict[str, tuple[str, dict[str, float]]] = {
    "dm": ("dm", {}),
    "ips": ("ips", {}),
    "ips_clip5": ("ips", {"clip": 5}),
    "snips": ("snips", {}),
    "dr": ("dr", {}),
    "dr_clip5": ("dr", {"clip": 5}),
    "sndr": ("sndr", {}),
    "switch_dr_1": ("switch-dr", {"threshold": 1}),
    "switch_dr_5": ("switch-dr", {"threshold": 5}),
    "dros_1": ("dr-os", {"shrinkage": 1}),
    "dros_10": ("dr-os", {"shrinkage": 10}),
    "sg_ips_0.05": ("sg-ips", {"shrinkage": 0.05}),
    "sg_dr_0.05": ("sg-dr", {"shrinkage": 0.05}),
}
TUNED = {
    "ips": ("ips", "clip"),
    "dr": ("dr", "clip"),
    "switch": ("switch-dr", "threshold"),
    "dros": ("dr-os", "shrinkage"),
}


def batch_of(case: dict[str, Any]) -> LoggedBatch:
    return LoggedBatch(
        reward=case["reward"],
        arm=case["action"],
        propensity=case["pscore"],
        target=case["action_dist"],
        q_hat=case["q_hat"],
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"seed {case['seed']}")
@pytest.mark.parametrize("theirs", OURS)
def test_the_value_equals_theirs(case: dict[str, Any], theirs: str) -> None:
    name, hyper = OURS[theirs]
    assert estimate(name, batch_of(case), **hyper).value == pytest.approx(case["values"][theirs], abs=1e-9)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"seed {case['seed']}")
def test_the_value_equals_theirs_at_the_hyperparameter_that_their_tuner_chose(case: dict[str, Any]) -> None:
    for theirs, chosen in case["tuned"].items():
        name, hyper = TUNED[theirs.split("_")[0]]
        ours = estimate(name, batch_of(case), **{hyper: chosen["lambda"]})
        assert ours.value == pytest.approx(chosen["value"], abs=1e-9), theirs


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"seed {case['seed']}")
@pytest.mark.parametrize(("how", "tune"), [("slope", slope), ("mse", least_error)])
@pytest.mark.parametrize("theirs", TUNED)
def test_what_is_tuned_here_equals_what_their_tuners_chose(
    case: dict[str, Any], how: str, tune: Callable[..., Tuned], theirs: str
) -> None:
    chosen = case["tuned"][f"{theirs}_tune_{how}"]
    ours = tune(TUNED[theirs][0], batch_of(case))
    assert (ours.hyper, ours.setting) == (TUNED[theirs][1], chosen["lambda"])
    assert ours.value == pytest.approx(chosen["value"], abs=1e-9)
    assert ours.estimate(batch_of(case)).value == pytest.approx(chosen["value"], abs=1e-9)


def test_every_golden_value_is_compared() -> None:
    for case in CASES:
        assert set(case["values"]) == set(OURS)
        assert set(case["tuned"]) == {f"{name}_tune_{how}" for name in TUNED for how in ("slope", "mse")}
