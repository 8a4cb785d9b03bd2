"""A champion does not go stale because another kind of policy looks better and can't be proven."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from nba.playbook.compile import parse
from nba.policies.policy import Choice
from nba.stores.memory import MemoryStore
from training.policy.crossing import Chosen, CrossFitted
from training.policy.judged import Champion
from training.policy.judging import Bench, best_that_passes
from training.policy.log import DecisionLog

ROWS = 4_000
BOOK = parse(files("nba.playbook").joinpath("sample.yaml").read_text(encoding="utf-8"))
Floats = NDArray[np.float64]


def _odds(first: float) -> Floats:
    return np.tile([first, 1.0 - first], (ROWS, 1))


@dataclass(frozen=True)
class _Serving:
    """Takes the second arm, the good one, four times in five."""

    specification: str = "ridge"

    def choose(self, features: Floats, eligible: NDArray[np.bool_]) -> Choice:
        odds = _odds(0.2)[: len(features)]
        return Choice(odds=odds, scores=odds, values=odds, best=np.ones(len(features), dtype=np.int64))


def _log() -> DecisionLog:
    rng = np.random.default_rng(0)
    arm = rng.integers(2, size=ROWS)
    return DecisionLog(
        customer=np.arange(ROWS),
        decided_at=np.arange(ROWS, dtype=np.float64),
        group=np.full(ROWS, "treatment"),
        features=np.zeros((ROWS, 1)),
        eligible=np.ones((ROWS, 2), dtype=np.bool_),
        arm=arm,
        propensity=np.full(ROWS, 0.5),
        odds=_odds(0.5),
        reward=arm + rng.normal(0.0, 0.1, ROWS),
    )


def _chosen(best: float, again: float) -> Chosen:
    crossed = CrossFitted(
        q_hat=np.tile([0.0, 1.0], (ROWS, 1)),
        greedy=_odds(best),
        served=_odds(best),
        constant=_odds(1.0),
        chosen=("boosted",),
        constants=(0,),
    )
    return Chosen(
        specification="boosted",
        candidates=(),
        crossed=crossed,
        served={"boosted": _odds(best), "ridge": _odds(again)},
    )


def _passes(best: float, again: float) -> tuple[str, str, bool]:
    champion = Champion(policy=_Serving(), name="ridge@1", trained_through=-1.0)
    bench = Bench(
        store=MemoryStore("request"), playbook=BOOK, champion=champion, anchor=None, as_of=float(ROWS)
    )
    found = best_that_passes(bench, _log(), _chosen(best, again))
    return found.specification, found.verdict.rule, found.verdict.promoted


def test_a_new_kind_that_is_better_is_taken() -> None:
    assert _passes(best=0.05, again=0.2) == ("boosted", "new", True)


def test_a_new_kind_that_fails_gives_way_to_a_refresh_that_is_no_worse() -> None:
    assert _passes(best=0.5, again=0.21) == ("ridge", "refresh", True)


def test_where_both_fail_the_new_kind_says_what_was_missing() -> None:
    assert _passes(best=0.5, again=0.6) == ("boosted", "new", False)
