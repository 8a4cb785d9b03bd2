"""`nba demo --data`: what policies are worth on the Starbucks log, by doubly robust scores out of fold.

Five folds by person: learners, their choice, the reward model and the best single offer of a fold come
from the other folds alone. All policies are valued on the same scores; differences are paired and
clustered by person. Once at no contact cost and once at 5 USD a contact, with policies trained for each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.ab import Difference, Moments
from experiments.ab import difference as effect_of
from experiments.ope import Estimate, LoggedBatch, difference, estimate
from experiments.ope.clip import declared
from nba.playbook.compile import Playbook
from training.cases.starbucks import decision_log, load_history, playbook
from training.policy.crossing import CrossFitted, cross_fit
from training.policy.log import DecisionLog
from training.policy.selection import one_hot

FOLDS, ROUNDS, SEED = 5, 3, 0
CONTACT_COSTS = (0.0, 5.0)
BEST = "best-single-offer"
LEARNED = ("learned-greedy", "learned-served")
Progress = Callable[[str], None]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The policies at one contact cost.

    Attributes:
        values: policy → its DR value per decision.
        differences: (policy, against) → the paired difference.
        chosen: what was chosen in each fold; best: the best single offer of each fold.
        carried_over: what the best offer adds to the reward of the *next* wave, over silence: whatever
            came next, and where the same offer came next again.
    """

    contact_cost: float
    decisions: int
    values: Mapping[str, Estimate]
    differences: Mapping[tuple[str, str], Estimate]
    chosen: tuple[str, ...]
    best: tuple[str, ...]
    carried_over: tuple[Difference, Difference]


def run(data: Path, history: Path, progress: Progress = lambda _: None) -> list[Case]:
    """Value policies on the data set in `data`, ingested into `history`.

    Raises:
        InvalidInput: a file of the data set is missing or not as published.
    """
    progress("ingesting")
    book = playbook()
    log = decision_log(book, load_history(data, history))
    cases = []
    for cost in CONTACT_COSTS:
        charged = replace(log, reward=log.reward - cost * (log.arm != 0))

        def step(text: str, cost: float = cost) -> None:
            progress(f"contacts at {cost:g} USD, {text}")

        crossed = cross_fit(book, charged, folds=FOLDS, rounds=ROUNDS, seed=SEED, progress=step)
        cases.append(value(book, charged, crossed, cost))
    return cases


def value(book: Playbook, log: DecisionLog, crossed: CrossFitted, cost: float) -> Case:
    """Every policy's DR value on the log, and the learned ones' differences to the best offer and logging."""
    k = len(book.arms)
    targets: dict[str, Floats] = {"logging": log.odds}
    names = [name.split("/")[0] for name in book.arms.names]
    for arm, name in enumerate(names):
        targets[name] = one_hot(np.full(len(log), arm), k)
    targets |= {BEST: crossed.constant, "learned-greedy": crossed.greedy, "learned-served": crossed.served}
    batch = LoggedBatch(
        reward=log.reward,
        arm=log.arm,
        propensity=log.propensity,
        target=log.odds,
        q_hat=crossed.q_hat,
        customer=log.customer,
        bounds=declared(book.spec.objectives, cost),
    )
    return Case(
        contact_cost=cost,
        decisions=len(log),
        values={name: estimate("dr", _with_target(batch, target)) for name, target in targets.items()},
        differences={
            (name, against): difference("dr", batch, targets[name], targets[against])
            for name in LEARNED
            for against in (BEST, "logging")
        },
        chosen=crossed.chosen,
        best=tuple(names[arm] for arm in crossed.constants),
        carried_over=carried_over(log, max(crossed.constants, key=crossed.constants.count)),
    )


def carried_over(log: DecisionLog, best: int) -> tuple[Difference, Difference]:
    """Next-wave reward after `best` less that after silence; both next waves and those with `best` again."""
    order = np.lexsort((log.decided_at, log.customer))
    customer, arm, reward = log.customer[order], log.arm[order], log.reward[order]
    follows = customer[1:] == customer[:-1]
    now, then, earned = arm[:-1][follows], arm[1:][follows], reward[1:][follows]

    def effect(rows: NDArray[np.bool_]) -> Difference:
        silence, offer = (Moments.of(earned[rows & (now == a)]) for a in (0, best))
        return effect_of(silence, offer)

    return effect(np.ones(len(now), dtype=np.bool_)), effect(then == best)


def _with_target(batch: LoggedBatch, target: Floats) -> LoggedBatch:
    """The same log with another policy to value."""
    return LoggedBatch(
        reward=batch.reward,
        arm=batch.arm,
        propensity=batch.propensity,
        target=target,
        q_hat=batch.q_hat,
        customer=batch.customer,
        bounds=batch.bounds,
    )


def as_json(cases: list[Case], models: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`policies` are those at no contact cost; every cost is under `by_contact_cost`."""

    def policies(case: Case) -> list[dict[str, Any]]:
        return [{"name": n, **_rounded(e)} for n, e in case.values.items()]

    return {
        "policies": policies(cases[0]),
        "differences": [
            {"name": name, "against": against, "contact_cost": case.contact_cost, **_rounded(e)}
            for case in cases
            for (name, against), e in case.differences.items()
        ],
        "by_contact_cost": [
            {
                "contact_cost": case.contact_cost,
                "decisions": case.decisions,
                "policies": policies(case),
                "chosen_per_fold": list(case.chosen),
                "best_single_offer_per_fold": list(case.best),
            }
            for case in cases
        ],
        "models": [dict(row) for row in models],
    }


def _rounded(e: Estimate) -> dict[str, float]:
    return {name: float(x) for name, x in asdict(e).items() if name in ("value", "low", "high", "stderr")}


def write_json(path: Path, cases: list[Case], models: Sequence[Mapping[str, Any]]) -> None:
    path.write_text(json.dumps(as_json(cases, models), indent=2) + "\n", encoding="utf-8")
