"""`nba health` says what is out of bounds and what can't be right; `lift` takes a quarantine back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from nba.cli import build
from nba.errors import InvalidInput, NotFound
from nba.record import timestamp
from nba.stores.open import open_store
from tests.service.business import DAY, NOON
from tests.training.health.test_run import WATCHED
from tests.training.policy.shop import by_taste, open_shop, trade
from training import quarantine
from training.health.run import lift
from training.health.wrong_outcomes import wrong_outcomes


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twenty days, of which the last has its purchases turned, and one quarantine."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "playbook.yaml").write_text(WATCHED, encoding="utf-8")
    with closing(open_store(f"sqlite:///{tmp_path / 'nba.db'}", "request")) as store:
        business = open_shop(store=store, text=WATCHED)
        for day in range(20):
            trade(business, 40, by_taste, day=day)
        for day in (20, 21):
            trade(business, 40, lambda *told: -by_taste(*told), day=day)
        first, _ = wrong_outcomes(store, business.live.current.playbook, as_of=NOON + 23 * DAY)
        quarantine.put(store, first, at=NOON + 23 * DAY)
    return tmp_path


def test_health_is_told_and_a_quarantine_is_lifted(shop: Path) -> None:
    asked = ["health", "--as-of", timestamp(NOON + 23 * DAY), "--json", "health.json"]
    done = CliRunner().invoke(build(), asked)
    assert done.exit_code == 0, done.output
    assert "can't be right: purchase on 2025-07-06" in done.output
    assert "under quarantine" in done.output
    told = orjson.loads((shop / "health.json").read_bytes())
    assert {"psi", "missing"} <= {check["name"] for check in told["checks"]}
    (standing,) = told["quarantined"]
    (wrong,) = told["wrong_outcomes"]
    assert standing["end"] == wrong["start"]
    within = timestamp(standing["start"] + 3_600)
    lifted = CliRunner().invoke(build(), ["health", "lift", "purchase", within, "--why", "refunds"])
    assert lifted.exit_code == 0, lifted.output
    with closing(open_store(f"sqlite:///{shop / 'nba.db'}")) as store:
        assert quarantine.in_force(store) == []


def test_what_can_not_be_lifted_is_named(shop: Path) -> None:
    for words, error in (
        (["lift", "purchase", timestamp(NOON), "--why", "refunds"], NotFound),
        (["lift", "purchase", timestamp(NOON)], InvalidInput),
        (["lift", "purchase"], InvalidInput),
        (["drop", "purchase", timestamp(NOON), "--why", "x"], InvalidInput),
    ):
        assert isinstance(CliRunner().invoke(build(), ["health", *words]).exception, error)
    with closing(open_store(f"sqlite:///{shop / 'nba.db'}")) as store:
        assert lift(store, "visit", NOON, at=NOON, who="Ann", why="x") == []
