"""A boosted reward model: context-only trees, then trees over context and arm for what those leave.

One model over everything (an S-learner) spends its splits on the customer, who explains far more of the
reward than the arm does, and misses the differences between arms, which is all that choosing needs. So
the reward is centred first (as in Nie & Wager 2021, the R-learner): m(x) is predicted without the arm,
out of fold, and the second model sees r − m(x) alone. score(x, a) = m(x) + τ(x, a).

No T-learner, one model an arm: with fifty arms most would have too few decisions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nba.errors import SchemaMismatch
from nba.playbook.arms import ATTRIBUTE, ArmTable
from nba.policies.batch import TrainingBatch
from nba.policies.kin import action_of, category_of
from nba.policies.policy import Floats, Ints
from nba.policies.thompson import NO_HEADS
from nba.trees import Trees, regressor

_CELLS = 4_000_000  # numbers in the table of rows × arms that is predicted at a time
_CODES = 4  # action, category, channel, timing


@dataclass(frozen=True, slots=True, kw_only=True)
class BoostedSettings:
    """Of both models; `leaf` is the fewest decisions in a leaf."""

    trees: int = 150
    rate: float = 0.05
    leaves: int = 15
    leaf: int = 50
    l2: float = 10.0
    folds: int = 2
    threads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoostedModel:
    """Expected reward, in currency. For the arm table it was trained on, and arms that come with a request.

    Attributes:
        base: m, over the features.
        effect: τ, over the features and `arm_columns`.
        columns: (k, c) the columns of each arm.
        sigma, resolution: as in `LinearModel`.
    """

    base: Trees
    effect: Trees
    columns: Floats
    arms: ArmTable
    sigma: float
    resolution: float
    specification: str = "boosted"

    def scores(self, features: Floats) -> Floats:
        """(n, F) → (n, k)."""
        (n, width), k = features.shape, len(self.columns)
        scores = np.empty((n, k))
        step = max(_CELLS // (k * (width + self.columns.shape[1])), 1)
        for start in range(0, n, step):
            rows = features[start : start + step]
            table = np.hstack((np.repeat(rows, k, axis=0), np.tile(self.columns, (len(rows), 1))))
            effect = self.effect.predict(table).reshape(len(rows), k)
            scores[start : start + step] = self.base.predict(rows)[:, None] + effect
        return scores

    def contributions(self, features: Floats, arm: Ints) -> Floats:
        """(n, F), (n,) → (n, F): SHAP values of the features; not the arm's own columns or the level."""
        F = features.shape[1]
        effect = self.effect.contributions(np.hstack((features, self.columns[arm])))
        return self.base.contributions(features)[:, :F] + effect[:, :F]

    @property
    def head_count(self) -> int:
        """None: bagging all trees would take as many trainings as heads."""
        return 0

    def head_scores(self, features: Floats) -> Floats:
        """Raises SchemaMismatch."""
        raise SchemaMismatch(f"this boosted model {NO_HEADS}")

    def under(self, arms: ArmTable) -> BoostedModel:
        """For a table that has further arms after its own."""
        further = arm_columns(arms)[len(self.columns) :]
        return replace(self, arms=arms, columns=np.vstack((self.columns, further)))

    def recompiled(self, arms: ArmTable) -> BoostedModel:
        """Itself, where nothing changed. Raises SchemaMismatch."""
        if arms.names != self.arms.names or not np.array_equal(arm_columns(arms), self.columns):
            raise SchemaMismatch("a boosted model can't score arms it wasn't trained on; train again")
        return self


def arm_columns(arms: ArmTable) -> Floats:
    """(k, 4 + q): codes of action, category, channel, timing (none is 0), then the q attributes.

    An action that came with a request has no code, NaN: a split on actions tells it from the playbook's.
    """
    action = np.where((arms.action >= 0) & (action_of(arms) < 0), np.nan, arms.action)
    codes = np.column_stack((action, category_of(arms), arms.channel, arms.timing)) + 1.0
    attributes = [i for i, name in enumerate(arms.feature_names) if name.startswith(ATTRIBUTE)]
    return np.hstack((codes, arms.features[:, attributes]))


def fit(
    batch: TrainingBatch,
    arms: ArmTable,
    categories: list[int],
    seed: int,
    settings: BoostedSettings,
    *,
    halves: bool,
) -> list[BoostedModel]:
    """The model for `arms`, and with `halves` two of half the decisions each, which share its m and tell
    how sure τ is.

    m is fitted out of fold, then τ on what it leaves. `categories` are the category columns of the features.
    """
    X, columns, weight = batch.features, arm_columns(batch.arms or arms), batch.weights
    fold = np.random.default_rng(seed).permutation(len(X)) % settings.folds
    centre = np.empty(len(X))
    for f in range(settings.folds):
        inside = fold != f
        model = _fit(X[inside], batch.reward[inside], weight[inside], categories, seed, settings)
        centre[~inside] = model.predict(X[~inside])
    table = np.hstack((X, columns[batch.arm]))
    codes = [*categories, *range(X.shape[1], X.shape[1] + _CODES)]
    left = batch.reward - centre
    effect = _fit(table, left, weight, codes, seed, settings)
    parts = [fold % 2 == 0, fold % 2 == 1] if halves else []
    effects = [_fit(table[h], left[h], weight[h], codes, seed, settings) for h in parts]
    boosted = BoostedModel(
        base=_fit(X, batch.reward, weight, categories, seed, settings),
        effect=effect,
        columns=arm_columns(arms),
        arms=arms,
        sigma=float(np.sqrt(np.average((left - effect.predict(table)) ** 2, weights=weight))),
        resolution=0.0,
    )
    return [boosted, *(replace(boosted, effect=half) for half in effects)]


def _fit(
    X: Floats, y: Floats, weight: Floats, categories: list[int], seed: int, settings: BoostedSettings
) -> Trees:
    model = regressor(
        n_estimators=settings.trees,
        learning_rate=settings.rate,
        num_leaves=settings.leaves,
        min_child_samples=settings.leaf,
        reg_lambda=settings.l2,
        random_state=seed,
        n_jobs=settings.threads,
    )
    model.fit(X, y, sample_weight=weight, categorical_feature=categories)
    return Trees(model.booster_.model_to_string())
