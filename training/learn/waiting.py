"""What a learner that has nothing to do waits for, in words and figures."""

from __future__ import annotations

from typing import Any

from nba.artefacts import Artefacts
from nba.model import timestamp
from nba.playbook.compile import Playbook
from nba.standing import standing
from nba.stores.ports import Store
from training.learn.due import Pulse, first_needs, full_needs
from training.learn.freshen import can_freshen
from training.learn.steps import Step
from training.policy.champion import serving_champion

NOTHING_YET = Step(
    event="nothing_due",
    said="nothing has happened in this store yet; it waits for decisions",
    fields={},
)


def waiting(store: Store, artefacts: Artefacts, playbook: Playbook, pulse: Pulse, *, as_of: float) -> Step:
    """Counts against thresholds, and when the schedule comes round."""
    learning = playbook.spec.learning
    fields: dict[str, Any] = {"matured": pulse.since_full, "as_of": timestamp(as_of)}
    parts: list[str] = []
    tried = standing(store).tried
    if tried is not None:
        parts.append(f"the ramp of {tried.name} runs, and nothing new is trained until it has ended")
    elif pulse.full_at is None:
        least = first_needs(playbook)
        fields["needed"] = least
        parts.append(
            f"the first training waits for mature decisions of treatment customers: {pulse.since_full:,} "
            f"of {least:,}"
        )
    else:
        parts += _update(store, artefacts, playbook, pulse, fields)
        fields["needed"], fields["full_at"] = (
            full_needs(playbook),
            timestamp(pulse.full_at + learning.retrain),
        )
        parts.append(
            f"the next full retraining is due at {fields['full_at']} with {fields['needed']:,} newly mature "
            f"decisions or more; so far {pulse.since_full:,}"
        )
        if learning.volume is not None:
            fields["volume"] = learning.volume
            parts[-1] += f"; sooner with {learning.volume:,}"
    parts += _open(store, pulse, as_of, playbook, fields)
    return Step(event="nothing_due", said="; ".join(parts), fields=fields)


def _update(
    store: Store, artefacts: Artefacts, playbook: Playbook, pulse: Pulse, fields: dict[str, Any]
) -> list[str]:
    """Of the champion, where its learner can be brought up to date."""
    champion = serving_champion(store, artefacts, playbook)
    if not can_freshen(champion):
        return [f"{champion.name} is brought up to date by full retrainings alone"]
    fields |= {"update": playbook.spec.learning.update, "since_update": pulse.since_update}
    return [
        f"bringing {champion.name} up to date waits for newly mature decisions: {pulse.since_update:,} of "
        f"{playbook.spec.learning.update:,}"
    ]


def _open(store: Store, pulse: Pulse, as_of: float, playbook: Playbook, fields: dict[str, Any]) -> list[str]:
    """How many windows are open, and when the next one closes."""
    moments = [
        row.decided_at
        for rows in store.draws(pulse.through, as_of)
        for row in rows
        if row.status == "active" and row.group == "treatment"
    ]
    fields["open"] = len(moments)
    if not moments:
        return ["no decision has an open reward window"]
    clock = playbook.spec.objectives.window + (playbook.spec.learning.settle or 0.0)
    fields["matures_at"] = timestamp(min(moments) + clock)
    return [f"{len(moments):,} more are not mature yet, the next at {fields['matures_at']}"]
