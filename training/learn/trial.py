"""What there is to watch: the policy on trial, whom it stands beside, and since when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.log import touchpoint_frame
from nba.playbook.compile import Playbook
from nba.standing import Standing, changed, line
from nba.stores.ports import Publication, Store
from training.learn.rates import Counted, Finding, finding
from training.policy.champion import rule_of
from training.policy.guards import follows

Floats = NDArray[np.float64]
LONGEST = 28 * 86_400.0  # what a trial looks back at most
_NOTHING = pl.DataFrame(
    schema={"customer": pl.String, "decided_at": pl.Float64, "policy": pl.String, "contact": pl.Boolean}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A policy that serves and is watched.

    Attributes:
        policy: the ramp, or the champion where there is none.
        names: what its decisions carry: a champion's refreshes are one trial, begun by the policy that was
            proven, or promoted by hand; else a slide over many refreshes would be seen by nobody.
        key: names the trial; looks at its value are counted by it.
        beside: whom it has to beat: the champion, while a ramp runs; else the champion before the trial
            began; None for the fallback.
        since: epoch seconds from which its decisions count.
        stepped: epoch seconds of the latest step of its ramp.
        seen: `changed` of the audit that this was read from: whoever acts on it says so.
    """

    policy: Publication
    names: frozenset[str]
    key: str
    beside: Publication | None
    since: float
    stepped: float
    seen: int

    @property
    def ramping(self) -> bool:
        return self.policy.kind == "ramp"


def on_trial(store: Store) -> Trial | None:
    """The ramp, else the champion; None where the fallback serves and nothing else."""
    audit = store.audit()
    stands, seen = Standing.of(audit), changed(audit)
    if stands.tried is not None:
        steps = _run(audit, stands.tried)
        return Trial(
            policy=stands.tried,
            names=frozenset({stands.tried.name}),
            key=f"{stands.tried.name} from {steps[0].number}",
            beside=stands.champion,
            since=steps[0].published_at,
            stepped=steps[-1].published_at,
            seen=seen,
        )
    if stands.champion is None:
        return None
    before, own = _split(audit)
    return Trial(
        policy=stands.champion,
        names=frozenset(p.name for p in own),
        key=f"{own[0].name} from {own[0].number}",
        beside=before[-1] if before else None,
        since=own[0].published_at,
        stepped=own[-1].published_at,
        seen=seen,
    )


def _split(audit: list[Publication]) -> tuple[list[Publication], list[Publication]]:
    """Former champions, and the present one with those that it is a refresh of, oldest first."""
    champions = line(audit)
    refreshed = {p.number for p in audit if rule_of(p) == "refresh"}
    first = max((i for i, p in enumerate(champions) if p.origin not in refreshed), default=0)
    return champions[:first], champions[first:]


def findings(store: Store, playbook: Playbook, trial: Trial, *, as_of: float) -> list[Finding]:
    """Each guardrail of the playbook for a trial, from all its decisions so far, mature or not.

    A rise is judged side by side only, so a champion that serves everybody is held to `most` alone; and on
    a ramp from its latest step on, since then both sides' decisions are as old as each other.
    """
    rails = playbook.spec.promotion.guardrails
    drawn = _drawn(store, max(trial.since, as_of - LONGEST), as_of) if rails else _NOTHING
    if drawn.is_empty():
        return []
    level = 1 - (1 - playbook.spec.promotion.level) / len(rails)
    ours = drawn["policy"].is_in(list(trial.names)).to_numpy()
    beside = _others(drawn["policy"], trial).to_numpy() if trial.ramping else np.zeros(len(drawn), dtype=bool)
    young = drawn["decided_at"].to_numpy() >= trial.stepped
    customer = drawn["customer"].rank("dense").to_numpy().astype(np.int64)
    found = []
    for rail, counts in zip(rails, _counts(store, playbook, drawn), strict=True):

        def part(rows: NDArray[np.bool_], counts: Floats = counts) -> Counted:
            return Counted(customer=customer[rows], count=counts[rows])

        side_by_side = (part(ours & young), part(beside & young)) if trial.ramping else None
        found.append(finding(rail, part(ours), side_by_side, level))
    return found


def _counts(store: Store, playbook: Playbook, drawn: pl.DataFrame) -> list[Floats]:
    """For each guardrail (n,) what has followed each decision so far."""
    rails = playbook.spec.promotion.guardrails
    decided_at = drawn["decided_at"].to_numpy()
    touchpoints = touchpoint_frame(
        store,
        playbook,
        since=float(decided_at.min()),
        until=np.inf,
        also=[rail.count for rail in rails],
    )
    return [
        follows(
            rail,
            customer=drawn["customer"],
            decided_at=decided_at,
            contact=drawn["contact"].to_numpy().astype(np.float64),
            touchpoints=touchpoints,
            as_of=np.inf,
        )
        for rail in rails
    ]


def _others(policy: pl.Series, trial: Trial) -> pl.Series:
    """Decisions of whom a ramp stands beside: the champion, or the fallback, whose number is 0."""
    return policy.str.ends_with("@0") if trial.beside is None else policy == trial.beside.name


def _run(audit: list[Publication], ramp: Publication) -> list[Publication]:
    """The steps of a ramp since it was last started."""
    steps: list[Publication] = []
    for publication in (p for p in audit if p.kind == "ramp"):
        if publication.origin != ramp.origin or publication.share == 0:
            steps = []
        else:
            steps.append(publication)
    return steps


def _drawn(store: Store, since: float, until: float) -> pl.DataFrame:
    """Decisions that were shown, of the treatment group: customer, decided_at, policy, contact."""
    chunks = [_NOTHING]
    for rows in store.draws(since, np.nextafter(until, np.inf)):
        cells = [
            (row.surrogate, row.decided_at, row.policy, row.arm != "no_contact")
            for row in rows
            if row.status == "active" and row.group == "treatment"
        ]
        chunks.append(pl.DataFrame(cells, schema=_NOTHING.schema, orient="row"))
    return pl.concat(chunks)
