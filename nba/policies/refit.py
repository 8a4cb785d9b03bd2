"""A policy for a playbook that has the same arms and features and other rules, costs, levers or exploration:
what an experiment's variant makes of the playbook."""

from __future__ import annotations

from nba.playbook.compile import Playbook
from nba.policies.mixture import MixturePolicy
from nba.policies.policy import Policy
from nba.policies.served import ConstantPolicy, IncumbentPolicy, ServedPolicy, UniformPolicy


def refitted(policy: Policy, playbook: Playbook) -> Policy:
    """The same bits as its artefact gives when it is read under that playbook.

    Raises:
        SchemaMismatch: the playbook asks for draws that the model has not.
    """
    match policy:
        case ServedPolicy(model=model):
            again = model.recompiled(playbook.arms)
            return ServedPolicy.of(again, playbook.spec.exploration, playbook.arms.lever)
        case ConstantPolicy(arm=arm):
            return ConstantPolicy.of(playbook, arm)
        case UniformPolicy():
            return UniformPolicy.of(playbook)
        case IncumbentPolicy():
            return IncumbentPolicy.of(playbook)
        case MixturePolicy(components=components, weights=weights):
            return MixturePolicy.of(playbook, [refitted(part, playbook) for part in components], weights)
        case _:
            return policy.under(playbook)
