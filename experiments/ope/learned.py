"""The engine's own learners as what `cross_fitted` fits; for those who have a playbook."""

from __future__ import annotations

import numpy as np

from experiments.ope.batch import Floats, Ints
from experiments.ope.fitted import Fit, Predict
from nba.errors import InvalidInput
from nba.playbook.compile import Playbook
from nba.policies.batch import TrainingBatch
from nba.policies.learners import LEARNERS


def of_learner(name: str, playbook: Playbook, *, seed: int = 0) -> Fit:
    """A learner of `nba/policies/learners.py`; features are the playbook's, arms those of its table.

    Raises:
        InvalidInput: there is no such learner.
    """
    if name not in LEARNERS:
        raise InvalidInput.of("learner", f"there is no learner {name!r}; there are {', '.join(LEARNERS)}")

    def fit(X: Floats, arm: Ints, reward: Floats, arms: int) -> Predict:
        batch = TrainingBatch(features=X, arm=arm, reward=reward, propensity=np.ones(len(arm)))
        return LEARNERS[name].fit(playbook, batch, seed, serves=False).scores

    return fit
