"""Decisions whose arms the playbook of now lacks are counted and told, not passed over in silence."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from nba.cli import build
from nba.errors import InvalidInput
from nba.model import timestamp
from nba.playbook.compile import parse
from nba.stores.open import open_store
from tests.service.business import DAY, NOON, consents
from tests.training.policy.shop import TEXT, by_taste, open_shop, trade
from training.health.report import HealthReport
from training.policy.left_out import LeftOut
from training.policy.log import read_log

RENAMED = TEXT.replace("news: {channels: [email]", "letter: {channels: [email]")
HEALTH = "\nhealth: {rows: 20, window: 1d, reference: 14d}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store whose decisions were made before the action was renamed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    (tmp_path / "playbook.yaml").write_text(RENAMED + HEALTH, encoding="utf-8")
    with closing(open_store(f"sqlite:///{tmp_path}/nba.db", "request")) as store:
        business = open_shop(store)
        for day in (0, 1):
            trade(business, 300, by_taste, day=day)
    return tmp_path


def news(path: Path) -> tuple[int, int]:
    """How many decisions drew the action that was renamed, and how many there are."""
    with closing(open_store(f"sqlite:///{path}/nba.db")) as store:
        drawn = [row.arm for rows in store.draws(0.0, 1e12) for row in rows]
    return drawn.count("news/email/now"), len(drawn)


def test_a_log_counts_the_decisions_that_drew_an_arm_that_is_gone(folder: Path) -> None:
    count, whole = news(folder)
    with closing(open_store(f"sqlite:///{folder}/nba.db")) as store:
        log = read_log(store, parse(RENAMED), as_of=NOON + 2 * DAY)
        none = read_log(store, parse(TEXT), as_of=NOON + 2 * DAY).left_out
    assert log.left_out == LeftOut(read=whole, gone={"news/email/now": count})
    assert len(log) == whole - count
    assert log.where(log.group == "holdout").left_out == log.left_out
    assert (none.decisions, none.said(), none.read) == (0, [], whole)


def test_evaluate_and_health_say_how_many_and_which_and_warn(folder: Path) -> None:
    count, whole = news(folder)
    line = f"warning: {count:,} of {whole:,} decisions ({count / whole:.1%}) are left out"
    for command, until in (("evaluate", NOON + 8 * DAY), ("health", NOON + 1.5 * DAY)):
        done = CliRunner().invoke(build(), [command, "--as-of", str(timestamp(until)), "--json", "out.json"])
        assert done.exit_code == 0, (done.output, done.exception)
        assert line in done.output, done.output
        assert "no such arm (any more): news/email/now" in done.output
        told = json.loads((folder / "out.json").read_text())["left_out"]
        assert told["arms"] == {"news/email/now": count}
        assert told["warning"] is True


def test_where_all_that_was_decided_is_gone_that_is_the_reason() -> None:
    """Some of 40 customers in turn get the news, or the odds of 0.05 and more are wrong."""
    business = open_shop()
    business.report(*[consents(f"c{i}") for i in range(40)])
    moments = [NOON + 60.0 * i for i in range(40)]
    answers = [business.decide(f"c{i}", at, context={"device": "web"}) for i, at in enumerate(moments)]
    at = next(at for at, answer in zip(moments, answers, strict=True) if answer["action"] == "news")
    with pytest.raises(InvalidInput, match=r"playbook: warning: 1 of 1 decisions .* news/email/now 1"):
        read_log(business.store, parse(RENAMED), since=at, as_of=at + 1.0)


def test_few_are_told_without_a_warning_and_many_arms_are_cut_short() -> None:
    few = LeftOut(read=1_000, gone={"a/email/now": 3})
    assert not few.warns
    assert few.said() == [
        "3 of 1,000 decisions (0.3%) are left out: the playbook has no such arm (any more): a/email/now 3"
    ]
    many = LeftOut(read=100, gone={f"a{i}/email/now": i + 1 for i in range(8)}, crowded=4)
    assert many.decisions == 40
    first, second, mend = many.said()
    assert first.startswith("warning: 36 of 100 decisions (36.0%)")
    assert first.endswith(
        "a7/email/now 8, a6/email/now 7, a5/email/now 6, a4/email/now 5, a3/email/now 4 and 3 arms more"
    )
    assert "room" in second
    assert "renamed" in mend


def test_reports_of_before_are_read_too() -> None:
    report = HealthReport(
        as_of=3.0,
        window=(2.0, 3.0),
        reference=(1.0, 2.0),
        checks=(),
        left_out=LeftOut(read=10, gone={"a/email/now": 3}),
    )
    told = orjson.loads(orjson.dumps(report.to_json()))
    assert HealthReport.of_json(told) == report
    del told["left_out"]
    assert HealthReport.of_json(told).left_out == LeftOut()
