"""What is wrong with the playbook's experiments, and with what its promotion and health sections name.

What a variant's `change` makes of the playbook is looked at in `variation.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from nba.playbook.declaration import CONTACT
from nba.playbook.experiment import CHANGEABLE, Experiment
from nba.playbook.rules import nearest
from nba.playbook.schema import PlaybookSpec

Finding = tuple[tuple[str | int, ...], str]
MONEY = ("net", "earned")
"""What a metric may be of beside what is counted."""
HEALTH_CHECKS = ("psi", "missing", "entropy", "reward", "calibration", "no_good_arm", "starved")
_SLACK = 1e-9  # of shares: ten times 0.1 is 1, whatever floats add up to


def check_trials(spec: PlaybookSpec) -> Iterator[Finding]:
    """Each finding is the path of the wrong field and what is wrong with it."""
    yield from _outcomes(spec)
    yield from _guardrails(spec)
    for i, name in enumerate(spec.health.retrain):
        yield from _one_of(("health", "retrain", i), name, "check", HEALTH_CHECKS)
    yield from _unique(spec.experiments)
    yield from _shares(spec.experiments)
    for i, experiment in enumerate(spec.experiments):
        yield from _experiment(("experiments", i), experiment, spec)


def colliding(experiments: Sequence[Experiment]) -> Iterator[Finding]:
    """Experiments of two layers that change the same while both run: a customer may be in both."""
    for (i, one), (j, other) in combinations(enumerate(experiments), 2):
        if one.layer == other.layer or not meet(one, other):
            continue
        for section in sorted(changes(one) & changes(other)):
            yield (
                ("experiments", j, "variants"),
                f"{other.name} changes {section}, and so does experiments[{i}], {one.name}, on another layer;"
                f" a customer may be in both: give them one layer",
            )


def changes(experiment: Experiment) -> set[str]:
    """The sections that its variants change; `policy` where they say who decides."""
    sections = {section for variant in experiment.variants.values() for section in variant.change}
    named = any(variant.policy != "champion" for variant in experiment.variants.values())
    return sections | ({"policy"} if named else set())


def meet(one: Experiment, other: Experiment) -> bool:
    """Whether there is a moment at which both expose customers."""
    return max(one.exposes_from, other.exposes_from) < min(one.exposes_until, other.exposes_until)


def _outcomes(spec: PlaybookSpec) -> Iterator[Finding]:
    for name, outcome in spec.objectives.outcomes.items():
        if outcome.window is not None and outcome.window > spec.objectives.window:
            path = ("objectives", "outcomes", name, "window")
            yield path, "is longer than the objectives' own window, by which a reward is mature"


def _guardrails(spec: PlaybookSpec) -> Iterator[Finding]:
    guardrails = spec.promotion.guardrails
    for i, guardrail in enumerate(guardrails):
        path = ("promotion", "guardrails", i)
        if guardrail.name in [other.name for other in guardrails[:i]]:
            yield (*path, "name"), f"{guardrail.name!r} stands twice"
        yield from _one_of((*path, "count"), guardrail.count, "touchpoint or outcome", _counted(spec))


def _unique(experiments: Sequence[Experiment]) -> Iterator[Finding]:
    for i, experiment in enumerate(experiments):
        before = experiments[:i]
        if experiment.name in [other.name for other in before]:
            yield ("experiments", i, "name"), f"{experiment.name!r} stands twice"
        elif (experiment.salt or experiment.name) in [other.salt or other.name for other in before]:
            yield (
                ("experiments", i, "salt"),
                "is another experiment's, so both would split customers alike; take a new one",
            )


def _shares(experiments: Sequence[Experiment]) -> Iterator[Finding]:
    for layer in dict.fromkeys(experiment.layer for experiment in experiments):
        places = [i for i, experiment in enumerate(experiments) if experiment.layer == layer]
        total = sum(experiments[i].share for i in places)
        if total > 1 + _SLACK:
            detail = f"the shares of the layer {layer} add up to {total:g}, more than all customers"
            yield ("experiments", places[-1], "share"), detail


def _experiment(path: tuple[str | int, ...], experiment: Experiment, spec: PlaybookSpec) -> Iterator[Finding]:
    if experiment.exposes_from >= experiment.exposes_until:
        yield (*path, "washout"), "lasts until the experiment ends, so nobody is ever exposed"
    known = (*MONEY, *_counted(spec))
    for place, (name, metric) in enumerate(experiment.metrics.items()):
        for field, of in (("of", metric.of), ("per", metric.per)):
            if of is not None:
                yield from _one_of((*path, "metrics", name, field), of, "metric", known)
        if place == 0 and metric.harm is not None:
            detail = "the first metric is the one that decides; give harm to another one"
            yield (*path, "metrics", name, "harm"), detail
    for name, variant in experiment.variants.items():
        if variant.policy == "incumbent" and not variant.change.get("incumbent", spec.incumbent):
            detail = "lets the rules under incumbent decide, and there are none; write some"
            yield (*path, "variants", name, "policy"), detail
        for section in variant.change:
            if section not in CHANGEABLE:
                detail = f"a variant may change {', '.join(CHANGEABLE)}{nearest(section, CHANGEABLE)}"
                yield (*path, "variants", name, "change", section), detail
        actions = variant.change.get("actions")
        for action in actions if isinstance(actions, dict) else ():
            yield from _one_of(
                (*path, "variants", name, "change", "actions", action), action, "action", spec.actions
            )


def _counted(spec: PlaybookSpec) -> tuple[str, ...]:
    """What can be counted: contacts, touchpoints, and outcomes that the objectives name."""
    return tuple(dict.fromkeys((CONTACT, *spec.touchpoints, *spec.objectives.outcomes)))


def _one_of(path: tuple[str | int, ...], name: str, what: str, names: Iterable[str]) -> Iterator[Finding]:
    known = tuple(names)
    if name not in known:
        yield path, f"there is no {what} {name!r}{nearest(name, known)}"
