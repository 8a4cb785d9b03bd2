"""From games to ranks: mean errors, mean rank, how sure it is, and whether odds were exact.

Ranks are those of the mean error on each set, ties averaged. Friedman's test asks whether any ranked
policy differs (Demšar, 2006, §3.2.2); the critical difference is Nemenyi's; the interval of a rank
difference comes from drawing sets with replacement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from experiments.bakeoff.contest import Result
from experiments.bakeoff.entrants import ENTRANTS, OURS
from nba.errors import NotEnoughData
from nba.policies.policy import Floats

_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One policy on one set: its progressive error on each shuffle, and the setting it played."""

    errors: tuple[float, ...]
    setting: str

    @property
    def error(self) -> float:
        """The mean over shuffles."""
        return float(np.mean(self.errors))

    @property
    def stderr(self) -> float:
        """Of the mean. Raises NotEnoughData with a single shuffle."""
        n = len(self.errors)
        if n < 2:
            raise NotEnoughData("a standard error takes two shuffles", {"shuffles": n})
        return float(np.std(self.errors, ddof=1) / np.sqrt(n))


@dataclass(frozen=True, slots=True, kw_only=True)
class Versus:
    """Ours less another, over sets, in a field of the ranked policies and that other.

    Attributes:
        ours, theirs: mean ranks in that field; one out of competition moves ours too.
        rank, low, high: difference of mean ranks (below 0 is ours ahead) and its 95 % interval.
        wins: on how many sets ours has the lower mean error.
        error: mean difference of errors over sets.
        p_value: of the signed-rank test over sets; 1 where no set differs.
    """

    rival: str
    ours: float
    theirs: float
    rank: float
    low: float
    high: float
    wins: int
    error: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactness:
    """Whether drawn arms came as often as their odds said.

    Attributes:
        off: the most a round's odds missed a sum of 1 by.
        least: the least odds times the number of arms: no less than the floor.
        chi_square, freedom, p_value: of the games' standardised surpluses (`Game.z`).
    """

    off: float
    least: float
    chi_square: float
    freedom: int
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The whole table.

    Attributes:
        cells: by (set, policy).
        ranks: mean rank of each ranked policy.
        versus: ours against each other policy, ranked or not.
        friedman: p value over ranked policies, or why there is none.
        critical: Nemenyi's critical difference of mean ranks at 5 %.
        microseconds: mean time of a decision and of learning from it.
    """

    cells: dict[tuple[str, str], Cell]
    ranks: dict[str, float]
    versus: tuple[Versus, ...]
    friedman: float | NotEnoughData
    critical: float
    exactness: Exactness
    microseconds: dict[str, float]


def standing(result: Result) -> Standing:
    """Rank what was played."""
    ranked = [name for name in result.entrants if ENTRANTS[name].ranked]
    errors = {n: np.array([result.errors(t, n).mean() for t in result.tasks]) for n in result.entrants}
    table = np.column_stack([errors[name] for name in ranked])
    ranks = stats.rankdata(table, axis=1)
    k, n = len(ranked), len(table)
    return Standing(
        cells={(t, name): _cell(result, t, name) for t in result.tasks for name in result.entrants},
        ranks=dict(zip(ranked, ranks.mean(axis=0).tolist(), strict=True)),
        versus=tuple(_versus(name, errors, ranked) for name in result.entrants if name != OURS),
        friedman=_friedman(table),
        critical=float(stats.studentized_range.ppf(0.95, k, np.inf) * np.sqrt(k * (k + 1) / 12 / n)),
        exactness=_exactness(result),
        microseconds={
            name: 1e6 * float(np.mean([g.seconds for t in result.tasks for g in result.games[t, name]]))
            for name in result.entrants
        },
    )


def _friedman(table: Floats) -> float | NotEnoughData:
    sets, policies = table.shape
    if sets < 2 or policies < 3:
        figures = {"sets": sets, "policies": policies}
        return NotEnoughData("Friedman's test takes two sets and three policies", figures)
    if (table == table[:, :1]).all():
        return 1.0
    return float(stats.friedmanchisquare(*table.T).pvalue)


def _cell(result: Result, task: str, name: str) -> Cell:
    setting = ENTRANTS[name].grid[result.chosen[task, name]]
    return Cell(errors=tuple(result.errors(task, name).tolist()), setting=str(setting))


def _versus(rival: str, errors: Mapping[str, Floats], ranked: list[str]) -> Versus:
    field = [OURS, rival, *(name for name in ranked if name not in (OURS, rival))]
    ranks = stats.rankdata(np.column_stack([errors[name] for name in field]), axis=1)
    gap, difference = ranks[:, 0] - ranks[:, 1], errors[OURS] - errors[rival]
    sets = np.random.default_rng(0).integers(len(gap), size=(_RESAMPLES, len(gap)))
    low, high = np.quantile(gap[sets].mean(axis=1), [0.025, 0.975])
    return Versus(
        rival=rival,
        ours=float(ranks[:, 0].mean()),
        theirs=float(ranks[:, 1].mean()),
        rank=float(gap.mean()),
        low=float(low),
        high=float(high),
        wins=int((difference < 0).sum()),
        error=float(difference.mean()),
        p_value=float(stats.wilcoxon(difference).pvalue) if difference.any() else 1.0,
    )


def _exactness(result: Result) -> Exactness:
    games = [game for task in result.tasks for game in result.games[task, OURS]]
    chi_square = float(sum(game.z**2 for game in games))
    return Exactness(
        off=max(game.off for game in games),
        least=min(game.least for game in games),
        chi_square=chi_square,
        freedom=len(games),
        p_value=float(stats.chi2.sf(chi_square, len(games))),
    )
