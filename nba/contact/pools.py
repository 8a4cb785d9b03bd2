"""Daily limits while experiments run: each variant has a part of its own, in proportion to its customers.

Otherwise the variants would compete for what is left, and whoever is asked first would look better than
they are. A part is of the limit that the variant itself has; all parts together are never exceeded either,
so that a day on which an experiment starts or ends has no more than any other. The parts are rounded down
to whole contacts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor

from nba.playbook.book import Combination, Playbook
from nba.playbook.experiment import Experiment
from nba.playbook.schema import Daily, Groups

OTHERS = "others"
"""The pool of who is in no running experiment, random-eligible customers among them."""
_LONGEST = 63  # beside an action's name and an @, the store has room for so much
_SLACK = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One part of every daily limit.

    Attributes:
        name: `bolder.bold`; with two layers `bolder.bold+quiet.loud`, or a hash of that where it is long.
        own: action → this part.
        whole: action → what all parts have together.
    """

    name: str
    own: Mapping[str, Daily] = field(default_factory=dict)
    whole: Mapping[str, Daily] = field(default_factory=dict)

    def key(self, action: str) -> str:
        """As the store counts what is used up of this part."""
        return f"{action}@{self.name}"

    def day(self, day: str) -> str:
        """A contact's day with the pool that it is counted in, as `counted` reads it."""
        return f"{day}@{self.name}"


def counted(action: str, day: str) -> tuple[tuple[str, str], ...]:
    """Under which keys (action, day) a contact is counted: the whole's, then its pool's where it has one."""
    date, at, pool = day.partition("@")
    return ((action, date), (f"{action}@{pool}", date)) if at else ((action, date),)


def pool_of(playbook: Playbook, running: Sequence[Experiment], variants: Combination) -> Pool | None:
    """The pool of the customers in these variants while `running` run; None where there is no daily limit.

    Args:
        playbook: the one that declares the experiments.
        variants: empty for who is in none.
    """
    varied = playbook.varied(variants)
    dailies = _dailies(varied)
    if not dailies:
        return None
    share = _share(playbook.spec.groups, running, variants)
    whole = {name: _whole(playbook, running, name) for name in dailies}
    return Pool(
        name=_name(variants),
        own={name: _part(daily, share) for name, daily in dailies.items()},
        whole={name: daily for name, daily in whole.items() if daily is not None},
    )


def _name(variants: Combination) -> str:
    name = "+".join(f"{experiment}.{variant}" for experiment, variant in variants) or OTHERS
    return name if len(name) <= _LONGEST else hashlib.sha256(name.encode()).hexdigest()[:32]


def _dailies(playbook: Playbook) -> dict[str, Daily]:
    return {name: action.daily for name, action in playbook.spec.actions.items() if action.daily is not None}


def _part(daily: Daily, share: float) -> Daily:
    return Daily(
        contacts=None if daily.contacts is None else floor(daily.contacts * share + _SLACK),
        spend=None if daily.spend is None else daily.spend * share,
    )


def _share(groups: Groups, running: Sequence[Experiment], variants: Combination) -> float:
    """The share of these among all customers who are acted upon; layers are independent of each other."""
    treated = 1.0 - groups.holdout - groups.random_eligible
    chosen = dict(variants)
    share = treated
    for layer in dict.fromkeys(experiment.layer for experiment in running):
        alike = [experiment for experiment in running if experiment.layer == layer]
        share *= next(
            (_weighted(e, chosen[e.name]) for e in alike if e.name in chosen),
            max(0.0, 1.0 - sum(experiment.share for experiment in alike)),
        )
    if not variants:
        share += groups.random_eligible
    return share / (treated + groups.random_eligible)


def _weighted(experiment: Experiment, variant: str) -> float:
    weights = {name: one.weight for name, one in experiment.variants.items()}
    return experiment.share * weights[variant] / sum(weights.values())


def _whole(playbook: Playbook, running: Sequence[Experiment], action: str) -> Daily | None:
    """What all parts of an action's limit have together; None where some customers have no limit.

    Experiments that change the same section lie in one layer, so no customer is in two that change it.
    """
    shared, limits = playbook.spec.actions[action].daily, list[tuple[Daily | None, float]]()
    for experiment in running:
        for pair in [(experiment.name, name) for name in experiment.variants]:
            variation = playbook.variations.get((pair,))
            daily = shared if variation is None else variation.spec.actions[action].daily
            if daily != shared:
                limits.append((daily, _share(playbook.spec.groups, [experiment], (pair,))))
    if not limits:
        return shared
    return _mixed([*limits, (shared, 1.0 - sum(share for _, share in limits))])


def _mixed(limits: Sequence[tuple[Daily | None, float]]) -> Daily | None:
    """Limits by the shares of customers who have them."""
    there = [(daily, share) for daily, share in limits if share > _SLACK]
    contacts = [None if d is None or d.contacts is None else d.contacts * share for d, share in there]
    spend = [None if d is None or d.spend is None else d.spend * share for d, share in there]
    most = None if None in contacts else floor(sum(c for c in contacts if c is not None) + _SLACK)
    money = None if None in spend else sum(s for s in spend if s is not None)
    return None if most is None and money is None else Daily(contacts=most, spend=money)
