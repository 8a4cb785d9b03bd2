"""The measure of learning runs, and its world has a best arm that depends on the customer."""

from __future__ import annotations

import numpy as np
import pytest

from nba.policies.bench import fifty_arms
from nba.policies.learn_bench import BenchWorld, Rival, measured, rival


def test_learning_is_measured_against_vowpal_wabbit_on_the_same_log_and_no_policy_is_worse() -> None:
    """The goal is 5 times; 1 leaves room for a busy machine and a short log. Values follow from the seeds."""
    line = measured(40_000, 2_000)
    assert {"name", "value", "unit", "baseline", "ratio", "policy_value", "baseline_policy_value"} <= set(
        line
    )
    assert (line["name"], line["decisions"], line["baseline_decisions"]) == ("learn", 40_000, 2_000)
    assert float(line["ratio"]) > 1
    ours, theirs, best = (float(line[f"{who}policy_value"]) for who in ("", "baseline_", "best_"))
    assert theirs < ours < best
    assert theirs > 0.2, "Vowpal Wabbit learns as well, or it would be no rival"


@pytest.mark.parametrize("tastes", [False, True])
def test_in_its_world_the_best_arm_depends_on_the_customer(tastes: bool) -> None:
    world = BenchWorld.of(fifty_arms(), 5, tastes)
    means = world.means(world.moments(2_000, seed=3)[0])
    assert means.max(axis=1).mean() > means.mean(axis=0).max() + 0.5
    assert len(np.unique(means.argmax(axis=1))) >= 6
    log = world.log(2_000, seed=3)
    expected = means[np.arange(2_000), log.arm]
    assert abs((log.reward - expected).mean()) < 6 / np.sqrt(2_000)
    assert (log.reward - expected).std() == pytest.approx(1.0, abs=0.1)


def test_vowpal_wabbit_reads_every_line_of_its_log() -> None:
    """Rewards that one feature tells alone: VW's scores follow it."""
    world = BenchWorld.of(fifty_arms(), 5)
    log = world.log(2_000, seed=3)
    with rival(world.playbook, log, Rival()) as (seconds, scores):
        asked = scores(log.features[:200])
    assert seconds > 0
    assert asked.shape == (200, 50)
    assert np.corrcoef(asked.ravel(), world.means(log.features[:200]).ravel())[0, 1] > 0.5
