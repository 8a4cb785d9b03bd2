"""Arms that come with a request: scored by the same W, learned from, and no arms of the playbook."""

from __future__ import annotations

import numpy as np
import pytest

from nba.errors import InvalidInput
from nba.model import BroughtAction
from nba.playbook.catalogue import bring
from nba.playbook.compile import Playbook
from nba.policies.artefact import made_up_contexts
from nba.policies.batch import TrainingBatch, extended
from nba.policies.learners import LEARNERS
from nba.policies.policy import Floats
from nba.policies.ridge import RidgeSums, Shrinkage
from nba.policies.served import LearnedModel
from tests.policies.shop import BROUGHT, TEXT, shop
from tests.policies.world import World

CATALOGUE = shop(text=TEXT + "catalogue: {category: offer, channels: [email], attributes: {price: 10.0}}\n")


@pytest.mark.parametrize("name", ["ridge", "vowpal"])
@pytest.mark.parametrize("heads", [False, True])
def test_arms_that_come_later_score_what_they_would_compiled(
    name: str,
    heads: bool,
    playbook: Playbook,
    models: dict[str, LearnedModel],
    headed: dict[str, LearnedModel],
    world: World,
) -> None:
    arms = bring(playbook, BROUGHT).arms
    model = headed[name] if heads else models[name]
    brought, compiled = model.under(arms), model.recompiled(arms)
    assert brought.arms is arms
    assert brought.scores(world.features) == pytest.approx(compiled.scores(world.features), abs=1e-9)
    own = brought.scores(world.features)[:, : len(playbook.arms)]
    assert np.array_equal(own, model.scores(world.features))
    arm = np.arange(len(world.features)) % len(arms)
    assert brought.contributions(world.features, arm) == pytest.approx(
        compiled.contributions(world.features, arm), abs=1e-9
    )
    if heads:
        assert brought.head_scores(world.features) == pytest.approx(
            compiled.head_scores(world.features), abs=1e-9
        )


@pytest.mark.parametrize("name", ["ridge", "vowpal", "boosted"])
def test_a_model_is_brought_anew_for_each_request(
    name: str, playbook: Playbook, models: dict[str, LearnedModel], world: World
) -> None:
    first, second = bring(playbook, BROUGHT[:1]).arms, bring(playbook, BROUGHT[1:]).arms
    model = models[name]
    again = model.under(first).under(second) if name != "boosted" else model.under(second)
    assert np.array_equal(again.scores(world.features), model.under(second).scores(world.features))


def test_a_boosted_model_scores_a_brought_arm_by_its_columns(
    playbook: Playbook, models: dict[str, LearnedModel], world: World
) -> None:
    arms = bring(playbook, BROUGHT).arms
    scores = models["boosted"].under(arms).scores(world.features)
    assert np.array_equal(scores[:, : len(playbook.arms)], models["boosted"].scores(world.features))
    assert np.isfinite(scores).all()


def test_drawn_arms_of_many_tables_stand_once_each_after_the_playbooks() -> None:
    base = CATALOGUE.arms
    cheap, dear = (
        bring(CATALOGUE, (BroughtAction(id="mug", features=(("price", price),)),)).arms
        for price in (2.0, 9.0)
    )
    both = bring(CATALOGUE, (BroughtAction(id="cup"), BroughtAction(id="mug", features=(("price", 2.0),))))
    mug = both.arms.index["mug/email/now"]
    last = len(base)
    table, arm = extended(
        base, [(base, 3), (cheap, last), (dear, last), (both.arms, mug), (cheap, 0), (dear, last + 1)]
    )
    assert arm.tolist() == [3, last, last + 1, last, 0, last + 2]
    assert len(table) == last + 3
    assert table.actions == (*base.actions, "mug")
    assert np.array_equal(table.features[:last], base.features)
    price = table.feature_names.index("attribute=price")
    assert table.features[last:, price].tolist() == [0.2, 0.9, 0.9]
    assert table.timing[last:].tolist() == [0, 0, 1]
    assert table.name(last) == "mug/email/now"


def test_without_brought_arms_the_table_is_the_playbooks_own() -> None:
    table, arm = extended(CATALOGUE.arms, [(CATALOGUE.arms, 2)])
    assert table is CATALOGUE.arms
    assert arm.tolist() == [2]


def test_a_table_of_another_playbook_is_refused() -> None:
    with pytest.raises(InvalidInput, match="another playbook"):
        extended(CATALOGUE.arms, [(shop().arms, 1)])


def test_a_batch_over_arms_that_are_not_the_playbooks_is_refused(playbook: Playbook) -> None:
    def batch(arm: int) -> TrainingBatch:
        rows = {"arm": np.array([0, arm]), "reward": np.zeros(2), "propensity": np.ones(2)}
        return TrainingBatch(features=np.zeros((2, len(playbook.schema))), arms=CATALOGUE.arms, **rows)

    with pytest.raises(InvalidInput, match=r"arm\[1\]: must be an index into the arm table"):
        batch(40)
    other = batch(1)
    with pytest.raises(InvalidInput, match="another playbook"):
        LEARNERS["ridge"].fit(playbook, other, seed=0)


def brought_log(n: int, seed: int) -> TrainingBatch:
    """Half the decisions are on brought actions, worth 2 less a fifth of their price; the others on the
    playbook's own, which are worth nothing."""
    rng = np.random.default_rng(seed)
    rows = []
    for price in rng.uniform(0, 20, n // 2).round(1):
        arms = bring(CATALOGUE, (BroughtAction(id="mug", features=(("price", float(price)),)),)).arms
        rows.append((arms, int(rng.integers(len(CATALOGUE.arms), len(arms)))))
    rows += [(CATALOGUE.arms, int(arm)) for arm in rng.integers(0, len(CATALOGUE.arms), n - n // 2)]
    table, arm = extended(CATALOGUE.arms, rows)
    price = 10.0 * table.features[:, table.feature_names.index("attribute=price")]
    worth = np.where(np.arange(len(table)) >= len(CATALOGUE.arms), 2.0 - 0.2 * price, 0.0)
    X = made_up_contexts(CATALOGUE.schema, 64)[rng.integers(64, size=n)]
    reward = worth[arm] + 0.5 * rng.normal(size=n)
    return TrainingBatch(features=X, arm=arm, reward=reward, propensity=np.full(n, 0.1), arms=table)


@pytest.mark.parametrize("name", LEARNERS)
def test_what_brought_arms_taught_holds_for_others_and_the_model_is_for_the_playbooks(name: str) -> None:
    """3,000 decisions, seed 0, prices of 1 and 19; the answer is fixed."""
    settings = {"vowpal": {"passes": 10, "rate": 0.1}}.get(name, {})
    model = LEARNERS[name].fit(CATALOGUE, brought_log(3_000, seed=0), 0, settings)
    assert model.arms is CATALOGUE.arms
    assert 0.3 < model.sigma < 1.0
    X = made_up_contexts(CATALOGUE.schema, 64)
    others = tuple(BroughtAction(id=f"new-{p}", features=(("price", p),)) for p in (1.0, 19.0))
    arms = bring(CATALOGUE, others).arms
    scores = model.under(arms).scores(X).mean(axis=0)
    cheap, dear = (scores[arms.index[f"new-{p}/email/now"]] for p in (1.0, 19.0))
    assert cheap > 0.7  # 1.8 in truth
    assert dear < -0.7  # -1.8 in truth


def test_a_brought_action_speaks_for_its_category_and_one_of_no_category_for_all(world: World) -> None:
    """The sums of a brought arm are those of its category's branch, or of the last."""
    batch = brought_log(400, seed=1)
    assert batch.arms is not None
    sums = RidgeSums.of(batch.features[:, :2] * 0.0, batch.arm, batch.reward, batch.arms)
    brought = batch.arm >= len(CATALOGUE.arms)
    m, offer = len(CATALOGUE.arms.actions), CATALOGUE.arms.categories.index("offer")
    assert sums.count[1 + m + offer] == brought.sum()
    assert sums.count.sum() == 400
    plain = shop()
    table, arm = extended(plain.arms, [(bring(plain, BROUGHT).arms, len(plain.arms))] * 5)
    assert RidgeSums.of(np.zeros((5, 2)), arm, np.ones(5), table).count[-1] == 5


def test_categories_learn_their_level_from_brought_arms_alone() -> None:
    """Rewards of 5 on brought offers are scored 5 there; those of silence stay 0."""
    batch = brought_log(400, seed=2)
    assert batch.arms is not None
    encoded = np.zeros((400, 1))
    reward: Floats = np.where(batch.arm >= len(CATALOGUE.arms), 5.0, 0.0)
    fit = RidgeSums.of(encoded, batch.arm, reward, batch.arms).solve(
        Shrinkage(category=1.0, action=1.0, level=0.1)
    )
    assert fit.sigma < 0.6
