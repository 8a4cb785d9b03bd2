"""What serves for whom: by where a customer stands in experiments and ramp, and for requests that bring
actions of their own. Made when it is first asked for, and kept for a while.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

from nba.chance import NOWHERE, Assignment, Group, ramped, running_at, variants_of
from nba.contact.eligibility import Gatekeeper
from nba.contact.pools import Pool, pool_of
from nba.errors import NbaError
from nba.live import Fallback, Live, Published, untrained
from nba.model import BroughtAction
from nba.playbook.book import Combination
from nba.playbook.catalogue import bring
from nba.playbook.compile import Playbook
from nba.policies.policy import Policy
from nba.policies.refit import refitted
from nba.policies.served import ConstantPolicy, IncumbentPolicy, UniformPolicy

SILENCE = "no_contact@0"
_KEPT = 8  # catalogues
_MOST = 1_024  # assignments
Variant = tuple[Live, Gatekeeper]
Failed = Callable[[str, Exception], None]


class Variants:
    """What serves under each assignment and catalogue, and its compiled rules. Used from one thread.

    `failed` is told by name of policies that can't serve under a variant's changes.
    """

    def __init__(self, failed: Failed = lambda name, error: None) -> None:
        self._failed = failed
        self._live: Live | None = None
        self._gatekeepers: dict[tuple[str, tuple[str, ...], Combination], Gatekeeper] = {}
        self._branches: dict[Assignment, Variant] = {}
        self._brought: OrderedDict[tuple[Assignment, tuple[BroughtAction, ...]], Variant] = OrderedDict()

    def of(self, live: Live, brought: tuple[BroughtAction, ...], assignment: Assignment = NOWHERE) -> Variant:
        """`live` for customers of the assignment, with the brought actions among its arms."""
        if live is not self._live:
            self._live = live
            self._branches.clear()
            self._brought.clear()
        variant = self._branches.get(assignment)
        if variant is None:
            if len(self._branches) >= _MOST:
                self._branches.clear()
            variant = self._branches[assignment] = self._branch(live, assignment)
        return self._with(variant, assignment, brought) if brought else variant

    def _branch(self, live: Live, assignment: Assignment) -> Variant:
        ours = live if assignment is NOWHERE else branch(live, assignment, self._failed)
        key = (live.playbook.version, assignment.running, assignment.variants)
        known = self._gatekeepers.get(key)
        if known is None or known.playbook is not ours.playbook:
            pool = _pool(live.playbook, assignment)
            known = self._gatekeepers[key] = Gatekeeper(ours.playbook, pool)
        return ours, known

    def _with(self, variant: Variant, assignment: Assignment, brought: tuple[BroughtAction, ...]) -> Variant:
        key = (assignment, brought)
        known = self._brought.get(key)
        if known is None:
            live, gatekeeper = variant
            playbook = bring(live.playbook, brought)
            known = self._brought[key] = live.under(playbook), Gatekeeper(playbook, gatekeeper.pool)
        self._brought.move_to_end(key)
        while len(self._brought) > _KEPT:
            self._brought.popitem(last=False)
        return known


def assignments(
    secret: bytes, live: Live, customer_ids: Sequence[str], groups: Sequence[Group], moments: Sequence[float]
) -> list[Assignment]:
    """Where customers stand at their moments. Those of holdout and random_eligible are in nothing."""
    experiments = live.playbook.spec.experiments
    running = [running_at(experiments, at) for at in moments]
    treated = [i for i, group in enumerate(groups) if group == "treatment"]
    ids = [customer_ids[i] for i in treated]
    found = variants_of(secret, ids, experiments, [running[i] for i in treated])
    variants = dict(zip(treated, found, strict=True))
    alone = [i for i in treated if not variants[i]]
    inside = _ramped(secret, live, [customer_ids[i] for i in alone])
    ramps = {i for i, ramp in zip(alone, inside, strict=True) if ramp}
    return [
        Assignment(
            running=tuple(experiment.name for experiment in some),
            variants=variants.get(i, ()),
            ramp=i in ramps,
        )
        for i, some in enumerate(running)
    ]


def _ramped(secret: bytes, live: Live, customer_ids: Sequence[str]) -> Sequence[bool]:
    if live.ramp is None or live.playbook.spec.mode == "apprentice":  # there what is trained looks on
        return [False] * len(customer_ids)
    publication = live.ramp.publication
    return ramped(secret, customer_ids, publication.origin, publication.share)


def branch(live: Live, assignment: Assignment, failed: Failed) -> Live:
    """What serves for the customers of an assignment: their playbook, and who decides for them.

    A policy that can't serve under a variant's changes is told to `failed`, and the playbook's own rules
    decide, as with nothing trained.
    """
    if assignment.ramp and live.ramp is not None:
        return _deciding(live, live.ramp)
    playbook = live.playbook.varied(assignment.variants)
    ours = replace(_chosen(live, playbook, assignment.variants), experiments=dict(assignment.variants))
    return ours if playbook is live.playbook else _fitted(ours, playbook, failed)


def _deciding(live: Live, published: Published, chosen: bool = False) -> Live:
    publication = published.publication
    return replace(
        live,
        policy=published.policy,
        policy_name=publication.name,
        policy_publication=publication,
        fallback=None,
        chosen=chosen,
    )


def _chosen(live: Live, playbook: Playbook, variants: Combination) -> Live:
    """Who decides by the first of the variants that says so; of two layers only one may."""
    experiments = {experiment.name: experiment for experiment in live.playbook.spec.experiments}
    asked = ((e, v, experiments[e].variants[v].policy) for e, v in variants)
    experiment, variant, policy = next((one for one in asked if one[2] != "champion"), ("", "", "champion"))
    match policy:
        case "champion":
            return live
        case "own":
            own = live.trials.get(f"variant.{experiment}.{variant}")
            return live if own is None else _deciding(live, own, chosen=True)
        case "incumbent" | "uniform" | "no_contact":
            name = f"{policy}@0"
            return replace(
                live,
                policy=simple(name, playbook),
                policy_name=name,
                policy_publication=None,
                fallback=None,
                chosen=True,
            )
    named = live.trials.get(policy)
    return replace(live, fallback="refused") if named is None else _deciding(live, named, chosen=True)


def simple(name: str, playbook: Playbook) -> Policy:
    """A policy that needs no artefact, by the name that decisions have: `incumbent@0`, `uniform@0`, or
    `no_contact@0`, arm 0 with the floor."""
    if name == SILENCE:
        return ConstantPolicy.of(playbook, 0)
    return IncumbentPolicy.of(playbook) if name == "incumbent@0" else UniformPolicy.of(playbook)


def _fitted(live: Live, playbook: Playbook, failed: Failed) -> Live:
    """For a variant's playbook."""
    live = replace(live, playbook=playbook)
    if live.fallback == "untrained" and live.policy_name.endswith("@0"):
        live = _bare(live, "untrained")
    else:
        try:
            live = replace(live, policy=refitted(live.policy, playbook))
        except NbaError as error:
            failed(live.policy_name, error)
            live = _bare(live, "refused")
    if live.challenger is not None:
        try:
            live = replace(live, challenger=refitted(live.challenger, playbook))
        except NbaError as error:
            failed(str(live.challenger_name), error)
            live = replace(live, challenger=None, challenger_name=None)
    return live


def _bare(live: Live, fallback: Fallback) -> Live:
    """With the playbook's own rules deciding."""
    bare = untrained(live.playbook)
    return replace(
        live,
        policy=bare.policy,
        policy_name=bare.policy_name,
        policy_publication=None,
        fallback=fallback,
        chosen=False,
    )


def _pool(playbook: Playbook, assignment: Assignment) -> Pool | None:
    """The customers' part of the daily limits while experiments run."""
    if not assignment.running:
        return None
    running = [e for e in playbook.spec.experiments if e.name in assignment.running]
    return pool_of(playbook, running, assignment.variants)
