"""The gate: whether a challenger may replace the champion, by the playbook's rule, and what is missing.

Both are judged on the same logged decisions, by the paired difference of their doubly robust values. A
refresh of the champion's own specification must not be worse by more than a margin; a new specification
must be better. Where the answer is no, it says what was missing.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from experiments.ope import Estimate, LoggedBatch, difference, estimate
from nba.errors import NotEnoughData
from nba.playbook.schema import Promotion

_TELLING = 30  # effective decisions below which an interval's width says little of the next one's
JUDGES = ("ips", "snips", "dr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The gate's answer.

    Attributes:
        promoted: whether the challenger may serve.
        rule: `refresh` (not worse by more than the margin) or `new` (better).
        reason: one sentence, for a person.
        threshold: what the lower bound of the difference had to be above; None without an estimate.
        difference: challenger − champion; None where the data could not carry it.
        challenger, champion: estimates by estimator, as far as the data carries them.
        decisions: logged decisions judged on.
        still_needed: about how many more decisions would decide, None where that can't be said.
    """

    promoted: bool
    rule: str
    reason: str
    threshold: float | None
    difference: Estimate | None
    challenger: dict[str, Estimate]
    champion: dict[str, Estimate]
    decisions: int
    still_needed: int | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def judge(batch: LoggedBatch, champion: LoggedBatch, promotion: Promotion, *, refresh: bool) -> Verdict:
    """Compare two policies on one log.

    Args:
        batch: the log with the challenger's odds as `target`.
        champion: the same log with the champion's odds as `target`.
        refresh: whether the two are of one specification.
    """
    rule = "refresh" if refresh else "new"
    n = len(batch.reward)
    values = {"challenger": _values(batch, promotion.level), "champion": _values(champion, promotion.level)}
    common: dict[str, Any] = {"rule": rule, "decisions": n, **values}
    if n < promotion.decisions:
        return _undecided(
            f"{n} mature decisions since the champion was trained; "
            f"the playbook asks for {promotion.decisions}",
            promotion.decisions - n,
            common,
        )
    try:
        gain = difference("dr", batch, batch.target, champion.target, level=promotion.level)
        worth = abs(estimate("dr", champion, level=promotion.level).value)
    except NotEnoughData as error:
        return _undecided(f"the log can't carry the comparison: {error.detail}", None, common)
    threshold = -promotion.margin * worth if refresh else 0.0
    promoted = gain.low > threshold
    return Verdict(
        promoted=promoted,
        reason=_reason(gain, threshold, promoted, rule),
        threshold=threshold,
        difference=gain,
        still_needed=None if promoted else _still_needed(gain, threshold, n),
        **common,
    )


def _values(batch: LoggedBatch, level: float) -> dict[str, Estimate]:
    found = {}
    for name in JUDGES:
        try:
            found[name] = estimate(name, batch, level=level)
        except NotEnoughData:
            continue  # the report shows a gap where the data carries no estimate
    return found


def _undecided(reason: str, still_needed: int | None, common: dict[str, Any]) -> Verdict:
    return Verdict(
        promoted=False, reason=reason, threshold=None, difference=None, still_needed=still_needed, **common
    )


def _reason(gain: Estimate, threshold: float, promoted: bool, rule: str) -> str:
    must = "not be worse than the margin" if rule == "refresh" else "be better"
    outcome = "is" if promoted else "is not"
    return (
        f"a {rule} policy must {must}: the difference is {gain.value:+.4g} "
        f"({gain.low:+.4g} to {gain.high:+.4g}), its lower bound {outcome} above {threshold:+.4g}"
    )


def _still_needed(gain: Estimate, threshold: float, n: int) -> int | None:
    """Decisions at which the interval would clear the threshold if the estimate stayed as it is.

    None where it would not, or where so few decisions speak for the difference that nobody can say.
    """
    room = gain.value - threshold
    if room <= 0 or gain.effective_n < _TELLING:
        return None
    return max(math.ceil(n * ((gain.value - gain.low) / room) ** 2) - n, 1)
