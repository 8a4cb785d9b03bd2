"""Whether to believe an off-policy value, and what to do if not: in plain words, from the figures alone.

The same figures give the same sentences. Nothing is estimated here; bounds stand at the top, with reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from experiments.ope.choice import MANY
from experiments.ope.inference import Estimate
from experiments.ope.overlap import Diagnostics
from nba.errors import NotEnoughData

Found = Mapping[str, Estimate | NotEnoughData]
Belief = Literal["believe", "with care", "don't believe"]
_ORDER: tuple[Belief, ...] = ("believe", "with care", "don't believe")

SURE, LIKELY = 0.001, 0.01
"""p values at which logged odds are called wrong, and doubtful: false alarms in 1,000 and 100 reports."""

FEW = 100.0
"""Effective customers below which the policy's value hangs on few of them."""

FEW_DECIDE = MANY
"""n_psi below which Student's interval is not used any more, but a wider one."""

TESTABLE = 40.0
"""Effective customers from which the mean weight is near enough to normal to be tested."""

ONE_CUSTOMER = 0.1
"""Share of the weight that one customer may have before it is said."""

UNSEEN, UNSEEN_MUCH = 0.01, 0.1
"""The target's odds on arms that the log can't speak of, on average over the rows."""

SIGMAS, SIGMAS_SURE = 3.0, 5.0
"""Standard errors that the mean weight may be from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: what it was, a word.
        belief: how far the estimates can be believed for all that this finding says.
        says: the finding, with its figures.
        do: what to do about it; "" where nothing is amiss.
    """

    topic: str
    belief: Belief
    says: str
    do: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The report on one policy.

    Attributes:
        belief: the least of the findings'.
        findings: worst first.
    """

    policy: str
    belief: Belief
    summary: str
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def to_text(self) -> str:
        lines = [f"{self.policy}: {self.summary}"]
        for finding in self.findings:
            mark = {"believe": "+", "with care": "?", "don't believe": "!"}[finding.belief]
            lines.append(f"  {mark} {finding.says}" + (f" {finding.do}" if finding.do else ""))
        return "\n".join(lines) + "\n"


def trust(policy: str, shown: Diagnostics, found: Found, arms: Sequence[str] | None = None) -> Trust:
    """What to make of the estimates `found` (by estimator) of a policy, given the overlap `shown`.

    Args:
        arms: (k,) names of the arms; numbers by default.
    """
    findings = [
        _estimates(found),
        _agreement(found),
        _support(shown, arms),
        _refused(shown),
        _mean_weight(shown),
        _draws(shown, arms),
        _effective(shown),
        _few_decide(shown),
        _concentration(shown),
        _clipping(shown),
    ]
    kept = sorted((f for f in findings if f is not None), key=lambda f: -_ORDER.index(f.belief))
    belief = kept[0].belief
    return Trust(policy=policy, belief=belief, summary=_summary(belief, kept), findings=tuple(kept))


def _summary(belief: Belief, findings: Sequence[Finding]) -> str:
    topics = ", ".join(f.topic for f in findings if f.belief == belief)
    return {
        "believe": "believe it: nothing that was looked at speaks against the interval.",
        "with care": f"believe it with care, because of: {topics}.",
        "don't believe": f"don't believe it, because of: {topics}.",
    }[belief]


def _estimates(found: Found) -> Finding:
    refused = [(name, f) for name, f in found.items() if isinstance(f, NotEnoughData)]
    if not refused:
        return Finding(topic="data", belief="believe", says="All estimators that were asked have an answer.")
    why = "; ".join(dict.fromkeys(f.detail.removeprefix(f"{name}: ") for name, f in refused))
    most = len(refused) == len(found)
    return Finding(
        topic="too little data",
        belief="don't believe" if most else "with care",
        says=f"{'No' if most else 'Not every'} estimator has an answer: {why}.",
        do="Wait for more decisions of this kind, explore more, or declare objectives.clip if single rewards"
        " decide.",
    )


def _agreement(found: Found) -> Finding | None:
    """Estimators with other assumptions, whose intervals should overlap. DM has no claim to cover."""
    known = {name: f for name, f in found.items() if isinstance(f, Estimate) and name != "dm"}
    if len(known) < 2:
        return None
    lowest, highest = (pick(known, key=lambda n: known[n].value) for pick in (min, max))
    low, high = known[lowest], known[highest]
    if high.low <= low.high:
        return Finding(topic="agreement", belief="believe", says="The estimators' intervals overlap.")
    return Finding(
        topic="disagreement",
        belief="with care",
        says=f"{highest} says {high.value:.4g}, {lowest} {low.value:.4g}, and their intervals are apart.",
        do="Trust the one whose assumptions hold: ips and dr need right odds, mips categories that tell all.",
    )


def _support(shown: Diagnostics, arms: Sequence[str] | None) -> Finding:
    if not shown.unsupported:
        return Finding(topic="support", belief="believe", says="Every arm that the policy uses was logged.")
    named = _some([str(a) if arms is None else arms[a] for a in shown.unsupported])
    much = shown.unsupported_share
    belief: Belief = "believe" if much < UNSEEN else "with care" if much < UNSEEN_MUCH else "don't believe"
    return Finding(
        topic="arms never logged",
        belief=belief,
        says=f"The policy gives {_percent(much)} of its odds to arms that were never logged: {named}.",
        do="" if belief == "believe" else "Let the exploration floor reach them before judging.",
    )


def _refused(shown: Diagnostics) -> Finding | None:
    share = shown.refused_share
    if share is None or share < UNSEEN / 10:
        return None
    belief: Belief = "with care" if share < UNSEEN_MUCH else "don't believe"
    return Finding(
        topic="arms without odds",
        belief=belief,
        says=f"{_percent(share)} of the policy's odds are on arms that could not be drawn at that moment.",
        do="Judge a policy only on arms that were eligible when it was logged.",
    )


def _mean_weight(shown: Diagnostics) -> Finding | None:
    """Of a supported target the mean is 1; a skewed one needs some effective customers to be tested by."""
    if shown.weight_stderr <= 0 or shown.effective_n < TESTABLE:
        return None
    off = (shown.mean_weight - 1) / shown.weight_stderr
    says = f"The mean weight is {shown.mean_weight:.3f}, {abs(off):.1f} standard errors from 1."
    if abs(off) <= SIGMAS:
        return Finding(topic="mean weight", belief="believe", says=says)
    return Finding(
        topic="mean weight",
        belief="don't believe" if abs(off) > SIGMAS_SURE else "with care",
        says=says,
        do="Either the logged odds are wrong, or the policy does what the log can't show.",
    )


def _draws(shown: Diagnostics, arms: Sequence[str] | None) -> Finding | None:
    draws = shown.draws
    if draws is None:
        return None
    if draws.impossible:
        return Finding(
            topic="logged odds",
            belief="don't believe",
            says=f"{draws.impossible} draws were of arms whose logged odds were 0.",
            do="Find out who decided besides the policy, and leave those decisions out.",
        )
    says = f"Arms were drawn as often as their odds say (p = {draws.p_value:.2g})."
    if draws.p_value >= LIKELY:
        return Finding(topic="logged odds", belief="believe", says=says)
    worst = draws.worst
    detail = ""
    if worst is not None:
        name = str(worst.arm) if arms is None else arms[worst.arm]
        detail = f"; {name} was drawn {worst.drawn:,} times where {worst.expected:,.0f} were due"
    return Finding(
        topic="logged odds",
        belief="don't believe" if draws.p_value < SURE else "with care",
        says=f"Arms were not drawn as often as their odds say (p = {draws.p_value:.2g}){detail}.",
        do="Look for decisions that were lost, redrawn or shown by the arm drawn.",
    )


def _effective(shown: Diagnostics) -> Finding:
    share = shown.effective_n / shown.customers
    says = (
        f"The log is worth {shown.effective_n:,.0f} of its {shown.customers:,} customers"
        f" ({_percent(share)}) for this policy."
    )
    if shown.effective_n >= FEW:
        return Finding(topic="effective sample", belief="believe", says=says)
    return Finding(
        topic="small effective sample",
        belief="with care",
        says=says,
        do="Collect more decisions, or judge a policy nearer to what was logged.",
    )


def _few_decide(shown: Diagnostics) -> Finding | None:
    if shown.n_psi >= FEW_DECIDE or shown.n_psi == 0:
        return None
    return Finding(
        topic="few customers decide",
        belief="with care",
        says=f"About {shown.n_psi:,.0f} customers make up the spread of the plain estimate.",
        do="Its interval is wider for that; declare objectives.clip, or wait for more rewarded customers.",
    )


def _concentration(shown: Diagnostics) -> Finding | None:
    if not shown.heaviest or shown.heaviest[0].share < ONE_CUSTOMER or shown.customers < 20:
        return None
    top = shown.heaviest[0]
    return Finding(
        topic="one customer",
        belief="with care",
        says=f"One customer has {_percent(top.share)} of the weight; row {top.row} weighs {top.weight:,.1f}.",
        do="See whether the answer stays without them.",
    )


def _clipping(shown: Diagnostics) -> Finding | None:
    if shown.clipped_share == 0:
        return None
    return Finding(
        topic="large weights",
        belief="believe",
        says=f"{_percent(shown.clipped_share)} of the rows weigh more than {shown.clip:g};"
        f" clipping there would take away {_percent(shown.clipped_weight)} of the weight.",
    )


def _some(names: Sequence[str], most: int = 5) -> str:
    listed = ", ".join(names[:most])
    return listed if len(names) <= most else f"{listed} and {len(names) - most} more"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
