"""Value policies on the store's log, off-policy: estimates, overlap, belief and paired differences.

A policy is judged only on decisions later than its training cut; a difference of two on those later than
both cuts. Rewards are predicted out of fold by customer (cross-fitted), by a model of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.ope.embeddings import EMBEDDINGS
from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.compile import Playbook
from nba.policies.learners import LEARNERS
from training.evaluate.contenders import Contender
from training.evaluate.findings import GROUPS, Compared, Evaluation, Floats, Settings
from training.evaluate.judging import PLAIN, Judging
from training.policy.log import DecisionLog
from training.policy.selection import REWARD_MODEL, customer_folds, training_batch

Bools = NDArray[np.bool_]
Progress = Callable[[str], None]


def evaluate(
    playbook: Playbook,
    log: DecisionLog,
    policies: Sequence[Contender],
    settings: Settings,
    *,
    as_of: float,
    immature: int = 0,
    progress: Progress = lambda _: None,
) -> Evaluation:
    """Value them.

    Args:
        log: mature decisions, none of them of the holdout.

    Raises:
        NotEnoughData: no decision of the group has a mature reward.
        InvalidInput: no such group, arms to take as alike, or policy to compare with.
    """
    _check(settings, policies)
    wide = log.playbook or playbook
    asked = _of_group(log, settings.group)
    if not asked.any():
        figures = {"mature": 0.0, "immature": float(immature)}
        raise NotEnoughData(f"no decision of the group {settings.group} has a mature reward", figures)
    q_hat, why = _predicted(wide, log, asked, settings, progress)
    whole = Judging(playbook=wide, log=log.where(asked), q_hat=q_hat, why=why, settings=settings)
    valued = []
    for contender in policies:
        progress(f"valuing {contender.name}")
        valued.append(whole.valued(contender))
    return Evaluation(
        playbook=playbook.version,
        currency=playbook.spec.currency,
        as_of=as_of,
        settings=settings,
        arms=wide.arms.names,
        mature=int(asked.sum()),
        immature=immature,
        left_out=log.left_out,
        model=why,
        valued=tuple(valued),
        compared=_compared(whole, policies, settings.against),
    )


def _check(settings: Settings, policies: Sequence[Contender]) -> None:
    names = [contender.name for contender in policies]
    for field, value, known in (
        ("group", settings.group, GROUPS),
        ("alike", settings.embedding, tuple(EMBEDDINGS)),
        ("against", settings.against, tuple(names)),
    ):
        if value is not None and value not in known:
            raise InvalidInput.of(field, f"there is no {value!r}; there are {', '.join(known)}")


def _of_group(log: DecisionLog, group: str) -> Bools:
    known: Bools = log.mature & (log.group != "holdout")
    return known if group == "all" else known & (log.group == group)


def _compared(whole: Judging, policies: Sequence[Contender], against: str | None) -> tuple[Compared, ...]:
    if against is None:
        return ()
    (other,) = (contender for contender in policies if contender.name == against)
    return tuple(whole.compared(one, other) for one in policies if one is not other)


def _predicted(
    playbook: Playbook, log: DecisionLog, asked: Bools, settings: Settings, progress: Progress
) -> tuple[Floats | None, str]:
    """(rows asked for, k) rewards predicted out of fold, or None and why."""
    if set(settings.estimators) <= set(PLAIN):
        return None, "no estimator asks for it"
    base, fold = playbook.base or playbook, customer_folds(log.customer, settings.folds, settings.seed)
    q_hat = np.zeros(log.eligible.shape)
    try:
        for f in range(settings.folds):
            progress(f"predicting rewards, fold {f + 1} of {settings.folds}")
            inside = training_batch(log.where((fold != f) & log.mature))
            model = LEARNERS[REWARD_MODEL].fit(base, inside, settings.seed + f, serves=False)
            q_hat[fold == f] = model.under(playbook.arms).scores(log.features[fold == f])
    except NotEnoughData as error:
        return None, error.detail
    return q_hat[asked], ""
