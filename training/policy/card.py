"""A policy's model card: what it is, what it learned from, how it was judged, and what to beware of.

As plain values, and as Markdown for people. The weaknesses are sentences that follow from the figures; the
card makes no judgement of its own. Mitchell et al. (2019), "Model Cards for Model Reporting".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from experiments.ope import Diagnostics
from nba.playbook.schema import DAY
from nba.record import timestamp
from nba.rewards.reward import reward_version
from training.policy.gate import Verdict
from training.policy.judged import Judged
from training.policy.selection import FEWEST_OF_AN_ARM

FEW_CUSTOMERS = 40  # of variance (n_psi) from which up intervals were seen to hold
SMALL_SHARE = 0.05  # of the decisions that speak for the policy
HEAVY = 20.0  # times that one decision counts
OFF = 0.1  # of the mean weight from 1
FAR = 3.0  # standard errors between expected and earned
OLD = 30 * DAY

LIMITS = (
    "It holds for customers, actions and rules like those of the log it was judged on.",
    "Off-policy estimates take the logged propensities to be right, and customers not to influence each"
    " other.",
    "The estimates are of the training procedure on customers it had not seen; this artefact is the same"
    " procedure on all of them.",
    "Value is what the playbook's outcomes are worth within their window after a decision, less its cost;"
    " what comes later does not count.",
    "Consent, caps and quiet hours are rules around the policy and no part of it.",
)


def card(
    judged: Judged, overlap: Diagnostics, bins: Sequence[Mapping[str, float]], data: str
) -> dict[str, Any]:
    """The card as JSON values.

    Args:
        bins: of `training.policy.figures.reliability`.
        data: the fingerprint of the rows it was trained on.
    """
    manifest, verdict, spec = judged.artefact.manifest, judged.verdict, judged.playbook.spec
    return {
        "what": f"a policy for the playbook {spec.name}: features and eligible arms in, odds out",
        "specification": judged.specification,
        "version": judged.artefact.version,
        "as_of": judged.as_of,
        "playbook": judged.playbook.version,
        "arms": len(manifest.arms),
        "training": {
            "from": manifest.data_from,
            "to": manifest.data_to,
            "rows": manifest.rows,
            "fingerprint": data,
            "parameters": dict(manifest.parameters),
        },
        "reward": {
            "version": reward_version(judged.playbook),
            "currency": spec.currency,
            "objectives": spec.objectives.model_dump(mode="json"),
        },
        "evaluation": _evaluation(judged, overlap),
        "guardrails": [asdict(check) for check in verdict.guardrails],
        "limits": list(LIMITS),
        "weaknesses": list(weaknesses(judged, overlap, bins)),
    }


def markdown(card: Mapping[str, Any], currency: str) -> str:
    """The card for people."""
    training, judged = card["training"], card["evaluation"]
    lines = [
        f"# {card['specification']} for {card['playbook']}",
        "",
        f"{_sentence(card['what'])} Version `{card['version'][:12]}`, {card['arms']} arms.",
        "",
        "## Learned from",
        "",
        f"{training['rows']:,} decisions from {_day(training['from'])} to {_day(training['to'])}, "
        f"fingerprint `{training['fingerprint'][:12]}`; reward `{card['reward']['version']}`.",
        "",
        "## Judged",
        "",
        _sentence(judged["reason"]),
        "",
        *_values_table(judged, currency),
        "",
        f"On {judged['decisions']:,} decisions of {judged['overlap']['customers']:,} customers, against "
        f"{judged['against']}; rule `{judged['rule']}`, attempt {judged['attempt']}.",
        "",
        "## Guardrails",
        "",
        *(
            [f"- {check['reason']}" for check in card["guardrails"]]
            or ["The playbook has none, or none was judged."]
        ),
    ]
    for title in ("limits", "weaknesses"):
        none = ["None of the checks found one."]
        lines += ["", f"## {title.capitalize()}", "", *([f"- {line}" for line in card[title]] or none)]
    return "\n".join(lines) + "\n"


def weaknesses(judged: Judged, overlap: Diagnostics, bins: Sequence[Mapping[str, float]]) -> Iterator[str]:
    """What the figures warn of, in words."""
    yield from _of_weights(overlap)
    yield from _of_verdict(judged.verdict)
    yield from _of_data(judged, overlap)
    for b in bins:
        if abs(b["earned"] - b["expected"]) > FAR * b["stderr"]:
            yield (
                f"Where it expects {b['expected']:.3g} it would have earned {b['earned']:.3g} ± "
                f"{b['stderr']:.2g}: its expected values are off there."
            )


def _of_weights(overlap: Diagnostics) -> Iterator[str]:
    if overlap.effective_n < SMALL_SHARE * overlap.n:
        yield f"Of {overlap.n:,} decisions only {overlap.effective_n:,.0f} speak for it (effective n)."
    if overlap.n_psi < FEW_CUSTOMERS:
        yield _few("the IPS value", overlap.n_psi)
    if overlap.max_weight > HEAVY:
        yield f"One decision counts {overlap.max_weight:.0f} times."
    if abs(overlap.mean_weight - 1) > OFF:
        yield (
            f"The weights' mean is {overlap.mean_weight:.2f} and not 1: the log does not cover what it does, "
            "or the propensities are wrong."
        )


def _of_verdict(verdict: Verdict) -> Iterator[str]:
    gain = verdict.difference
    if gain is None:
        yield "The data carry no comparison with the champion."
    elif gain.low <= 0 <= gain.high:
        yield f"It may be worse than the champion: the difference is {gain.low:+.4g} to {gain.high:+.4g}."
    for what, found in (("the DR value", verdict.challenger.get("dr")), ("the difference", gain)):
        if found is not None and found.stderr > 0 and found.n_psi < FEW_CUSTOMERS:
            yield _few(what, found.n_psi)
    for check in verdict.guardrails:
        if check.challenger is None or check.broken:
            yield f"Guardrail: {check.reason}."
    ips, dr = verdict.challenger.get("ips"), verdict.challenger.get("dr")
    if ips is not None and dr is not None and (ips.low > dr.high or dr.low > ips.high):
        yield "Two estimators disagree (IPS and DR): the reward model or the propensities are wrong."


def _few(what: str, n_psi: float) -> str:
    return (
        f"{n_psi:.1f} customers make up the variance of {what} (n_psi); below about {FEW_CUSTOMERS} "
        "intervals tend to be too narrow."
    )


def _of_data(judged: Judged, overlap: Diagnostics) -> Iterator[str]:
    names = (judged.trained.playbook if judged.trained is not None else None) or judged.playbook
    if overlap.unsupported:
        arms = ", ".join(names.arms.names[a] for a in overlap.unsupported[:5] if a < len(names.arms))
        share = overlap.unsupported_share
        yield f"It uses arms that the log never shows ({arms}), for {share:.1%} of its odds."
    if judged.trained is not None:
        k = len(judged.playbook.arms)
        drawn = np.bincount(judged.trained.arm, minlength=k)[:k]
        rare = int(np.sum(drawn < FEWEST_OF_AN_ARM))
        if rare:
            yield f"{rare} of {k} arms were drawn fewer than {FEWEST_OF_AN_ARM} times."
    newest = judged.artefact.manifest.data_to
    if newest is not None and judged.as_of - newest > OLD:
        yield f"Its newest decision is {(judged.as_of - newest) / DAY:.0f} days old."


def _evaluation(judged: Judged, overlap: Diagnostics) -> dict[str, Any]:
    verdict = judged.verdict
    gain = verdict.difference
    return {
        "rule": verdict.rule,
        "promoted": verdict.promoted,
        "reason": verdict.reason,
        "level": verdict.level,
        "attempt": verdict.attempt,
        "against": judged.champion.name,
        "decisions": verdict.decisions,
        "difference": None if gain is None else asdict(gain),
        "threshold": verdict.threshold,
        "challenger": {name: asdict(e) for name, e in verdict.challenger.items()},
        "champion": {name: asdict(e) for name, e in verdict.champion.items()},
        "overlap": {name: value for name, value in asdict(overlap).items() if name != "calibration"},
        "candidates": [asdict(candidate) for candidate in judged.chosen.candidates],
    }


def _values_table(judged: Mapping[str, Any], currency: str) -> list[str]:
    lines = [f"| {currency} per decision | challenger | champion |", "|---|---|---|"]
    for name in dict.fromkeys((*judged["challenger"], *judged["champion"])):
        cells = (_cell(judged[who].get(name)) for who in ("challenger", "champion"))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    if judged["difference"] is not None:
        lines.append(f"| difference (dr) | {_cell(judged['difference'])} | |")
    return lines


def _cell(estimate: Mapping[str, float] | None) -> str:
    if estimate is None:
        return "not enough data"
    counts = f"n_psi {estimate['n_psi']:,.0f}, effective n {estimate['effective_n']:,.0f}"
    return f"{estimate['value']:.4g} ({estimate['low']:.4g} to {estimate['high']:.4g}; {counts})"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _day(moment: float | None) -> str:
    said = None if moment is None else timestamp(moment)
    return "the beginning" if said is None else said[:10]
