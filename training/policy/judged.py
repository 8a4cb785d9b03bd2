"""A candidate with the gate's answer: what is registered and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.ope import LoggedBatch
from nba.artefacts import Artefact
from nba.playbook.compile import Playbook
from nba.policies.policy import Policy
from training.policy.crossing import Chosen
from training.policy.gate import Verdict
from training.policy.log import DecisionLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """What serves now, and the moment up to which it was trained; a fallback was never trained."""

    policy: Policy
    name: str
    trained_through: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A candidate and the gate's answer; what is registered.

    Attributes:
        specification: of the candidate.
        batch: the log that it was judged on, with its odds out of fold as `target`.
        failed: verdicts on other candidates of this training, that were refused before it.
        trained: the decisions that it was fitted on; None leaves fingerprint and importance out.
        regret: per decision, in currency, after each training so far, where a simulated world tells.
    """

    playbook: Playbook
    as_of: float
    champion: Champion
    specification: str
    chosen: Chosen
    artefact: Artefact
    verdict: Verdict
    batch: LoggedBatch
    failed: Sequence[Verdict] = ()
    trained: DecisionLog | None = None
    regret: Sequence[float] = ()
