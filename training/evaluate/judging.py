"""One policy, or two, on the decisions that may judge them: those later than their training cuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from experiments.ope import Estimate, LoggedBatch, Trust, diagnostics, difference, estimate, trust
from experiments.ope.clip import declared
from experiments.ope.embeddings import EMBEDDINGS
from nba.errors import NotEnoughData
from nba.playbook.compile import Playbook
from nba.record import timestamp
from training.evaluate.contenders import Contender
from training.evaluate.findings import Compared, Floats, Found, Settings, Valued
from training.policy.log import DecisionLog

Bools = NDArray[np.bool_]
PLAIN = ("ips", "snips", "clipped-ips", "clipped-snips", "sg-ips", "mips", "pseudo-inverse")
"""Estimators that ask for no predicted rewards."""
BOUNDED = {
    "too little data": "Wait for more decisions of this kind, or explore more.",
    "few customers decide": "Its interval is wider for that; wait for more rewarded customers.",
}
"""What to do about a finding where the playbook bounds rewards already, by the finding's topic."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judging:
    """The rows that judge, with what is predicted of them.

    Attributes:
        log: n mature decisions of the group asked for.
        q_hat: (n, k) rewards predicted out of fold, or None; then `why` says why.
    """

    playbook: Playbook
    log: DecisionLog
    q_hat: Floats | None
    why: str
    settings: Settings

    def valued(self, contender: Contender) -> Valued:
        later, seen = self._later(contender.trained_through)
        if len(seen) == 0:
            refused = dict.fromkeys(self.settings.estimators, _trained_on_all(contender))
            return Valued(
                contender=contender,
                rows=0,
                since=None,
                until=None,
                found=refused,
                overlap=None,
                trust=None,
                weight=None,
            )
        batch = self._batch(later, seen, contender.odds(seen))
        level = self.settings.level
        found = self._each(lambda name: estimate(name, batch, level=level))
        overlap = diagnostics(batch)
        return Valued(
            contender=contender,
            rows=len(seen),
            since=float(seen.decided_at[0]),
            until=float(seen.decided_at[-1]),
            found=found,
            overlap=overlap,
            trust=_advised(trust(contender.name, overlap, found, self.playbook.arms.names), batch.bounds),
            weight=batch.weight,
        )

    def compared(self, one: Contender, other: Contender) -> Compared:
        cut = max(one, other, key=lambda c: c.trained_through)
        later, seen = self._later(cut.trained_through)
        if len(seen) == 0:
            found: Found = dict.fromkeys(self.settings.estimators, _trained_on_all(cut))
        else:
            a, b = one.odds(seen), other.odds(seen)
            batch, level = self._batch(later, seen, a), self.settings.level
            found = self._each(lambda name: difference(name, batch, a, b, level=level))
        return Compared(name=one.name, against=other.name, rows=len(seen), found=found)

    def _later(self, cut: float) -> tuple[Bools, DecisionLog]:
        later: Bools = self.log.decided_at > cut
        return later, self.log.where(later)

    def _batch(self, rows: Bools, seen: DecisionLog, target: Floats) -> LoggedBatch:
        spec, arms = self.playbook.spec, self.playbook.arms
        return LoggedBatch(
            reward=seen.reward,
            arm=seen.arm,
            propensity=seen.propensity,
            target=target,
            q_hat=None if self.q_hat is None else self.q_hat[rows],
            customer=seen.customer,
            embedding=EMBEDDINGS[self.settings.embedding](arms),
            logging=seen.odds,
            bounds=declared(spec.objectives, float(arms.cost.max())),
        )

    def _each(self, run: Callable[[str], Estimate]) -> Found:
        found: dict[str, Estimate | NotEnoughData] = {}
        for name in self.settings.estimators:
            if name not in PLAIN and self.q_hat is None:
                found[name] = NotEnoughData(f"{name}: no rewards are predicted: {self.why}", {})
                continue
            try:
                found[name] = run(name)
            except NotEnoughData as error:
                found[name] = error
        return found


def _advised(found: Trust, bounds: tuple[float, float] | None) -> Trust:
    """Nobody is told to declare what is declared."""
    if bounds is None:
        return found
    findings = [replace(f, do=BOUNDED.get(f.topic, f.do)) for f in found.findings]
    return replace(found, findings=tuple(findings))


def _trained_on_all(contender: Contender) -> NotEnoughData:
    moment = timestamp(contender.trained_through)
    return NotEnoughData(
        f"{contender.policy} was trained on decisions until {moment}, and none later has a mature reward",
        {"decisions": 0.0},
    )
