"""The rewards of all history under one definition, which may be another than that of the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.log import told
from nba.errors import NotEnoughData
from nba.playbook.arms import NO_CONTACT
from nba.playbook.compile import Playbook
from nba.rewards.delay import DelayModel
from nba.rewards.delay_sums import DelaySums
from nba.rewards.outcomes import Outcomes
from nba.rewards.reward import reward_version, rewards
from nba.stores.ports import Store
from training.rewards.decisions import decisions, sent, with_cost
from training.rewards.misspelt import Misspelt, misspelt

KEPT = ("decision_id", "arm", "group", "variant", "decided_at")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recomputed:
    """Rewards of a log.

    Attributes:
        frame: decision_id, arm, group, variant, decided_at, reward (null where not mature), mature, early,
            expected and weight (of the delay model; null where there is none), overlaps, reward_version.
            No column names a customer.
        untold: why there is no delay model, if so.
    """

    version: str
    currency: str
    frame: pl.DataFrame
    misspelt: Sequence[Misspelt]
    untold: NotEnoughData | None


def recompute(
    store: Store,
    playbook: Playbook,
    *,
    as_of: float,
    since: float = float("-inf"),
    progress: Callable[[int], None] = lambda read: None,
) -> Recomputed:
    """Rewards by `playbook` of all decisions in [since, as_of), as known at `as_of`.

    Raises:
        InvalidInput: there are no decisions in that time, or a playbook is missing.
    """
    log = with_cost(decisions(store, as_of=as_of, since=since, progress=progress), store, playbook)
    decided_at, objectives = log["decided_at"].to_numpy(), playbook.spec.objectives
    cost = log["cost"].to_numpy()
    settle = playbook.spec.learning.settle or 0.0
    heard = told(store, playbook, since=float(decided_at[0]), until=as_of)
    known = rewards(
        objectives,
        customer=log["customer"],
        decided_at=decided_at,
        cost=cost,
        touchpoints=heard.frame,
        as_of=as_of,
        settle=settle,
        contact=log.select(sent(store, heard)).to_series().to_numpy(),
    )
    contact = (log["arm"] != NO_CONTACT).to_numpy()
    outcomes = Outcomes.of(objectives, log["customer"], heard.frame, as_of - settle)
    expected = weight = pl.Series(known.reward).fill_nan(None)
    untold: NotEnoughData | None = None
    try:
        model = DelayModel.of(
            DelaySums.of(
                objectives, outcomes, decided_at=decided_at, cost=cost, contact=contact, as_of=as_of - settle
            )
        )
        reward, share = model.expected(known.early, known.elapsed, contact)
        expected = pl.Series(np.where(known.mature, known.reward, reward))
        weight = pl.Series(np.where(known.mature, 1.0, share))
    except NotEnoughData as error:
        untold = error
        weight = pl.Series(np.where(known.mature, 1.0, np.nan)).fill_nan(None)
    frame = log.select(KEPT).with_columns(
        (pl.col("decided_at") * 1e6).cast(pl.Int64).cast(pl.Datetime("us", "UTC")),
        reward=pl.Series(known.reward).fill_nan(None),
        mature=pl.Series(known.mature),
        early=pl.Series(known.early),
        expected=expected,
        weight=weight,
        overlaps=pl.Series(known.overlaps),
        reward_version=pl.lit(reward_version(playbook)),
    )
    return Recomputed(
        version=reward_version(playbook),
        currency=playbook.spec.currency,
        frame=frame,
        misspelt=misspelt(playbook.spec, heard.types),
        untold=untold,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Contacts, or silence. `reward` is the mean over the mature ones, `expected` over all; None for none."""

    name: str
    decisions: int
    mature: int
    reward: float | None
    expected: float | None


def kinds(found: Recomputed) -> list[Kind]:
    """By kind of arm, silence first."""
    silent = pl.col("arm") == NO_CONTACT
    return [
        Kind(
            name=name,
            decisions=part.height,
            mature=int(part["mature"].sum()),
            reward=_mean(part["reward"]),
            expected=None if found.untold else _mean(part["expected"]),
        )
        for name, part in ((NO_CONTACT, found.frame.filter(silent)), ("contact", found.frame.filter(~silent)))
    ]


def overlapping(found: Recomputed) -> float:
    """The share of decisions in whose window another contact of the customer falls."""
    return float((found.frame["overlaps"] > 0).to_numpy().mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What another definition does to rewards, over the decisions that are mature under both.

    Attributes:
        before, after: mean rewards in currency. changed: the share that differ.
        correlation: of the two, or why there is none.
    """

    decisions: int
    before: float
    after: float
    changed: float
    correlation: float | NotEnoughData


def moved(before: Recomputed, after: Recomputed) -> Moved:
    """Compare two definitions on one log, row by row.

    Raises:
        NotEnoughData: no decision is mature under both.
    """
    both = (before.frame["mature"] & after.frame["mature"]).to_numpy()
    if not both.any():
        raise NotEnoughData("no decision is mature under both definitions", {"decisions": 0.0})
    old, new = (f.frame["reward"].to_numpy()[both] for f in (before, after))
    return Moved(
        decisions=int(both.sum()),
        before=float(old.mean()),
        after=float(new.mean()),
        changed=float((np.abs(new - old) > 1e-9).mean()),
        correlation=_correlation(old, new),
    )


def _correlation(old: np.ndarray, new: np.ndarray) -> float | NotEnoughData:
    spread = float(old.std()), float(new.std())
    if min(spread) == 0:
        figures = {"spread before": spread[0], "after": spread[1]}
        return NotEnoughData("rewards that don't vary have no correlation", figures)
    return float(np.corrcoef(old, new)[0, 1])


def _mean(values: pl.Series) -> float | None:
    mean = values.mean()
    return float(mean) if isinstance(mean, float) else None
