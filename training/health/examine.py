"""Make a health report from the log: read once, split into window and reference, check by check.

Inputs and choices are looked at up to now. Rewards come late, so theirs are the latest `window` whose rewards
are mature and the `reference` before that; and the same at half the reward's clock, which tells sooner.
Scores are judged on the latest `window` whose horizon is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from experiments.log import told
from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.compile import Playbook
from nba.policies.policy import Policy
from nba.rewards.reward import rewards
from nba.rewards.timeline import Timeline
from nba.stores.ports import Store
from training import quarantine
from training.health import choices, earned, inputs
from training.health.report import Check, HealthReport
from training.policy.log import DecisionLog, read_log
from training.quarantine import Quarantine

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_GROUPS = ("treatment", "random_eligible")


def examine(store: Store, playbook: Playbook, *, as_of: float, policy: Policy | None) -> HealthReport:
    """Look at the playbook's `health.window` until `as_of` against the `reference` before it.

    Args:
        policy: what serves; it says for whom no arm is good. Everything else rests on what was logged.

    Raises:
        NotEnoughData: window or reference has fewer than `health.rows` decisions.
    """
    health = playbook.spec.health
    try:
        log = read_log(store, playbook, as_of=as_of, since=_first(playbook, as_of))
    except InvalidInput as error:
        why = f"there are no decisions to look at: {error.errors[0].detail}"
        raise NotEnoughData(why, {"decisions": 0.0}) from None
    seen = Seen.of(store, playbook, log, as_of)
    window, reference = seen.parts(as_of)
    counts = {"window": int(window.sum()), "reference": int(reference.sum())}
    if min(counts.values()) < health.rows:
        raise NotEnoughData(f"health takes {health.rows} decisions in window and reference", counts)
    made = Made()
    made.add(inputs.stability(log.features, log.customer, window, reference, playbook))
    made.add(inputs.missing(log.features, log.customer, window, reference, playbook))
    _choices(made, seen, window, reference, policy)
    for group in _GROUPS:
        made.add(_reward(seen, group, early=False), f"reward of {group}")
        made.add(_reward(seen, group, early=True), f"early reward of {group}")
    made.add(_values(seen), "value_calibration")
    for name in _scores(playbook):
        made.add(_score(seen, name), "calibration")
    return HealthReport(
        as_of=as_of,
        window=(as_of - health.window, as_of),
        reference=(as_of - health.window - health.reference, as_of - health.window),
        checks=tuple(made.checks),
        decisions=counts["window"],
        before=counts["reference"],
        unmade=tuple(made.unmade),
        left_out=log.left_out,
    )


@dataclass(slots=True)
class Made:
    """The checks that could be made, and why others could not."""

    checks: list[Check] = field(default_factory=list)
    unmade: list[str] = field(default_factory=list)

    def add(self, found: Iterable[Check], name: str = "") -> None:
        try:
            self.checks.extend(found)
        except NotEnoughData as error:
            self.unmade.append(f"{name}: {error.detail}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """The log, and what stands beside it in the store.

    Attributes:
        policy: (n,) names.
        expected: (n,) value of the arm drawn as logged, of the latest window with mature rewards; else NaN,
            and NaN where the policy predicts none.
        touchpoints: customer, type, occurred_at, value of objectives and of what scores predict.
    """

    playbook: Playbook
    log: DecisionLog
    as_of: float
    policy: NDArray[np.object_]
    expected: Floats
    touchpoints: pl.DataFrame
    quarantined: list[Quarantine]

    @classmethod
    def of(cls, store: Store, playbook: Playbook, log: DecisionLog, as_of: float) -> Seen:
        position = {id: i for i, id in enumerate(log.decision_id.tolist())}
        policy, expected = np.full(len(log), "", dtype=object), np.full(len(log), np.nan)
        since = float(log.decided_at[0])
        for draws in store.draws(since, as_of):
            for draw in draws:
                if draw.decision_id in position:
                    policy[position[draw.decision_id]] = draw.policy
        closed = _closed(playbook, as_of, playbook.spec.objectives.window)
        for rows in store.decisions(closed - playbook.spec.health.window, closed):
            for row in rows:
                if row.erased:
                    continue
                value = orjson.loads(row.body).get("expected_value")
                if value is not None and row.decision_id in position:
                    expected[position[row.decision_id]] = value
        return cls(
            playbook=playbook,
            log=log,
            as_of=as_of,
            policy=policy,
            expected=expected,
            touchpoints=told(store, playbook, since=since, until=as_of, also=_events(playbook)).frame,
            quarantined=quarantine.in_force(store),
        )

    @property
    def learned(self) -> Bools:
        """(n,) decisions of learned policies, not of the fallback nor of chance."""
        return np.array([name != "" and not name.endswith("@0") for name in self.policy], dtype=np.bool_)

    def parts(self, end: float) -> tuple[Bools, Bools]:
        """(n,) the decisions of the window that ends before `end`, and of the reference before it."""
        health, at = self.playbook.spec.health, self.log.decided_at
        start = end - health.window
        return (at >= start) & (at < end), (at >= start - health.reference) & (at < start)

    def closed(self, clock: float) -> tuple[Bools, Bools]:
        """The same, of decisions that have lived through so many seconds."""
        return self.parts(_closed(self.playbook, self.as_of, clock))

    def believed(self, clock: float) -> Bools:
        """(n,) decisions whose outcomes of so many seconds meet no quarantine."""
        return quarantine.believed(self.quarantined, self.log.decided_at, clock)


def _choices(made: Made, seen: Seen, window: Bools, reference: Bools, policy: Policy | None) -> None:
    log, playbook = seen.log, seen.log.playbook or seen.playbook
    treated = seen.learned & (log.group == "treatment")
    found = choices.entropy(
        log.odds, log.eligible, log.customer, window & treated, reference & treated, playbook
    )
    made.add(found, "entropy")
    acted = log.group != "holdout"
    now, before = window & acted, log.eligible[reference & acted].any(axis=0)
    made.add(choices.starved(log.arm[now], log.odds[now], log.eligible[now], before, playbook))
    under = None if policy is None or log.playbook is None else policy.under(log.playbook)
    found = choices.no_good_arm(log.features[now], log.eligible[now], under or policy, playbook)
    made.add(found, "no_good_arm")


def _reward(seen: Seen, group: str, *, early: bool) -> Iterator[Check]:
    spec, log = seen.playbook.spec, seen.log
    objectives = earned.halved(spec.objectives) if early else spec.objectives
    known = log.reward
    if early:
        arms = (log.playbook or seen.playbook).arms
        known = rewards(
            objectives,
            customer=pl.Series(log.surrogate, dtype=pl.String),
            decided_at=log.decided_at,
            cost=arms.cost[log.arm],
            touchpoints=seen.touchpoints,
            as_of=seen.as_of,
            settle=spec.learning.settle or 0.0,
        ).reward
    rows = (log.group == group) & ~np.isnan(known) & seen.believed(objectives.window)
    window, reference = seen.closed(objectives.window)
    if group == "treatment" and (window & rows & seen.learned).any():
        rows &= seen.learned  # what chance earned before would hide a fall
    subject = f"{group}.half_clock" if early else group
    yield from earned.reward(
        np.nan_to_num(known), log.customer, window & rows, reference & rows, seen.playbook, subject
    )


def _values(seen: Seen) -> Iterator[Check]:
    log, clock = seen.log, seen.playbook.spec.objectives.window
    window, _ = seen.closed(clock)
    rows = window & log.mature & (log.group != "holdout") & seen.believed(clock)
    yield from earned.value_calibration(
        seen.expected[rows], log.reward[rows], log.customer[rows], seen.playbook
    )


def _score(seen: Seen, name: str) -> Iterator[Check]:
    events, horizon, comes = _scores(seen.playbook)[name]
    log = seen.log
    rows, _ = seen.closed(horizon)
    rows &= seen.believed(horizon)
    happened = seen.touchpoints.filter(pl.col("type").is_in(events))
    found = _within(log, happened, rows, horizon) == comes
    column = seen.playbook.schema.index[name]
    yield from earned.score_calibration(
        name, log.features[rows, column], found, log.customer[rows], seen.playbook
    )


def _within(log: DecisionLog, happened: pl.DataFrame, rows: Bools, horizon: float) -> Bools:
    """(rows,) whether anything happened to the customer after the decision, within the horizon."""
    codes = pl.DataFrame({"customer": log.surrogate.tolist(), "code": log.customer}, schema_overrides=_CODES)
    known = happened.join(codes.unique("customer"), on="customer").sort("code", "occurred_at")
    timeline = Timeline.of(
        known["code"].to_numpy(), known["occurred_at"].to_numpy(), int(log.customer.max()) + 1
    )
    if not len(known):
        return np.zeros(int(rows.sum()), dtype=np.bool_)
    first, end = timeline.within(log.customer[rows], np.nextafter(log.decided_at[rows], np.inf), horizon)
    return end > first


_CODES = {"customer": pl.String, "code": pl.Int64}


def _scores(playbook: Playbook) -> dict[str, tuple[list[str], float, bool]]:
    """Score feature → the touchpoints that decide it, its horizon, and whether it is about their coming."""
    scores = playbook.spec.scores
    found = {f"propensity_{name}": ([p.event], p.horizon, True) for name, p in scores.propensity.items()}
    if scores.churn is not None:
        found["churn"] = (list(scores.churn.activity), scores.churn.inactivity, False)
    return found


def _events(playbook: Playbook) -> list[str]:
    return sorted({event for events, _, _ in _scores(playbook).values() for event in events})


def _closed(playbook: Playbook, as_of: float, clock: float) -> float:
    """Decisions before this moment have lived through so many seconds, and late reports have settled."""
    return as_of - clock - (playbook.spec.learning.settle or 0.0)


def _first(playbook: Playbook, as_of: float) -> float:
    """The earliest decision that any check looks at."""
    spec, health = playbook.spec, playbook.spec.health
    settle = spec.learning.settle or 0.0
    longest = max([horizon for _, horizon, _ in _scores(playbook).values()], default=0.0)
    reference = spec.objectives.window + health.reference
    return as_of - settle - health.window - max(reference, longest)
