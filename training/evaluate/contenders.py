"""The policies that an evaluation compares, by the names that a person uses for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.artefacts import Artefacts
from nba.errors import InvalidInput
from nba.playbook.compile import Playbook
from nba.policies.artefact import unseal
from nba.policies.policy import Policy
from nba.policies.served import IncumbentPolicy, UniformPolicy
from nba.promotion import named
from nba.stores.ports import Store
from training.policy.champion import serving_champion
from training.policy.log import DecisionLog

Floats = NDArray[np.float64]
NEVER = float("-inf")  # the training cut of what was never trained
SIMPLE = ("incumbent", "uniform", "no_contact", "logging")
KNOWN = ("champion", "challenger", "ramp", *SIMPLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A policy to be valued.

    Attributes:
        name: as it was asked for.
        policy: as decisions name it, `linear@7`; the name itself for what is no published policy.
        trained_through: the last decision it was trained on, epoch seconds.
        odds: a log → (n, k) odds of its arms.
    """

    name: str
    policy: str
    trained_through: float
    odds: Callable[[DecisionLog], Floats]


def usual(playbook: Playbook) -> tuple[str, ...]:
    """Those that are compared where nobody says which."""
    rules = ("incumbent",) if playbook.incumbent_rules else ()
    return ("champion", *rules, "uniform", "no_contact")


def contenders(
    names: Sequence[str], store: Store, artefacts: Artefacts, playbook: Playbook
) -> tuple[Contender, ...]:
    """Each name once, in the order given.

    Raises:
        InvalidInput: there is no such policy, or the playbook has no incumbent.
        CallOperator, NotFound: a published policy can't be read, or doesn't fit the playbook.
    """
    return tuple(_contender(name, store, artefacts, playbook) for name in dict.fromkeys(names))


def _contender(name: str, store: Store, artefacts: Artefacts, playbook: Playbook) -> Contender:
    if name in SIMPLE:
        return Contender(name=name, policy=name, trained_through=NEVER, odds=_simple(name, playbook))
    if name == "champion":  # also where the fallback serves, which was never published
        champion = serving_champion(store, artefacts, playbook)
        return Contender(
            name=name,
            policy=champion.name,
            trained_through=champion.trained_through,
            odds=_choosing(champion.policy),
        )
    publication = named(store, name)
    artefact = artefacts.read(publication.version)
    through = artefact.manifest.data_to
    return Contender(
        name=name,
        policy=publication.name,
        trained_through=NEVER if through is None else through,
        odds=_choosing(unseal(artefact, playbook)),
    )


def _simple(name: str, playbook: Playbook) -> Callable[[DecisionLog], Floats]:
    if name == "logging":
        return lambda log: log.odds
    if name == "no_contact":
        return _silence
    if name == "uniform":
        return _choosing(UniformPolicy.of(playbook))
    if not playbook.incumbent_rules:
        raise InvalidInput.of("policy", "the playbook has no incumbent rules; leave incumbent out")
    return _choosing(IncumbentPolicy.of(playbook))


def _silence(log: DecisionLog) -> Floats:
    """No contact at all, without the floor that whatever serves would keep."""
    odds = np.zeros(log.eligible.shape)
    odds[:, 0] = 1.0
    return odds


def _choosing(policy: Policy) -> Callable[[DecisionLog], Floats]:
    def odds(log: DecisionLog) -> Floats:
        under = policy if log.playbook is None else policy.under(log.playbook)
        return under.choose(log.features, log.eligible).odds

    return odds
