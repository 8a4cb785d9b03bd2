"""A candidate before the gate: both policies' odds on the decisions that may judge, and what else counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.log import touchpoint_frame
from experiments.ope import LoggedBatch
from experiments.ope.clip import declared
from nba.playbook.compile import Playbook
from nba.policies.policy import Policy
from nba.stores.ports import Store
from training.policy.budget import attempts
from training.policy.champion import POLICY, family
from training.policy.crossing import Chosen
from training.policy.gate import Verdict, judge
from training.policy.guards import Guard, follows
from training.policy.judged import Champion
from training.policy.log import DecisionLog

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bench:
    """What a candidate is judged against.

    Attributes:
        anchor: the last policy that was proven better, where the champion is a refresh of it.
        scope: as in `training.policy.retrain.Settings`.
    """

    store: Store
    playbook: Playbook
    champion: Champion
    anchor: Policy | None
    as_of: float
    scope: str = POLICY

    def judge(
        self, log: DecisionLog, q_hat: Floats, target: Floats, specification: str
    ) -> tuple[Verdict, LoggedBatch]:
        """The gate's answer on (n,) decisions later than the champion's training.

        Args:
            q_hat: (n, k) predicted rewards, out of fold.
            target: (n, k) the candidate's odds, out of fold.
        """
        refresh = specification == self.champion.policy.specification
        candidate, opponent = (
            self._batch(log, q_hat, target),
            self._batch(log, q_hat, self._odds(log, self.champion.policy)),
        )
        beside = None if self.anchor is None else self._batch(log, q_hat, self._odds(log, self.anchor))
        verdict = judge(
            candidate,
            opponent,
            self.playbook.spec.promotion,
            refresh=refresh,
            attempt=1 if refresh else attempts(self.store, family(self.store, self.champion), self.scope) + 1,
            anchor=beside,
            guards=self._guards(log),
        )
        return verdict, candidate

    def _batch(self, log: DecisionLog, q_hat: Floats, target: Floats) -> LoggedBatch:
        playbook = self.playbook
        return LoggedBatch(
            reward=log.reward,
            arm=log.arm,
            propensity=log.propensity,
            target=target,
            q_hat=q_hat,
            customer=log.customer,
            logging=log.odds,
            bounds=declared(playbook.spec.objectives, float(playbook.arms.cost.max())),
        )

    def _odds(self, log: DecisionLog, policy: Policy) -> Floats:
        under = policy if log.playbook is None else policy.under(log.playbook)
        return under.choose(log.features, log.eligible).odds

    def _guards(self, log: DecisionLog) -> list[Guard]:
        rails = self.playbook.spec.promotion.guardrails
        if not rails:
            return []
        touchpoints = touchpoint_frame(
            self.store,
            self.playbook,
            since=float(log.decided_at.min()),
            until=self.as_of,
            also=[rail.count for rail in rails],
        )
        return [
            Guard(
                rail=rail,
                count=follows(
                    rail,
                    customer=pl.Series("customer", log.surrogate),
                    decided_at=log.decided_at,
                    contact=(log.arm != 0).astype(np.float64),
                    touchpoints=touchpoints,
                    as_of=self.as_of,
                ),
            )
            for rail in rails
        ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Best:
    """What came of judging: the specification, the gate's answer, the log with its odds, and who was refused
    before it."""

    specification: str
    verdict: Verdict
    batch: LoggedBatch
    failed: tuple[Verdict, ...] = ()


def best_that_passes(bench: Bench, log: DecisionLog, chosen: Chosen) -> Best:
    """The best specification; where it is a new one and fails, a refresh of the champion's that passes.

    A champion must not go stale because another kind of policy looks better and can't be proven.
    """
    later = log.decided_at > bench.champion.trained_through
    seen, q_hat = log.where(later), chosen.crossed.q_hat[later]
    own = bench.champion.policy.specification
    verdict, batch = bench.judge(seen, q_hat, chosen.crossed.served[later], chosen.specification)
    best = Best(specification=chosen.specification, verdict=verdict, batch=batch)
    if verdict.promoted or own == chosen.specification or own not in chosen.served:
        return best
    refreshed, again = bench.judge(seen, q_hat, chosen.served[own][later], own)
    if not refreshed.promoted:
        return best
    return Best(specification=own, verdict=refreshed, batch=again, failed=(verdict,))
