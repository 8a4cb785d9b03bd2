"""What serves, as one consistent value, and what publications make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from nba.journey.scores import ScoreModels
from nba.journey.segments import SegmentModel
from nba.playbook.compile import Playbook
from nba.policies.policy import Policy
from nba.policies.served import IncumbentPolicy, UniformPolicy, fallback
from nba.stores.ports import Publication

Fallback = Literal["untrained", "refused"]


@dataclass(frozen=True, kw_only=True)
class Published:
    """A policy that decides for some customers, and its publication."""

    policy: Policy
    publication: Publication


@dataclass(frozen=True, kw_only=True)
class Live:
    """One consistent set of what serves.

    Attributes:
        policy: the champion, or what serves for want of one; where `branch` has been, what decides for the
            customers that it is for.
        policy_name: as decisions name it, `linear@7`; number 0 is the fallback with nothing trained.
        policy_publication, scores_publication: None where nothing is published.
        trained_through: latest decision the policy was trained on, epoch seconds.
        fallback: why something else than the published champion is `policy`: `untrained`, or `refused`
            where the champion's artefact can't be served; None where it is the champion.
        challenger: a policy that looks on, with its name and publication.
        ramp: decides for a share of treatment customers.
        trials: policies of experiments: by kind, `variant.<experiment>.<variant>`, or by name, `linear@7`.
        experiments: experiment → variant of the customers that this is for.
        chosen: an experiment says that `policy` decides, whatever the playbook's mode.
        segments: who is in which segment; None where none are published, or none that fit the playbook.
        refused: kind → why what is published of it can't be used here, so that the last good one is, or none.
    """

    playbook: Playbook
    policy: Policy
    policy_name: str
    policy_publication: Publication | None
    scores: ScoreModels | None
    scores_publication: Publication | None
    trained_through: float | None
    fallback: Fallback | None = None
    challenger: Policy | None = None
    challenger_name: str | None = None
    challenger_publication: Publication | None = None
    ramp: Published | None = None
    trials: Mapping[str, Published] = field(default_factory=dict)
    experiments: Mapping[str, str] = field(default_factory=dict)
    chosen: bool = False
    segments: SegmentModel | None = None
    segments_publication: Publication | None = None
    refused: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def ladder(self) -> tuple[tuple[str, Policy], ...]:
        """Who decides, and who does where that fails, with their names: champion, incumbent, uniform.

        In `mode: apprentice` the incumbent decides.
        """
        decides = self.chosen or self.playbook.spec.mode == "autopilot"
        own = [(self.policy_name, self.policy)] if decides else []
        rules = [("incumbent@0", IncumbentPolicy.of(self.playbook))] if self.playbook.incumbent_rules else []
        rungs: list[tuple[str, Policy]] = [*own, *rules, ("uniform@0", UniformPolicy.of(self.playbook))]
        return tuple({name: (name, policy) for name, policy in rungs}.values())

    @cached_property
    def watching(self) -> tuple[tuple[str, Policy], ...]:
        """Policies that look on: the challenger, and in `mode: apprentice` what is trained."""
        apprentice = self.playbook.spec.mode == "apprentice" and not self.chosen
        own = apprentice and self.policy_publication is not None
        named: list[tuple[str, Policy]] = [(self.policy_name, self.policy)] if own else []
        if self.challenger is not None and self.challenger_name is not None:
            named.append((self.challenger_name, self.challenger))
        return tuple(named)

    @property
    def decides(self) -> str:
        """The policy that decides where nothing fails, by name."""
        return self.ladder[0][0]

    @cached_property
    def branching(self) -> bool:
        """Whether customers of the treatment group may be served differently."""
        return self.ramp is not None or bool(self.playbook.spec.experiments)

    def under(self, playbook: Playbook) -> Live:
        """The same for a playbook with further arms appended, `nba.playbook.catalogue.bring`."""
        return replace(
            self,
            playbook=playbook,
            policy=self.policy.under(playbook),
            challenger=None if self.challenger is None else self.challenger.under(playbook),
        )


def untrained(playbook: Playbook) -> Live:
    """What serves with nothing trained: the incumbent's rules where there are any, else uniform."""
    policy = fallback(playbook)
    return Live(
        playbook=playbook,
        policy=policy,
        policy_name=f"{policy.specification}@0",
        policy_publication=None,
        scores=None,
        scores_publication=None,
        trained_through=None,
        fallback="untrained",
    )


def trial_kinds(playbook: Playbook) -> tuple[str, ...]:
    """The kinds under which the policies of variants with `policy: own` are published."""
    return tuple(
        f"variant.{experiment.name}.{name}"
        for experiment in playbook.spec.experiments
        for name, variant in experiment.variants.items()
        if variant.policy == "own"
    )


def named_policies(playbook: Playbook) -> tuple[str, ...]:
    """The published policies that variants name, such as `linear@7`."""
    variants = (v for experiment in playbook.spec.experiments for v in experiment.variants.values())
    return tuple(dict.fromkeys(v.policy for v in variants if "@" in v.policy))


def taken_back(publication: Publication) -> bool:
    """Whether from here on nothing of its kind serves."""
    return publication.version == "" or publication.share == 0.0


def without(live: Live, publication: Publication) -> Live:
    """With nothing of the publication's kind; itself where there is nothing."""
    match publication.kind:
        case "policy":
            if live.policy_publication is None and live.fallback == "untrained":
                return live
            bare = untrained(live.playbook)
            return replace(
                live,
                policy=bare.policy,
                policy_name=bare.policy_name,
                policy_publication=None,
                trained_through=None,
                fallback=bare.fallback,
            )
        case "scores":
            return live if live.scores is None else replace(live, scores=None, scores_publication=None)
        case "segments":
            return live if live.segments is None else replace(live, segments=None, segments_publication=None)
        case "challenger":
            if live.challenger is None:
                return live
            return replace(live, challenger=None, challenger_name=None, challenger_publication=None)
        case "ramp":
            return live if live.ramp is None else replace(live, ramp=None)
    if publication.kind not in live.trials:
        return live
    return replace(live, trials={k: one for k, one in live.trials.items() if k != publication.kind})


def republished(live: Live, publication: Publication) -> Live:
    """What is in use already, under another publication."""
    match publication.kind:
        case "policy":
            return replace(live, policy_publication=publication, policy_name=publication.name, fallback=None)
        case "scores":
            return replace(live, scores_publication=publication)
        case "segments":
            return replace(live, segments_publication=publication)
        case "challenger":
            return replace(live, challenger_publication=publication, challenger_name=publication.name)
        case "ramp" if live.ramp is not None:
            return replace(live, ramp=replace(live.ramp, publication=publication))
    one = replace(live.trials[publication.kind], publication=publication)
    return replace(live, trials={**live.trials, publication.kind: one})


def in_use(live: Live) -> list[Publication | None]:
    """All publications that serve in some way."""
    kinds = ("policy", "scores", "segments", "challenger", "ramp", *live.trials)
    return [publication_of(live, kind) for kind in kinds]


def publication_of(live: Live, kind: str) -> Publication | None:
    """The publication of a kind that is in use."""
    match kind:
        case "policy":
            return live.policy_publication
        case "scores":
            return live.scores_publication
        case "segments":
            return live.segments_publication
        case "challenger":
            return live.challenger_publication
        case "ramp":
            return None if live.ramp is None else live.ramp.publication
    return live.trials[kind].publication if kind in live.trials else None
