"""The odds that alternatives would have given, on decisions that were logged: (n, k) each.

The propensity ranking knows what a common tool knows: how likely it is that something good follows, not how
much it is worth nor what the contact costs. It is learned by the same learner as what serves and explores as
the playbook says, so the two differ in what they aim at. A ranking for some customers is learned from others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nba.artefacts import Artefacts
from nba.errors import CallOperator, NotEnoughData, NotFound
from nba.playbook.compile import Playbook
from nba.policies.artefact import unseal
from nba.policies.learners import LEARNERS
from nba.policies.mixture import MixturePolicy
from nba.policies.policy import Policy
from nba.policies.served import IncumbentPolicy, ServedPolicy
from nba.stores.leasing import MODELS
from nba.stores.ports import Store
from training.policy.log import DecisionLog
from training.policy.selection import REWARD_MODEL, customer_folds, heads, training_batch

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
FOLDS = 3
RANKS = "ridge"  # learns the ranking where no learner of the table serves


def rewards_predicted(log: DecisionLog, playbook: Playbook, seed: int = 0) -> Floats:
    """(n, k) rewards of every arm, predicted for each customer by a model of other customers.

    Args:
        log: mature decisions of the treatment group.

    Raises:
        NotEnoughData: a fold leaves fewer than two arms to learn from.
    """
    arms, fold = log.playbook or playbook, customer_folds(log.customer, FOLDS, seed)
    base, q_hat = arms.base or arms, np.zeros(log.eligible.shape)
    for f in range(FOLDS):
        inside = _learnt_from(log, fold != f)
        model = LEARNERS[REWARD_MODEL].fit(base, training_batch(inside), seed + f, serves=False)
        q_hat[fold == f] = model.under(arms.arms).scores(log.features[fold == f])
    return q_hat


def by_propensity(log: DecisionLog, playbook: Playbook, specification: str, seed: int = 0) -> Floats:
    """(n, k) odds of a ranking by the probability that something good follows: a reward above 0 before costs.

    Args:
        log: mature decisions of the treatment group.
        specification: the learner; `RANKS` where it is none of the table.

    Raises:
        NotEnoughData: a fold leaves fewer than two arms, or all that follows is alike.
    """
    arms, fold = log.playbook or playbook, customer_folds(log.customer, FOLDS, seed)
    base, odds = arms.base or arms, np.zeros(log.eligible.shape)
    learner = LEARNERS[specification if specification in LEARNERS else RANKS]
    good = (log.reward + arms.arms.cost[log.arm] > 0).astype(np.float64)
    if good.min() == good.max():
        figures = {"decisions": float(len(log)), "followed by something good": float(good.sum())}
        raise NotEnoughData("a ranking takes decisions that something good followed, and others", figures)
    for f in range(FOLDS):
        inside = _learnt_from(replace(log, reward=good), fold != f)
        model = learner.fit(base, training_batch(inside), seed + f, heads=heads(base))
        policy = ServedPolicy.of(model, base.spec.exploration).under(arms)
        rows = fold == f
        odds[rows] = policy.choose(log.features[rows], log.eligible[rows]).odds
    return odds


def _learnt_from(log: DecisionLog, rows: Bools) -> DecisionLog:
    inside = log.where(rows)
    if len(np.unique(inside.arm)) < 2:
        figures = {"decisions": float(len(inside))}
        raise NotEnoughData("a model takes decisions on at least two arms", figures)
    return inside


def incumbent(log: DecisionLog, playbook: Playbook) -> Floats:
    """(n, k) odds of the playbook's own rules, taken at their word, without a floor.

    Raises:
        NotEnoughData: it has none.
    """
    if not playbook.incumbent_rules:
        raise NotEnoughData("the playbook has no incumbent to compare with")
    policy = replace(IncumbentPolicy.of(playbook), floor=0.0)
    return _under(policy, log).choose(log.features, log.eligible).odds


def without_levers(
    log: DecisionLog, policy: NDArray[np.object_], store: Store, artefacts: Artefacts, playbook: Playbook
) -> tuple[Floats, Bools]:
    """(n, k) odds of the very policy that decided, its levers taken away, and (n,) where that is known.

    Args:
        policy: (n,) the names under which decisions know what decided.

    Raises:
        NotEnoughData: the playbook has no levers, or none of the policies can be read any more.
    """
    if np.all(playbook.arms.lever == 1.0):
        raise NotEnoughData("the playbook has no levers, so without them everything is the same")
    plain = _plain(store, artefacts, playbook)
    odds, known = np.zeros(log.eligible.shape), np.zeros(len(log), dtype=np.bool_)
    for name in set(policy.tolist()) & set(plain):
        rows = policy == name
        odds[rows] = _under(plain[name], log).choose(log.features[rows], log.eligible[rows]).odds
        known |= rows
    if not known.any():
        raise NotEnoughData("none of the policies that decided can be read under this playbook")
    return odds, known


def _plain(store: Store, artefacts: Artefacts, playbook: Playbook) -> Mapping[str, Policy]:
    """Every policy that can be read, by name, without its levers."""
    found: dict[str, Policy] = {}
    for publication in store.audit():
        if publication.kind in MODELS or not publication.version or publication.name in found:
            continue
        try:
            policy = unseal(artefacts.read(publication.version), playbook)
        except (CallOperator, NotFound):  # of another playbook, or gone: left out, and told
            continue
        found[publication.name] = _unlevered(policy)
    return found


def _unlevered(policy: Policy) -> Policy:
    if isinstance(policy, ServedPolicy):
        return replace(policy, levers=None)
    if isinstance(policy, MixturePolicy):
        return replace(policy, components=tuple(_unlevered(part) for part in policy.components))
    return policy


def _under(policy: Policy, log: DecisionLog) -> Policy:
    return policy if log.playbook is None else policy.under(log.playbook)
