"""Rewards over all history: another definition, arms that are no more, and misspelt types."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from nba.cli import build
from nba.errors import InvalidInput, NotEnoughData
from nba.playbook.compile import parse
from nba.stores.open import open_store
from tests.service.business import DAY, NOON, consents, event, outcome
from tests.training.policy.shop import TEXT, Business, by_taste, open_shop, trade
from training.rewards.misspelt import misspelt
from training.rewards.recompute import kinds, moved, overlapping, recompute

WEEK = 7 * DAY
SOBER = TEXT.replace("{value: amount}", "{value: amount, cap: 5}")


def shop(customers: int = 300) -> tuple[Business, float]:
    """A week's trade of which all is mature at the moment given."""
    business = open_shop()
    return business, trade(business, customers, by_taste) + WEEK


def test_each_decision_has_a_row_and_no_row_names_a_customer() -> None:
    business, as_of = shop()
    found = recompute(business.store, parse(TEXT), as_of=as_of)
    assert found.frame.height == 300
    assert found.frame["decision_id"].n_unique() == 300
    assert found.frame["mature"].all()
    assert (found.frame["reward"] == found.frame["expected"]).all()
    assert set(found.frame["reward_version"]) == {found.version}
    names = set(business.store.links()) | set(business.store.links().values())
    for column in found.frame.select(pl.col(pl.String)):
        assert not names & set(column)


def test_a_new_definition_moves_the_rewards_of_old_decisions() -> None:
    business, as_of = shop()
    before = recompute(business.store, parse(TEXT), as_of=as_of)
    after = recompute(business.store, parse(SOBER), as_of=as_of)
    change = moved(before, after)
    assert before.version != after.version
    assert change.decisions == 300
    assert change.after < change.before
    assert isinstance(change.correlation, float)
    assert 0 < change.correlation < 1
    assert moved(before, before).changed == 0.0


def test_decisions_on_an_action_that_is_no_more_keep_their_reward_and_their_cost() -> None:
    business, as_of = shop()
    without = TEXT.replace("  news: {channels: [email], timings: [now]}\n", "")
    before = recompute(business.store, parse(TEXT), as_of=as_of)
    after = recompute(business.store, parse(without), as_of=as_of)
    assert "news/email/now" in set(after.frame["arm"])
    assert after.frame["reward"].to_list() == before.frame["reward"].to_list()


def test_new_costs_are_taken_off_old_contacts() -> None:
    business, as_of = shop()
    dear = TEXT.replace("cost: 0.5", "cost: 1.5")
    before = recompute(business.store, parse(TEXT), as_of=as_of).frame
    after = recompute(business.store, parse(dear), as_of=as_of).frame
    less = (before["reward"] - after["reward"]).to_numpy()
    assert less == pytest.approx((before["arm"] == "news/email/now").to_numpy().astype(float))


def test_what_is_not_mature_has_no_reward_and_no_expectation_before_there_is_a_model() -> None:
    business = open_shop()
    as_of = trade(business, 40, by_taste)
    found = recompute(business.store, parse(TEXT), as_of=as_of)
    assert found.frame["reward"].null_count() == found.frame["expected"].null_count() == 40
    assert isinstance(found.untold, NotEnoughData)
    assert [kind.reward for kind in kinds(found)] == [None, None]
    with pytest.raises(NotEnoughData, match="mature under both"):
        moved(found, found)


def test_windows_with_another_contact_are_counted() -> None:
    business = open_shop()
    trade(business, 200, by_taste)
    as_of = trade(business, 200, by_taste, day=1)
    found = recompute(business.store, parse(TEXT), as_of=as_of)
    frame = found.frame.with_columns(customer=pl.col("decision_id").str.split(".").list.first())
    contact = frame.filter(pl.col("arm") != "no_contact", pl.col("decision_id").str.ends_with(".1"))
    first = frame.filter(pl.col("decision_id").str.ends_with(".0"))
    meets = first["customer"].is_in(contact["customer"].implode())
    assert first["overlaps"].to_list() == meets.cast(pl.Int64).to_list()
    assert overlapping(found) == pytest.approx(meets.sum() / 400)


def test_a_type_that_looks_like_an_objective_is_told_with_the_nearest_name() -> None:
    spec = parse(TEXT).spec
    found = misspelt(
        spec, {"purchsae": 3, "Purchase": 7, "visit": 9, "purchase": 5, "consent": 2, "weather": 1}
    )
    assert [(m.type, m.count, m.near) for m in found] == [
        ("Purchase", 7, "purchase"),
        ("purchsae", 3, "purchase"),
    ]
    assert "'purchase' meant" in str(found[0])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store on disk with two weeks of trade, its playbook, and another definition."""
    business = open_shop(open_store(f"sqlite:///{tmp_path / 'nba.db'}", "request"))
    trade(business, 120, by_taste)
    business.report(consents("x"), event("c1", "purchsae", NOON + DAY))
    business.report(outcome("purchase", NOON + 8 * DAY, customer_id="c2", value=4.0))
    trade(business, 120, by_taste, day=9)
    business.store.close()
    (tmp_path / "playbook.yaml").write_text(TEXT)
    (tmp_path / "old.yaml").write_text(SOBER)
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    places = ("--store", f"sqlite:///{folder / 'nba.db'}", "--playbook", str(folder / "playbook.yaml"))
    result = CliRunner().invoke(build(), [*arguments, *places], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_writes_rewards_and_tells_what_moved(folder: Path) -> None:
    out, told = folder / "rewards.parquet", folder / "rewards.json"
    options = ("--as-of", "2025-06-26T12:00:00Z", "--against", str(folder / "old.yaml"), "--json", str(told))
    text = run(folder, "rewards", str(out), *options)
    assert "'purchsae'" in text
    assert "mature under both" in text
    frame, figures = pl.read_parquet(out), json.loads(told.read_text())
    assert frame.height == figures["decisions"] == 240
    assert frame["mature"].sum() == figures["mature"] == 120
    assert figures["against"]["decisions"] == 120
    assert [kind["decisions"] for kind in figures["kinds"]] == [
        (frame["arm"] == "no_contact").sum(),
        (frame["arm"] != "no_contact").sum(),
    ]
    assert frame["expected"].null_count() == 0


def test_on_the_request_clock_a_moment_is_needed(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="as-of"):
        run(folder, "rewards", str(folder / "out.parquet"))
    with pytest.raises(InvalidInput, match="can't be written"):
        run(folder, "rewards", str(folder / "nowhere" / "out.parquet"))


@pytest.mark.parametrize("model", ["last-touch", "linear", "time-decay"])
def test_attribution_adds_up_by_action_channel_and_timing(folder: Path, model: str) -> None:
    told = folder / "attribution.json"
    options = ("--as-of", "2025-06-26T12:00:00Z", "--model", model, "--half-life", "36h", "--json", str(told))
    text = run(folder, "journey", "attribution", *options)
    assert "no measure of effect" in text
    figures = json.loads(told.read_text())
    assert figures["total_millionths"] > 0
    for by in ("action", "channel", "timing"):
        assert sum(line["worth_millionths"] for line in figures[f"by_{by}"]) == figures["total_millionths"]
        assert figures[f"by_{by}"][-1][by] == "organic"


def test_contacts_that_were_not_sent_get_no_credit(folder: Path) -> None:
    def contacts() -> int:
        told = folder / "attribution.json"
        run(folder, "journey", "attribution", "--as-of", "2025-06-26T12:00:00Z", "--json", str(told))
        return sum(line["contacts"] for line in json.loads(told.read_text())["by_action"])

    before = contacts()
    business = open_shop(open_store(f"sqlite:///{folder / 'nba.db'}", "request"))
    shown = [row for rows in business.store.decisions(0.0, 1e12) for row in rows if row.channel]
    business.report(outcome("not_sent", NOON + 9.1 * DAY, decision_id=shown[-1].decision_id))
    business.store.close()
    assert contacts() == before - 1


def test_a_half_life_that_is_no_duration_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="half-life"):
        run(folder, "journey", "attribution", "--as-of", "2025-06-26T12:00:00Z", "--half-life", "soon")
