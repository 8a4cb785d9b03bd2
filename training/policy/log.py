"""The decision log as arrays: what learning and evaluation work on.

Held decisions that were never shown are left out, whatever their arm. Features are those logged at decision
time. What was reported as not sent, and what gave way to another contact, keeps its arm: whether that happens
hangs on the arm, so leaving it out would bend what is learned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.log import displaced, told
from nba.errors import InvalidInput
from nba.playbook.compile import Playbook
from nba.rewards.delay import DelayModel
from nba.rewards.delay_sums import DelaySums
from nba.rewards.outcomes import Outcomes
from nba.rewards.reward import rewards
from nba.stores.ports import Store
from training.policy.catalogue import Catalogue
from training.policy.left_out import LeftOut
from training.policy.rows import Reader, joined, widened

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_WHOLE = ("playbook", "delay", "left_out")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLog:
    """n logged decisions over the k arms of a playbook.

    Attributes:
        playbook: of the arms: the one asked for, with the actions that callers brought along; None where
            nothing was brought.
        customer: (n,) integer codes; one per customer.
        decided_at: (n,) epoch seconds, ascending.
        group: (n,) treatment, random_eligible or holdout.
        features: (n, F) as logged, in the playbook's schema order.
        eligible: (n, k); arm: (n,); propensity: (n,); odds: (n, k) of the policy that drew.
        reward: (n,) in currency, NaN where not mature.
        variant: (n,) the experiments that the decision was part of, as `bolder/bold`, joined by commas; ""
            for none, which is the default.
        early: (n,) what is known of the reward so far, net of cost; by default the reward.
        elapsed: (n,) seconds until the log was read; by default so long that all is mature.
        overlaps: (n,) other contacts of the customer in the decision's window; by default none.
        weight: (n,) how much each counts in training, in [0, 1]; by default 1.
        decision_id, surrogate: (n,) text, of the decision and of its customer; by default "".
        delay: how rewards come in, where it was asked for.
        left_out: what was read and is not here, for want of its arm.
    """

    customer: Ints
    decided_at: Floats
    group: NDArray[np.str_]
    features: Floats
    eligible: Bools
    arm: Ints
    propensity: Floats
    odds: Floats
    reward: Floats
    variant: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, dtype=np.str_))
    early: Floats = field(default_factory=lambda: np.empty(0))
    elapsed: Floats = field(default_factory=lambda: np.empty(0))
    overlaps: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    weight: Floats = field(default_factory=lambda: np.empty(0))
    decision_id: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=np.object_))
    surrogate: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, dtype=np.object_))
    playbook: Playbook | None = None
    delay: DelayModel | None = None
    left_out: LeftOut = field(default_factory=LeftOut)

    def __post_init__(self) -> None:
        n = len(self.arm)
        defaults = {
            "variant": np.full(n, ""),
            "early": self.reward,
            "elapsed": np.full(n, np.inf),
            "overlaps": np.zeros(n, dtype=np.int64),
            "weight": np.ones(n),
            "decision_id": np.full(n, "", dtype=np.object_),
            "surrogate": np.full(n, "", dtype=np.object_),
        }
        for name, values in defaults.items():
            if len(getattr(self, name)) != n:
                object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(self.arm)

    def where(self, rows: Bools | Ints) -> DecisionLog:
        """The decisions of a mask or of positions."""
        columns = (f.name for f in fields(self) if f.name not in _WHOLE)
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def __add__(self, other: DecisionLog) -> DecisionLog:
        """This log's decisions, then the other's; both are of one reading."""
        columns = [f.name for f in fields(self) if f.name not in _WHOLE]
        both: dict[str, Any] = {
            name: np.concatenate((getattr(self, name), getattr(other, name))) for name in columns
        }
        return replace(self, **both)

    @property
    def mature(self) -> Bools:
        return ~np.isnan(self.reward)

    def expected(self) -> tuple[Floats, Floats]:
        """(n,) rewards and (n,) weights in [0, 1]: mature ones as they are, with 1; the others as the delay
        model expects them.

        Raises:
            InvalidInput: the log was read without a delay model.
        """
        if self.delay is None:
            raise InvalidInput.of("delays", "say in read_log which decisions the delay model learns from")
        reward, weight = self.delay.expected(self.early, self.elapsed, self.arm > 0)
        return np.where(self.mature, self.reward, reward), np.where(self.mature, 1.0, weight)


def read_log(
    store: Store,
    playbook: Playbook,
    *,
    as_of: float,
    since: float = float("-inf"),
    delays: Callable[[DecisionLog], Bools] | None = None,
) -> DecisionLog:
    """Decisions since `since` with the rewards known at `as_of`.

    Args:
        delays: tells which decisions of the log, mature or not, a delay model learns from; none is learnt
            without. Leave out the holdout and whoever else must not train what you train.

    Raises:
        InvalidInput: the store has no decisions in that time.
        NotEnoughData: too few of `delays` have lived through their window.
    """
    catalogue = Catalogue()
    reader = Reader(playbook, store)
    own = [reader.columns(catalogue.put_aside(rows)) for rows in store.decisions(since, as_of)]
    playbook = catalogue.extend(playbook)
    own = [widened(chunk, len(playbook.arms)) for chunk in own if chunk]
    other = Reader(playbook, store, catalogue)
    chunks = [*own, *other.in_chunks(catalogue.rows)]
    left_out = LeftOut(
        read=reader.read + other.read + catalogue.crowded,
        gone=dict(reader.gone + other.gone),
        crowded=catalogue.crowded,
    )
    del own
    if not chunks:
        raise _nothing(left_out)
    columns: dict[str, Any] = joined(chunks)
    arm, decided_at = columns["arm"], columns["decided_at"]
    surrogates = pl.Series("customer", columns["surrogate"], dtype=pl.String)
    objectives, settle = playbook.spec.objectives, playbook.spec.learning.settle or 0.0
    heard = told(store, playbook, since=float(decided_at[0]), until=as_of)
    unsent = pl.Series([*heard.unsent, *displaced(store)], dtype=pl.String)
    contact = (arm > 0) & ~pl.Series(columns["decision_id"], dtype=pl.String).is_in(
        unsent.implode()
    ).to_numpy()
    known = rewards(
        objectives,
        customer=surrogates,
        decided_at=decided_at,
        cost=playbook.arms.cost[arm],
        touchpoints=heard.frame,
        as_of=as_of,
        settle=settle,
        contact=contact,
    )
    log = DecisionLog(
        customer=surrogates.rank("dense").to_numpy().astype(np.int64) - 1,
        reward=known.reward,
        early=known.early,
        elapsed=known.elapsed,
        overlaps=known.overlaps,
        playbook=playbook if catalogue.rows else None,
        left_out=left_out,
        **columns,
    )
    if delays is None:
        return log
    rows = delays(log)
    outcomes = Outcomes.of(objectives, surrogates.filter(rows), heard.frame, as_of - settle)
    sums = DelaySums.of(
        objectives,
        outcomes,
        decided_at=decided_at[rows],
        cost=playbook.arms.cost[arm[rows]],
        contact=arm[rows] > 0,
        as_of=as_of - settle,
    )
    return replace(log, delay=DelayModel.of(sums))


def _nothing(left_out: LeftOut) -> InvalidInput:
    """Why there is no decision to learn from."""
    if left_out.decisions:
        return InvalidInput.of("playbook", "; ".join(left_out.said()))
    return InvalidInput.of("store", "has no decisions in this time; serve some first, or move --as-of")
