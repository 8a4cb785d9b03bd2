"""Which logged decisions may train or judge a policy, and which may not, with how many each way.

Left out: the holdout; decisions whose rewards are not mature; customers of experiments, who are the evidence
for what they compare (an experiment's own policy learns from its variant alone); times under quarantine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nba.errors import NotEnoughData
from nba.playbook.compile import Playbook
from nba.stores.ports import Store
from training import quarantine
from training.policy.champion import POLICY
from training.policy.judged import Champion
from training.policy.log import DecisionLog, read_log
from training.quarantine import Quarantine

Bools = NDArray[np.bool_]
FEWEST = 200  # mature decisions below which no learner is tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnable:
    """A log fit for learning, and what was left out of it.

    Attributes:
        log: mature decisions outside the holdout, treated or random.
        immature: decisions like them that are not mature yet.
        elsewhere: decisions of other experiments or variants.
        quarantined: mature decisions whose windows meet a quarantine.
        early: treated decisions that are not mature, with the rewards that the delay model expects and
            weights of what is known of them: to train on, never to judge on; None where the playbook's
            `learning.early` is not set.
    """

    log: DecisionLog
    early: DecisionLog | None
    immature: int
    elsewhere: int
    quarantined: int


def learnable(
    store: Store,
    playbook: Playbook,
    as_of: float,
    *,
    since: float = float("-inf"),
    scope: str = POLICY,
    early: bool = False,
) -> Learnable:
    """Read them.

    Args:
        early: with what may be learned of decisions that are not mature.

    Raises:
        InvalidInput: the store has no decisions in this time.
        NotEnoughData: with `early`, too few decisions have lived through their window.
    """
    quarantines, window = quarantine.in_force(store), playbook.spec.objectives.window
    whole = read_log(
        store,
        playbook,
        as_of=as_of,
        since=since,
        delays=(lambda log: _teaches(log, scope, quarantines, window)) if early else None,
    )
    acted = whole.where(whole.group != "holdout")
    own = acted.where(_in_scope(acted.variant.tolist(), scope))
    mature = own.where(own.mature)
    believed = quarantine.believed(quarantines, mature.decided_at, window)
    return Learnable(
        log=mature.where(believed),
        early=_early(own, quarantines, window) if early else None,
        immature=len(own) - len(mature),
        elsewhere=len(acted) - len(own),
        quarantined=int(np.sum(~believed)),
    )


def enough(found: Learnable, champion: Champion) -> DecisionLog:
    """The log.

    Raises:
        NotEnoughData: fewer treated decisions than any learner can use, or none later than the champion's
            training.
    """
    log = found.log
    treated = int(np.sum(log.group == "treatment"))
    if treated < FEWEST:
        figures = {"mature": treated, "immature": found.immature, "needed": FEWEST}
        figures |= {"in experiments": found.elsewhere} if found.elsewhere else {}
        figures |= {"quarantined": found.quarantined} if found.quarantined else {}
        raise NotEnoughData(
            "too few decisions of the treatment group have mature rewards to learn from",
            {name: float(figure) for name, figure in figures.items()},
        )
    if not (log.decided_at > champion.trained_through).any():
        raise NotEnoughData("no decision has matured since the champion was trained", {"decisions": 0.0})
    return log


def _teaches(log: DecisionLog, scope: str, quarantines: Sequence[Quarantine], window: float) -> Bools:
    """(n,) decisions that the delay model learns from."""
    believed = quarantine.believed(quarantines, log.decided_at, window)
    taught: Bools = (log.group == "treatment") & _in_scope(log.variant.tolist(), scope) & believed
    return taught


def _early(own: DecisionLog, quarantines: Sequence[Quarantine], window: float) -> DecisionLog:
    """What may be learned of decisions whose windows are open."""
    reward, weight = own.expected()
    believed = quarantine.believed(quarantines, own.decided_at, window)
    known = believed & ~own.mature & (own.group == "treatment") & (weight > 0)
    return replace(own, reward=reward, weight=weight).where(known)


def _in_scope(variants: Sequence[str], scope: str) -> Bools:
    """(n,) by `variant`, such as "" or "bolder/bold,cadence/slow"."""
    if scope == POLICY:
        return np.array([not variant for variant in variants], dtype=np.bool_)
    _, experiment, name = scope.split(".", 2)
    wanted = f"{experiment}/{name}"
    return np.array([wanted in variant.split(",") for variant in variants], dtype=np.bool_)
