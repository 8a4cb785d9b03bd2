"""Ridge's coefficients as W: each node of the tree less its parent, so that kin share what they share."""

from __future__ import annotations

import numpy as np

from nba.playbook.arms import ATTRIBUTE, ArmTable
from nba.policies.branches import category_of_action, offset_count
from nba.policies.kin import own_actions
from nba.policies.policy import Floats
from nba.policies.ridge_tree import Coefficients


def stacked(its: Coefficients, arms: ArmTable) -> Floats:
    """Coefficients (…, q) → W, (…, p + 1, d + 1), its rows after the constant named by `arm_features`."""
    silence, offsets = its.actions[..., 0, :], offset_count(arms)
    context = silence.shape[-1] - offsets
    apart = np.concatenate(
        (
            (its.overall - silence)[..., None, :],
            its.categories - its.overall[..., None, :],
            its.actions[..., 1:, :] - its.categories[..., category_of_action(arms), :],
        ),
        axis=-2,
    )
    apart[..., 0, context:] = its.overall[..., context:]  # silence has no channel, timing or attribute
    nodes = apart.shape[-2]
    W = np.zeros((*apart.shape[:-2], 1 + nodes * (1 + offsets), context))
    W[..., 0, :] = silence[..., :context]
    W[..., 1 : 1 + nodes, :] = apart[..., :context]
    W[..., 1 + nodes :, 0] = apart[..., context:].reshape(*apart.shape[:-2], -1)
    return W


def arm_features(arms: ArmTable) -> tuple[str, ...]:
    """(p,) the nodes, their offsets of the level, and the products of both."""
    nodes = [f"category={n}" for n in arms.categories]
    nodes += [f"action={n}" for n in arms.actions[: own_actions(arms)]]
    offsets = [f"channel={n}" for n in arms.channels] + [f"timing={n}" for n in arms.timings]
    offsets += [name for name in arms.feature_names if name.startswith(ATTRIBUTE)]
    products = [f"{node}&{offset}" for node in nodes for offset in offsets]
    return ("contact", *nodes, *offsets, *products)
