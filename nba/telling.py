"""What the observer is told of a batch of decisions. Numbers and names of rules, nothing of a customer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nba.model import DecisionRequest
from nba.observer import NullObserver, Observer
from nba.playbook.catalogue import unknown_features
from nba.record import Grounds
from nba.stores.ports import DecisionRow


def tell(
    observer: Observer, grounds: Grounds, rows: Sequence[DecisionRow], asked: Sequence[DecisionRequest]
) -> None:
    """Tell of each decision of a batch; `rows` and `asked` stand in its order."""
    if isinstance(observer, NullObserver):
        return
    decided = grounds.decided
    odds = decided.choice.odds
    entropies = -(odds * np.log(np.where(odds > 0, odds, 1.0))).sum(axis=1)
    counts = np.bincount(decided.verdict.codes.ravel())
    reasons = grounds.gatekeeper.reasons
    observer.decided(
        kinds=Counter(
            (row.group, explored, row.channel is not None)
            for row, explored in zip(rows, decided.explored.tolist(), strict=True)
        ),
        entropies=entropies.tolist(),
        refused=_by_rule(grounds, reasons, counts),
    )
    for row in rows:
        if row.status == "held":
            observer.activation(row.action, "held")
    for name, variant in grounds.live.experiments.items():
        observer.experiment(name, variant, len(rows))
    _of_policies(observer, grounds, rows)
    unknown = [len(unknown_features(grounds.live.playbook, a.brought)) for a in asked if a.brought]
    if unknown:
        observer.ignored_features(sum(unknown))


def _of_policies(observer: Observer, grounds: Grounds, rows: Sequence[DecisionRow]) -> None:
    """Who decided in place of the champion, and whether those that look on agree."""
    decided, live = grounds.decided, grounds.live
    reason = "failed" if decided.rung else live.fallback
    meant = live.chosen or live.playbook.spec.mode == "autopilot"
    if reason is not None and (decided.rung or meant):
        treated = sum(row.group == "treatment" for row in rows)
        if treated:
            observer.fallback(reason, treated)
    for (name, _), error in zip(live.ladder, decided.failures, strict=False):
        observer.policy_failed(name, error)
    for (name, _), choice in zip(live.watching, decided.watched, strict=True):
        if isinstance(choice, Exception):
            observer.policy_failed(name, choice)
        else:
            for agrees in (choice.best == decided.choice.best).tolist():
                observer.shadow(name, agrees)


def _by_rule(grounds: Grounds, reasons: Sequence[str], counts: NDArray[np.int64]) -> dict[str, int]:
    """Arms refused, by rule; the rules of brought actions as the catalogue's, whatever callers name them."""
    base = grounds.live.playbook.base
    own = grounds.live.playbook.spec.actions if base is None else base.spec.actions
    refused: Counter[str] = Counter()
    for code in np.flatnonzero(counts).tolist():
        section, _, rest = reasons[code].partition(".")
        action, _, rule = rest.rpartition(".")
        brought = section == "actions" and action not in own
        if code:
            refused[f"catalogue.{rule}" if brought else reasons[code]] += int(counts[code])
    return dict(refused)
