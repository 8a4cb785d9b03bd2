"""Measure impact live: treatment customers by groups, learned policies on their own decisions.

On-policy, with y what a customer earned net of their contacts: mean y of treatment − mean y of the control
group, as in `nba experiment report`. Off-policy, per decision: the mean reward of what served less the doubly
robust value of the alternative on the same decisions,

    Δ = (1/n) Σᵢ [rᵢ − Σₐ π(a|xᵢ) q̂(xᵢ, a) − wᵢ (rᵢ − q̂(xᵢ, aᵢ))],   wᵢ = π(aᵢ|xᵢ) / μ(aᵢ|xᵢ)

with μ the logged odds, so what served needs no weights; times the decisions per customer. Each decision is
compared under the policy that made it, before it knew what would follow: nothing is judged on what taught it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.ab import Difference
from experiments.ope import LoggedBatch, difference
from experiments.ope.clip import declared
from experiments.report import ab_report
from experiments.report.compare import Comparison as Groups
from experiments.report.compare import Report
from experiments.report.customers import read_cohort
from nba.artefacts import Artefacts
from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.compile import Playbook
from nba.stores.ports import Store
from training.impact.alternatives import by_propensity, incumbent, rewards_predicted, without_levers
from training.impact.report import Comparison, How, Impact, Worth
from training.impact.words import WHAT, WHO, notes, sentence, unknown
from training.policy.learnable import learnable
from training.policy.log import DecisionLog

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Odds = Callable[[], tuple[Floats, Bools]]
LEAST = 200  # decisions below which nothing is fitted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served:
    """Mature decisions that learned policies made for treatment customers, outside of experiments.

    Attributes:
        policy: (n,) names of what decided.
    """

    log: DecisionLog
    policy: NDArray[np.object_]

    @classmethod
    def of(cls, store: Store, playbook: Playbook, *, as_of: float, since: float) -> Served:
        """Raises NotEnoughData: there are too few."""
        try:
            log = learnable(store, playbook, as_of, since=since).log
        except InvalidInput as error:
            why = f"there are no decisions to compare: {error.errors[0].detail}"
            raise NotEnoughData(why, {"decisions": 0.0}) from None
        names = {d.decision_id: d.policy for rows in store.draws(since, as_of) for d in rows}
        policy = np.array([names.get(id, "") for id in log.decision_id.tolist()], dtype=object)
        learned = np.array([name != "" and not name.endswith("@0") for name in policy], dtype=np.bool_)
        rows = learned & (log.group == "treatment")
        if rows.sum() < LEAST:
            figures = {"decisions": float(rows.sum()), "needed": float(LEAST)}
            raise NotEnoughData("too few mature decisions of learned policies", figures)
        return cls(log=log.where(rows), policy=policy[rows])

    @property
    def specification(self) -> str:
        """Of what decided most."""
        return str(Counter(self.policy.tolist()).most_common(1)[0][0]).partition("@")[0]


def measure(
    store: Store,
    artefacts: Artefacts,
    playbook: Playbook,
    *,
    as_of: float,
    since: float = float("-inf"),
    level: float = 0.95,
    progress: Callable[[str], None] = lambda _: None,
) -> Impact:
    """Compare treatment customers, and learned policies, with each alternative, or say what is missing.

    Raises:
        InvalidInput: no decision before `as_of`, `since` not before it, or the level.
    """
    progress("reading the groups")
    cohort = read_cohort(store, playbook, as_of=as_of, since=since)
    groups = ab_report(cohort, playbook, level)
    found = [_on_policy(groups, control) for control in ("random_eligible", "holdout")]
    progress("reading the decision log")
    policies: Counter[str] = Counter()
    try:
        served = Served.of(store, playbook, as_of=as_of, since=since)
    except NotEnoughData as error:
        found += [
            unknown(against, "off-policy", error) for against in ("propensity", "no_levers", "incumbent")
        ]
    else:
        policies.update(served.policy.tolist())
        found += _off_policy(served, store, artefacts, playbook, level, progress)
    return Impact(
        playbook=playbook.version,
        currency=playbook.spec.currency,
        since=cohort.since,
        as_of=as_of,
        level=level,
        policies=dict(policies.most_common()),
        comparisons=tuple(found),
        notes=notes(groups, found),
    )


def _on_policy(groups: Report, control: str) -> Comparison:
    pair = next(c for c in groups.comparisons if (c.treatment, c.control) == ("treatment", control))
    if isinstance(pair.absolute, NotEnoughData):
        return unknown(control, "on-policy", pair.absolute)
    return _told(control, "on-policy", _worth(groups, pair, pair.absolute), groups.currency, groups.level)


def _worth(groups: Report, pair: Groups, found: Difference) -> Worth:
    ours, theirs = groups.groups[pair.treatment], groups.groups[pair.control]
    return Worth(
        value=found.value,
        stderr=found.stderr,
        low=found.low,
        high=found.high,
        customers=ours.customers + theirs.customers,
        decisions_each=ours.decisions / ours.customers,
    )


def _off_policy(
    served: Served,
    store: Store,
    artefacts: Artefacts,
    playbook: Playbook,
    level: float,
    progress: Callable[[str], None],
) -> list[Comparison]:
    progress("fitting models of other customers")
    log, everywhere = served.log, np.ones(len(served.log), dtype=np.bool_)
    try:
        q_hat = rewards_predicted(log, playbook)
    except NotEnoughData as error:
        return [unknown(name, "off-policy", error) for name in ("propensity", "no_levers", "incumbent")]
    alternatives: dict[str, Odds] = {
        "propensity": lambda: (by_propensity(log, playbook, served.specification), everywhere),
        "no_levers": lambda: without_levers(log, served.policy, store, artefacts, playbook),
        "incumbent": lambda: (incumbent(log, playbook), everywhere),
    }
    found = []
    for name, odds in alternatives.items():
        try:
            worth = _compared(log, q_hat, *odds(), playbook, level)
        except NotEnoughData as error:
            found.append(unknown(name, "off-policy", error))
        else:
            found.append(_told(name, "off-policy", worth, playbook.spec.currency, level))
    return found


def _compared(
    log: DecisionLog, q_hat: Floats, odds: Floats, rows: Bools, playbook: Playbook, level: float
) -> Worth:
    """Raises NotEnoughData, also where fewer customers than the playbook asks for make up the variance."""
    seen, customers = log.where(rows), len(np.unique(log.customer[rows]))
    batch = LoggedBatch(
        reward=seen.reward,
        arm=seen.arm,
        propensity=seen.propensity,
        target=odds[rows],
        q_hat=q_hat[rows],
        customer=seen.customer,
        logging=seen.odds,
        bounds=declared(playbook.spec.objectives, float((log.playbook or playbook).arms.cost.max())),
    )
    gain = difference("dr", batch, seen.odds, odds[rows], level=level)
    needed = playbook.spec.promotion.n_psi
    if gain.stderr > 0 and gain.n_psi < needed:
        more = len(seen) * (needed / gain.n_psi - 1)
        figures = {
            "n_psi": round(gain.n_psi, 1),
            "needed": needed,
            "decisions": len(seen),
            "more decisions": np.ceil(more),
        }
        raise NotEnoughData("too few customers make up the variance", figures)
    each = len(seen) / customers
    return Worth(
        value=gain.value * each,
        stderr=gain.stderr * each,
        low=gain.low * each,
        high=gain.high * each,
        customers=customers,
        decisions_each=each,
        n_psi=None if gain.stderr == 0 else gain.n_psi,
    )


def _told(against: str, how: How, worth: Worth, currency: str, level: float) -> Comparison:
    return Comparison(
        against=against,
        what=WHAT[against],
        how=how,
        said=sentence(WHO[how], WHAT[against], worth, currency, level),
        worth=worth,
        figures={},
    )
