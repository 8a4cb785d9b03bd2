"""What single estimators are at the ends of their hyperparameters, MIPS, plug-ins and the diagnostics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.ope import LoggedBatch, diagnostics, estimate
from experiments.ope.embeddings import EMBEDDINGS
from nba.playbook.compile import parse
from tests.service.business import OPEN


@pytest.mark.parametrize(
    ("name", "hyper", "same_as"),
    [
        ("ips", {"clip": np.inf}, "ips"),
        ("sg-ips", {"shrinkage": 0.0}, "ips"),
        ("clipped-ips", {"clip": np.inf}, "ips"),
        ("clipped-snips", {"clip": np.inf}, "snips"),
        ("pseudo-inverse", {"slots": 1}, "ips"),
        ("dr", {"clip": 0.0}, "dm"),
        ("switch-dr", {"threshold": 0.0}, "dm"),
        ("switch-dr", {"threshold": np.inf}, "dr"),
        ("dr-os", {"shrinkage": 0.0}, "dm"),
        ("dr-os", {"shrinkage": np.inf}, "dr"),
        ("sg-dr", {"shrinkage": 0.0}, "dr"),
    ],
)
def test_the_ends_of_a_hyperparameter_are_other_estimators(
    batch: LoggedBatch, name: str, hyper: dict[str, float], same_as: str
) -> None:
    one, other = estimate(name, batch, **hyper), estimate(same_as, batch)
    assert (one.value, one.stderr) == pytest.approx((other.value, other.stderr), rel=1e-12)


def test_a_model_of_zeros_turns_dr_into_ips_and_sndr_into_snips(batch: LoggedBatch) -> None:
    empty = replace(batch, q_hat=np.zeros((300, 6)))
    assert estimate("dr", empty) == estimate("ips", batch)
    assert estimate("sndr", empty) == estimate("snips", batch)


def test_ips_is_the_mean_and_standard_error_of_the_weighted_rewards(batch: LoggedBatch) -> None:
    rows = batch.weight * batch.reward
    alone = estimate("ips", replace(batch, customer=None))
    assert alone.value == pytest.approx(rows.mean())
    assert alone.stderr == pytest.approx(rows.std(ddof=1) / np.sqrt(300))
    sums = (rows - rows.mean()).reshape(60, 5).sum(axis=1)
    assert estimate("ips", batch).stderr == pytest.approx(np.sqrt((sums @ sums) * 60 / 59) / 300)


def test_snips_never_leaves_the_range_of_the_reward() -> None:
    rng = np.random.default_rng(3)
    for _ in range(100):
        batch = LoggedBatch(
            reward=rng.uniform(2, 3, 30),
            arm=rng.integers(0, 2, 30),
            propensity=rng.uniform(0.05, 1, 30),
            target=np.tile([0.3, 0.7], (30, 1)),
            bounds=(2.0, 3.0),
        )
        assert 2 <= estimate("snips", batch).value <= 3


@pytest.mark.parametrize("categories", ["arms", "rows"])
@pytest.mark.parametrize("with_logging", [True, False])
def test_mips_with_a_category_for_each_arm_is_ips(
    batch: LoggedBatch, categories: str, with_logging: bool
) -> None:
    embedding = np.array(list("fedcba")) if categories == "arms" else batch.arm
    same = replace(batch, embedding=embedding, logging=batch.logging if with_logging else None)
    one, other = estimate("mips", same), estimate("ips", batch)
    assert (one.value, one.stderr) == pytest.approx((other.value, other.stderr), rel=1e-12)


def test_mips_with_one_category_is_the_mean_reward(batch: LoggedBatch) -> None:
    assert estimate("mips", replace(batch, embedding=np.zeros(6))).value == pytest.approx(batch.reward.mean())


def test_mips_is_much_narrower_than_ips_where_many_arms_look_alike() -> None:
    """Seed 4, 2,000 rows: 40 arms in two categories, the target always picks one of them."""
    rng = np.random.default_rng(4)
    arm = rng.integers(0, 40, 2_000)
    batch = LoggedBatch(
        reward=(rng.random(2_000) < 0.2 + 0.4 * (arm % 2)).astype(float),
        arm=arm,
        propensity=np.full(2_000, 1 / 40),
        target=np.tile(np.eye(40)[3], (2_000, 1)),
        embedding=np.arange(40) % 2,
    )
    alike = estimate("mips", batch)
    assert alike.stderr < 0.25 * estimate("ips", batch).stderr
    assert alike.low < 0.6 < alike.high


def test_mips_with_all_logging_odds_holds_where_an_arm_was_not_always_eligible() -> None:
    """Seed 5, 200,000 rows. The truth lies 7 standard errors from what MIPS would say without the odds."""
    rng = np.random.default_rng(5)
    refused = rng.random(200_000) < 0.5
    logging = np.where(refused[:, None], [0.0, 0.5, 0.5], [0.4, 0.4, 0.2])
    target = np.where(refused[:, None], [0.0, 0.9, 0.1], [0.6, 0.3, 0.1])
    mean = np.array([0.3, 0.3, 0.6])
    arm = (logging.cumsum(axis=1) > rng.random((200_000, 1))).argmax(axis=1)
    batch = LoggedBatch(
        reward=rng.random(200_000) < mean[arm],
        arm=arm,
        propensity=logging[np.arange(200_000), arm],
        target=target,
        embedding=np.array(["plain", "plain", "fancy"]),
        logging=logging,
    )
    truth = float((target @ mean).mean())
    found = estimate("mips", batch)
    assert abs(found.value - truth) < 5 * found.stderr
    assert abs(estimate("mips", replace(batch, logging=None)).value - truth) > 7 * found.stderr


def test_joint_arms_are_alike_by_action_or_by_action_and_channel() -> None:
    arms = parse(OPEN).arms
    assert arms.names == (
        "no_contact",
        *(f"offer/{channel}/{timing}" for channel in ("email", "push") for timing in ("now", "evening")),
        "news/email/now",
    )
    alike = {name: np.unique(make(arms), axis=0, return_inverse=True)[1] for name, make in EMBEDDINGS.items()}
    assert alike["action"].reshape(-1).tolist() == [0, 1, 1, 1, 1, 2]
    assert alike["action+channel"].reshape(-1).tolist() == [0, 1, 1, 2, 2, 3]


def test_an_estimator_of_another_package_plugs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: LoggedBatch
) -> None:
    (tmp_path / "theirs.py").write_text(
        "from experiments.ope import Terms\n"
        "def halved(batch, *, by=2.0):\n"
        "    return Terms(plain=batch.weight * batch.reward / by, weight=batch.weight)\n"
    )
    installed = tmp_path / "theirs-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[nba.estimators]\nhalved-ips = theirs:halved\n")
    monkeypatch.syspath_prepend(tmp_path)
    ips = estimate("ips", batch).value
    assert estimate("halved-ips", batch).value == pytest.approx(ips / 2)
    assert estimate("halved-ips", batch, by=4.0).value == pytest.approx(ips / 4)


def test_diagnostics_show_overlap_support_and_calibration(world: Any) -> None:
    """Seed 6, 20,000 rows: mean weight and calibration are 1 within five standard errors."""
    batch = world.log(np.random.default_rng(6), 20_000)
    found = diagnostics(batch)
    w = batch.weight
    assert found.effective_n == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert (found.n, found.customers, found.max_weight) == (20_000, 20_000, w.max())
    assert found.mean_weight == pytest.approx(1, abs=5 * w.std() / np.sqrt(20_000))
    assert found.calibration == pytest.approx(np.ones(6), abs=0.15)
    assert (found.zero_share, found.unsupported, found.unsupported_share) == (0, (), 0)
    assert 1000 < found.n_psi < 20_000
    lied = diagnostics(replace(batch, propensity=batch.propensity / 2))
    assert lied.calibration == pytest.approx(2 * found.calibration)


def test_diagnostics_name_the_arms_that_the_log_never_shows(batch: LoggedBatch) -> None:
    target = np.zeros((300, 8))
    target[:, 7] = 0.25
    target[:, 0] = 0.75
    found = diagnostics(replace(batch, target=target, q_hat=None, embedding=None, logging=None))
    assert found.unsupported == (7,)
    assert found.unsupported_share == pytest.approx(0.25)
    assert found.zero_share == pytest.approx((batch.arm != 0).mean())
    assert found.customers == 60
