"""Whether the policy on trial is worth less than the one it stands beside, from mature rewards.

Off-policy, on all decisions since the trial began, whoever of the two drew them: the paired difference of
their doubly robust values, with the trial's own model as the reward model (it was trained before). Looked at
when the mature decisions have doubled; look j spends 2⁻ʲ of 1 − level, so all together spend no more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson

from experiments.ope import Estimate, LoggedBatch, difference, estimate
from experiments.ope.clip import declared
from nba.artefacts import Artefacts
from nba.errors import CallOperator, InvalidInput, NotEnoughData, NotFound
from nba.playbook.compile import Playbook
from nba.policies.artefact import unseal
from nba.policies.policy import Policy
from nba.policies.served import fallback
from nba.stores.ports import Lease, Publication, Store
from training.learn.freshen import boundary
from training.learn.trial import LONGEST, Trial
from training.policy.learnable import learnable
from training.policy.log import DecisionLog

KIND = "look"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """A look at a trial's value.

    Attributes:
        look: from 1.
        gain: trial − the other, per decision.
        worse: whether it is shown to be worse by more than the playbook's margin.
    """

    look: int
    gain: Estimate
    worse: bool
    reason: str


def due(store: Store, trial: Trial, mature: int, first: int) -> int | None:
    """The look that is due with so many mature decisions since the trial began, or None.

    Look j is due at `first`·2ʲ⁻¹ decisions; of several that are due only the last is taken.
    """
    taken = [int(note["look"]) for note in _looks(store) if note["trial"] == trial.key]
    reached = int(math.log2(mature / first)) + 1 if mature >= first else 0
    return reached if reached > max(taken, default=0) else None


def look(
    store: Store,
    artefacts: Artefacts,
    playbook: Playbook,
    trial: Trial,
    *,
    as_of: float,
    lease: Lease | None = None,
) -> Worth | None:
    """Look, where a look is due; None where none is, or where the data carry no estimate.

    Raises:
        Conflict: the lease is no longer the caller's.
    """
    promotion, since = playbook.spec.promotion, max(trial.since, as_of - LONGEST)
    number = due(store, trial, _matured(store, playbook, since, as_of), promotion.decisions)
    if number is None:
        return None
    try:
        log = learnable(store, playbook, as_of, since=since).log
    except InvalidInput:
        return None  # none of them was shown
    policies = [_policy(p, artefacts, playbook) for p in (trial.policy, trial.beside)]
    if policies[0] is None or policies[1] is None or not len(log):
        return None
    store.note(KIND, as_of, orjson.dumps({"trial": trial.key, "look": number}), lease=lease)
    ours, theirs = (_odds(policy, log) for policy in policies if policy is not None)
    model = getattr(policies[0], "model", None)
    batch = LoggedBatch(
        reward=log.reward,
        arm=log.arm,
        propensity=log.propensity,
        target=ours,
        q_hat=np.zeros(ours.shape) if model is None else _under(policies[0], log).model.scores(log.features),  # type: ignore[attr-defined]
        customer=log.customer,
        logging=log.odds,
        bounds=declared(playbook.spec.objectives, float(playbook.arms.cost.max())),
    )
    level = 1 - (1 - promotion.level) / 2**number
    try:
        gain = difference("dr", batch, ours, theirs, level=level)
        worth = abs(estimate("dr", replace(batch, target=theirs), level=level).value)
    except NotEnoughData:
        return None
    allowed = -promotion.margin * worth
    told = (
        f"{gain.value:+.4g} ({gain.low:+.4g} to {gain.high:+.4g}) a decision against {allowed:+.4g} allowed"
    )
    return Worth(look=number, gain=gain, worse=gain.high < allowed, reason=f"its value differs by {told}")


def _matured(store: Store, playbook: Playbook, since: float, as_of: float) -> int:
    """Decisions since then that are mature, counted without reading what they rested on."""
    return sum(
        row.status == "active" and row.group != "holdout"
        for rows in store.draws(since, boundary(playbook, as_of))
        for row in rows
    )


def _looks(store: Store) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = 0
    while rows := store.notes(KIND, after=after):
        after = rows[-1].number
        found += [orjson.loads(row.body) for row in rows]
    return found


def _policy(publication: Publication | None, artefacts: Artefacts, playbook: Playbook) -> Policy | None:
    if publication is None:
        return fallback(playbook)
    try:
        return unseal(artefacts.read(publication.version), playbook)
    except (CallOperator, NotFound):
        return None


def _under(policy: Policy, log: DecisionLog) -> Policy:
    return policy if log.playbook is None else policy.under(log.playbook)


def _odds(policy: Policy, log: DecisionLog) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return _under(policy, log).choose(log.features, log.eligible).odds
