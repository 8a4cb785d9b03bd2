"""What a tuning came to, as values: the best by learner, the best of all, and how it was judged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from experiments.ope import Estimate
from nba.errors import NotEnoughData
from nba.record import timestamp
from training.tune.space import Tried
from training.tune.study import Finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The best trial beside the defaults, on decisions that no trial saw.

    Attributes:
        against: the best of the trials that changed nothing.
        tried, default, difference: doubly robust, per decision; the difference is paired.
        rows: how many decisions.
    """

    against: Tried
    tried: Estimate
    default: Estimate
    difference: Estimate
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """All of it.

    Attributes:
        trials: all that finished, by number.
        best: the highest value of all; by_learner: of each learner.
        judged: None where the last part can't carry it, and `refused` says why, or it was not asked for.
        importance: share of the spread that each parameter explains.
        interrupted: whether it was stopped by hand; what is there stands.
        run_id: of the MLflow run; None where it is sent later.
    """

    study: str
    basis: Mapping[str, str]
    as_of: float
    currency: str
    trials: Sequence[Finished]
    best: Finished
    by_learner: Mapping[str, Finished]
    judged: Judgement | None
    refused: str
    importance: Mapping[str, float]
    interrupted: bool = False
    run_id: str | None = None

    @property
    def proven(self) -> bool:
        return self.judged is not None and self.judged.difference.low > 0

    def sentence(self) -> str:
        """Whether to believe it, in plain words."""
        if self.best.tried.is_default:
            return "Nothing that was tried was worth more than the defaults. Keep them."
        if self.judged is None:
            return (
                "Whether it is worth more on later decisions can't be told:"
                f" {self.refused or 'it was not judged'}."
            )
        gain = self.judged.difference
        share = f", {gain.value / abs(self.judged.default.value):+.1%}" if self.judged.default.value else ""
        told = f"{gain.value:+.4g} {self.currency} a decision ({gain.low:+.4g} to {gain.high:+.4g}){share}"
        on = f"on {self.judged.rows:,} later decisions that no trial saw"
        if gain.low > 0:
            return f"The tuned settings are worth more than the defaults: {told}, {on}.{self._how()}"
        if gain.high < 0:
            return f"The tuned settings are worth less than the defaults: {told}, {on}. Keep the defaults."
        return (
            f"The gain is not told from nothing: {told}, {on}. The defaults may be as good; what tuning found"
            " may be chance."
        )

    def _how(self) -> str:
        """What a gain may be made of."""
        tried = self.best.tried
        if not tried.exploration:
            return ""
        if not tried.settings and self.judged is not None and self.judged.against.learner == tried.learner:
            return " All of it comes from exploring otherwise, none from learning better."
        return " Part of it may come from exploring otherwise."

    def rows(self) -> list[dict[str, Any]]:
        """One a trial, of like keys: where it stands, and what it tried."""
        return [
            {
                "trial": trial.number,
                "learner": trial.tried.learner,
                "settings": json.dumps(trial.tried.settings),
                "exploration": json.dumps(trial.tried.exploration),
                "value": None if trial.value is None else trial.value.value,
                "low": None if trial.value is None else trial.value.low,
                "high": None if trial.value is None else trial.value.high,
                "why": trial.reason,
                "seconds": round(trial.seconds, 2),
            }
            for trial in self.trials
        ]

    def to_json(self) -> dict[str, Any]:
        """Of `tuning.json`: `learners` is what `nba retrain --settings` reads."""
        best = self.best
        return {
            "study": self.study,
            "as_of": timestamp(self.as_of),
            **self.basis,
            "learners": {name: dict(found.tried.settings) for name, found in self.by_learner.items()},
            "exploration": dict(best.tried.exploration),
            "best": {"trial": best.number, "learner": best.tried.learner, **_estimate(best.value)},
            "by_learner": {
                name: {"trial": found.number, **_estimate(found.value)}
                for name, found in self.by_learner.items()
            },
            "judged": None if self.judged is None else _judged(self.judged),
            "proven": self.proven,
            "conclusion": self.sentence(),
            "trials": len(self.trials),
            "pruned": sum(trial.value is None for trial in self.trials),
            "importance": dict(self.importance),
        }


def bests(trials: Sequence[Finished]) -> dict[str, Finished]:
    """Learner → its trial of the highest value; of equal ones the first.

    Raises:
        NotEnoughData: no trial was finished.
    """
    found: dict[str, Finished] = {}
    for trial in trials:
        before = found.get(trial.tried.learner)
        if trial.value is not None and (before is None or worth(before) < trial.value.value):
            found[trial.tried.learner] = trial
    if not found:
        reasons = sorted({trial.reason for trial in trials if trial.reason})
        told = f": {reasons[0]}" if reasons else "; give it more time or more trials"
        raise NotEnoughData(f"no trial was finished{told}", {"trials": float(len(trials))})
    return found


def best_default(trials: Sequence[Finished]) -> Finished | None:
    """The best of the trials that changed nothing; None where none was finished."""
    plain = [trial for trial in trials if trial.tried.is_default and trial.value is not None]
    return max(plain, key=worth, default=None)


def worth(trial: Finished) -> float:
    """Its value, to order trials by: below every other where it has none."""
    return float("-inf") if trial.value is None else trial.value.value


def _estimate(found: Estimate | None) -> dict[str, float]:
    if found is None:
        return {}
    return {name: getattr(found, name) for name in ("value", "stderr", "low", "high")}


def _judged(judged: Judgement) -> dict[str, Any]:
    return {
        "decisions": judged.rows,
        "against": asdict(judged.against),
        "tuned": _estimate(judged.tried),
        "default": _estimate(judged.default),
        "difference": _estimate(judged.difference),
    }
