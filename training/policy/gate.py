"""The gate: whether a challenger may replace the champion, by the playbook's rule, and what is missing.

Both are judged on the same logged decisions, by the paired difference of their doubly robust values. A
refresh of the champion's own specification must not be worse by more than a margin, also not than the last
policy that was proven better (else many refreshes could each lose a margin); a new specification must be
better. Beside that no guardrail may be shown to break. Where the answer is no, it says what was missing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from experiments.ope import Estimate, LoggedBatch, difference, estimate
from nba.errors import NotEnoughData
from nba.playbook.schema import Promotion
from training.policy.budget import level_of
from training.policy.guards import Guard, GuardrailCheck, check

_TELLING = 30  # effective decisions below which an interval's width says little of the next one's
JUDGES = ("ips", "snips", "dr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The gate's answer.

    Attributes:
        promoted: whether the challenger may serve.
        rule: `refresh` (not worse by more than the margin) or `new` (better).
        reason: one sentence, for a person.
        level: of the interval of the difference, after the budget over attempts.
        attempt: which attempt of its rule against this champion this is, from 1.
        threshold: what the lower bound of the difference had to be above; None without an estimate.
        difference: challenger − champion; None where the data could not carry it.
        anchor: challenger − the last policy that was proven better, for a refresh of a refresh.
        challenger, champion: estimates by estimator, as far as the data carries them.
        guardrails: what is known of each.
        decisions: logged decisions judged on.
        still_needed: about how many more decisions would decide, None where that can't be said.
    """

    promoted: bool
    rule: str
    reason: str
    level: float
    attempt: int
    threshold: float | None = None
    difference: Estimate | None = None
    anchor: Estimate | None = None
    challenger: dict[str, Estimate]
    champion: dict[str, Estimate]
    guardrails: tuple[GuardrailCheck, ...] = ()
    decisions: int
    still_needed: int | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def judge(
    batch: LoggedBatch,
    champion: LoggedBatch,
    promotion: Promotion,
    *,
    refresh: bool,
    attempt: int = 1,
    anchor: LoggedBatch | None = None,
    guards: Sequence[Guard] = (),
) -> Verdict:
    """Compare two policies on one log.

    Args:
        batch: the log with the challenger's odds as `target`.
        champion: the same log with the champion's odds as `target`.
        refresh: whether the two are of one specification.
        attempt: how many new specifications were tried against this champion, this one included.
        anchor: the same log with the odds of the last policy that was proven better, where that is not the
            champion itself.
        guards: what the guardrails count, on the same rows.
    """
    rule = "refresh" if refresh else "new"
    level = promotion.level if refresh else level_of(promotion.level, attempt)
    n = len(batch.reward)
    open_verdict = Verdict(
        promoted=False,
        rule=rule,
        reason="",
        level=level,
        attempt=attempt,
        challenger=_values(batch, promotion.level),
        champion=_values(champion, promotion.level),
        decisions=n,
        still_needed=None,
    )
    if n < promotion.decisions:
        reason = (
            f"{n} mature decisions since the champion was trained; "
            f"the playbook asks for {promotion.decisions}"
        )
        return replace(open_verdict, reason=reason, still_needed=promotion.decisions - n)
    try:
        gain = difference("dr", batch, batch.target, champion.target, level=level)
        worth = abs(estimate("dr", champion, level=level).value)
        beside = None if anchor is None else difference("dr", batch, batch.target, anchor.target, level=level)
    except NotEnoughData as error:
        return replace(open_verdict, reason=f"the log can't carry the comparison: {error.detail}")
    judged = replace(
        open_verdict,
        threshold=-promotion.margin * worth if refresh else 0.0,
        difference=gain,
        anchor=beside if refresh else None,
        guardrails=tuple(check(guard, batch, champion, promotion.level) for guard in guards),
    )
    return _decided(judged, promotion)


def _decided(judged: Verdict, promotion: Promotion) -> Verdict:
    """With the answer: the bounds, the least n_psi, the guardrails."""
    gain, threshold = judged.difference, judged.threshold
    if gain is None or threshold is None:
        raise AssertionError("judged without a difference")
    same = gain.stderr == 0  # the two do the same on every row
    if not same and gain.n_psi < promotion.n_psi:
        reason = (
            f"{gain.n_psi:.1f} customers make up the difference's variance; "
            f"the playbook asks for an n_psi of {promotion.n_psi:g}"
        )
        more = math.ceil(judged.decisions * (promotion.n_psi / gain.n_psi - 1)) if gain.n_psi > 1 else None
        return replace(judged, reason=reason, still_needed=more)
    broken = [g.reason for g in judged.guardrails if g.broken]
    if broken:
        return replace(judged, reason=f"a guardrail would break: {'; '.join(broken)}")
    bounds = [gain] if judged.anchor is None else [gain, judged.anchor]
    tightest = min(bounds, key=lambda bound: bound.low)
    promoted = tightest.low > threshold
    return replace(
        judged,
        promoted=promoted,
        reason=_reason(judged, tightest, promoted),
        still_needed=None if promoted else _still_needed(tightest, threshold, judged.decisions),
    )


def _values(batch: LoggedBatch, level: float) -> dict[str, Estimate]:
    found = {}
    for name in JUDGES:
        try:
            found[name] = estimate(name, batch, level=level)
        except NotEnoughData:
            continue  # the report shows a gap where the data carries no estimate
    return found


def _reason(judged: Verdict, gain: Estimate, promoted: bool) -> str:
    must = "not be worse than the margin" if judged.rule == "refresh" else "be better"
    outcome = "is" if promoted else "is not"
    of = "" if gain is judged.difference else " from the last policy that was proven"
    spent = "" if judged.attempt == 1 else f", at level {judged.level:.4f} (attempt {judged.attempt})"
    narrow = not promoted and judged.threshold is not None and -judged.threshold < gain.value - gain.low
    small = "; the margin is smaller than the interval's half" if narrow and judged.rule == "refresh" else ""
    return (
        f"a {judged.rule} policy must {must}: the difference{of} is {gain.value:+.4g} "
        f"({gain.low:+.4g} to {gain.high:+.4g}){spent}, its lower bound {outcome} above "
        f"{judged.threshold:+.4g}{small}"
    )


def _still_needed(gain: Estimate, threshold: float, n: int) -> int | None:
    """Decisions at which the interval would clear the threshold if the estimate stayed as it is.

    None where it would not, or where so few decisions speak for the difference that nobody can say.
    """
    room = gain.value - threshold
    if room <= 0 or gain.effective_n < _TELLING:
        return None
    return max(math.ceil(n * ((gain.value - gain.low) / room) ** 2) - n, 1)
