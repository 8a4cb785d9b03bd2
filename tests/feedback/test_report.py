"""The report on a store and on a table: what came in, split by what was known before, and no text in it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from experiments.report.feedback.drivers import Drivers
from experiments.report.feedback.heard import Heard, nearest_answer, periods
from experiments.report.feedback.report import FeedbackReport, report
from experiments.report.feedback.score import Score
from experiments.report.feedback.stored import stored
from experiments.report.tables import captured
from nba.artefacts import Artefacts
from nba.errors import InvalidInput
from nba.journey.feedback.model import TextModel
from nba.journey.feedback.sealed import seal_text_model
from nba.model import Erased, Erasure
from nba.playbook.compile import parse
from nba.playbook.feedback import Feedback
from nba.stores.memory import MemoryStore
from tests.feedback.made_up import DUTCH, SCRIPT, written
from tests.service.business import DAY, NOON, OPEN, Business, event, outcome
from training.feedback.from_table import Told, heard_of
from training.feedback.listen import listen
from training.feedback.reporting import How, of_store, of_table
from training.feedback.show_report import show
from training.served import bring_back

BOOK = parse(OPEN.replace("[visit, purchase]", "[visit, purchase, complaint]"))
MARKER = "marker-of-mine dress was lovely and so very soft"


def busy(people: int = 60) -> Business:
    """Half of the customers complain, then rate 3; the others buy, then rate 9. All write something."""
    business = Business.of(BOOK, MemoryStore("live"))
    for i in range(people):
        who, sad = f"c{i}", i % 2 == 0
        first = "complaint" if sad else "purchase"
        business.report(
            event(who, "profile", NOON - 30 * DAY, properties={"city": "north" if i % 4 < 2 else "south"}),
            event(
                who,
                first,
                NOON - 10 * DAY,
                properties={"text": "terrible cheap dress returned"} if sad else {},
            ),
            event(who, "nps", NOON - 5 * DAY, value=3.0 if sad else 9.0, channel="email"),
            event(
                who, "comment", NOON - 5 * DAY + 60, properties={"text": f"{MARKER} {SCRIPT if sad else ''}"}
            ),
            event(who, "purchase", NOON - 4 * DAY, value=5.0),
        )
    business.report(event("c1", "comment", NOON - DAY, properties={"text": DUTCH}))
    return business


def reported(folder: Path, model: TextModel | None = None, how: How = How(every="week")) -> FeedbackReport:
    store, artefacts = busy().store, Artefacts(folder / "artefacts")
    if model is not None:
        version = artefacts.write(seal_text_model(model))
        store.publish(kind="feedback", version=version, specification="text", at=NOON, who="me", why="test")
    return of_store(store, BOOK, folder / "history", artefacts, how, since=float("-inf"), as_of=NOON + DAY)


def test_nps_is_told_in_all_by_stage_attribute_channel_and_week(tmp_path: Path) -> None:
    (nps,) = reported(tmp_path).surveys
    assert isinstance(nps.total, Score)
    assert (nps.total.value, nps.total.answers) == (0.0, 60)
    stages = {part.name: part.score for part in nps.by["stage"]}
    assert {name: s.value for name, s in stages.items() if isinstance(s, Score)} == {
        "buyer": 100.0,
        "visitor": -100.0,
    }
    assert {part.name for part in nps.by["city"]} == {"north", "south"}
    assert [part.name for part in nps.by["week"]] == ["2025-W24"]
    assert "channel" not in nps.by  # all answered by e-mail


def test_the_stage_is_that_before_the_answer_whatever_came_later(tmp_path: Path) -> None:
    """Everybody has bought by now; the unhappy had not when they answered."""
    store = busy(4).store
    bring_back(store, tmp_path)
    heard = listen(BOOK, tmp_path, since=float("-inf"), as_of=NOON + DAY)
    stage = dict(zip(heard.answers["value"].to_list(), heard.splits["stage"].to_list(), strict=True))
    assert stage == {3.0: "visitor", 9.0: "buyer"}
    assert np.isinf(heard.facts["days since purchase"][heard.answers["value"].to_numpy() == 3.0]).all()


def test_the_planted_driver_stands_out_and_answers_don_t_explain_answers(tmp_path: Path) -> None:
    found = reported(tmp_path).drivers
    assert isinstance(found, Drivers)
    out = {d.name: d for d in found.standing_out}
    assert out["complaint of late"].delta == 1.0
    assert "city is south" not in out
    assert not any("nps" in d.name for d in found.found)


def test_texts_are_read_by_the_published_model_and_counted_by_theme(tmp_path: Path, model: TextModel) -> None:
    found = reported(tmp_path, model)
    texts = found.texts
    assert (texts.texts, texts.read) == (91, 60)  # not what is Dutch, nor what is mostly markup
    assert texts.total is not None
    assert isinstance(texts.total.sentiment, Score)
    assert sum(theme.texts for theme in texts.themes) == 60
    assert texts.total.answers == 30
    assert any("not that of the text model" in note for note in found.notes)


def test_without_a_model_texts_are_counted_and_the_way_to_one_is_told(tmp_path: Path) -> None:
    found = reported(tmp_path)
    assert (found.texts.texts, found.texts.read) == (91, 0)
    assert any("nba feedback train" in note for note in found.notes)


def test_no_text_is_shown_or_written(tmp_path: Path, model: TextModel) -> None:
    found = reported(tmp_path, model)
    told = json.dumps(found.to_json(), allow_nan=False) + captured(lambda console: show(found, console))
    for secret in ("marker-of-mine", "script", "Deze", "terrible", "c17"):
        assert secret not in told


def test_since_and_as_of_bound_what_is_heard(tmp_path: Path) -> None:
    store = busy(10).store
    bring_back(store, tmp_path)
    assert len(listen(BOOK, tmp_path, since=NOON - 5 * DAY, as_of=NOON).answers) == 10
    assert listen(BOOK, tmp_path, since=NOON - 4 * DAY, as_of=NOON).answers.is_empty()
    assert listen(BOOK, tmp_path, since=float("-inf"), as_of=NOON - 5 * DAY).answers.is_empty()


def test_an_answer_told_as_event_and_outcome_counts_once(tmp_path: Path) -> None:
    business = Business.of(BOOK, MemoryStore("live"))
    business.report(
        event("c0", "nps", NOON - DAY, value=9.0, id="x"),
        outcome("nps", NOON - DAY, value=9.0, id="x", customer_id="c0"),
    )
    bring_back(business.store, tmp_path)
    assert len(listen(BOOK, tmp_path, since=0, as_of=NOON).answers) == 1


def test_the_store_alone_gives_the_same_scores_and_texts_as_the_history(
    tmp_path: Path, model: TextModel
) -> None:
    business = busy()
    business.report(outcome("nps", NOON - DAY, value=9.0, customer_id="c0", id="twice"))
    business.report(event("c0", "nps", NOON - DAY, value=9.0, id="twice"))
    bring_back(business.store, tmp_path)
    quick = report(stored(business.store, since=0.0, until=NOON), BOOK.spec.feedback, model)
    whole = report(listen(BOOK, tmp_path, since=0.0, as_of=NOON), BOOK.spec.feedback, model)
    assert quick.surveys[0].total == whole.surveys[0].total
    assert quick.texts.total is not None
    assert whole.texts.total is not None
    assert isinstance(quick.texts.total.sentiment, Score)
    assert isinstance(whole.texts.total.sentiment, Score)
    assert quick.texts.total.sentiment.low == pytest.approx(whole.texts.total.sentiment.low)
    assert [(t.name, t.texts) for t in quick.texts.themes] == [(t.name, t.texts) for t in whole.texts.themes]


def test_linked_customers_count_as_one_and_an_erased_one_is_heard_no_more(tmp_path: Path) -> None:
    business = busy(20)
    same = {"kind": "email", "value": "a@home"}
    for who in ("c0", "c1", "c2"):
        business.report(event(who, "identify", NOON - DAY, properties=same))
    linked = heard_again(business, tmp_path)
    assert (len(linked.answers), linked.answers["customer"].n_unique()) == (20, 18)
    assert isinstance(business.one(Erasure(customer_id="c0", who="me")), Erased)
    gone = heard_again(business, tmp_path)
    assert (len(gone.answers), gone.answers["customer"].n_unique()) == (17, 17)
    assert len(stored(business.store, since=0.0, until=NOON).texts) == len(gone.texts)


def heard_again(business: Business, folder: Path) -> Heard:
    bring_back(business.store, folder)
    return listen(BOOK, folder, since=0.0, as_of=NOON + DAY)


def test_what_has_too_many_values_is_not_split_by_and_that_is_told(tmp_path: Path) -> None:
    found = of_table(table(tmp_path, shop=[str(i) for i in range(80)]), TOLD, Feedback(), None, "", How())
    assert "shop" not in found.surveys[0].by
    assert any(note.startswith("shop has 80 values") for note in found.notes)


def test_where_there_is_no_feedback_it_says_what_to_send(tmp_path: Path) -> None:
    store = Business.of(BOOK, MemoryStore("live")).store
    with pytest.raises(InvalidInput, match="nps, csat, ces"):
        of_store(store, BOOK, tmp_path, Artefacts(tmp_path), How(), since=0, as_of=NOON)


def test_a_text_belongs_to_the_customer_s_nearest_answer_within_a_day() -> None:
    answers = pl.DataFrame({"customer": [1, 1, 2], "at": [0.0, 1_000.0, 0.0]})
    texts = pl.DataFrame({"customer": [1, 2, 1, 3], "at": [900.0, 10.0 * DAY, 10.0, 0.0]})
    assert nearest_answer(answers, texts, DAY).tolist() == [1, -1, 0, -1]


def test_periods_are_months_or_iso_weeks_in_utc() -> None:
    at = pl.Series([NOON, None, 1_767_225_600.0 - 1], dtype=pl.Float64)
    assert periods(at, "month").to_list() == ["2025-06", "not known", "2025-12"]
    assert periods(at, "week").to_list() == ["2025-W24", "not known", "2026-W01"]


def table(folder: Path, **changed: object) -> Path:
    n = 80
    columns = {
        "stars": [1 if i % 4 == 0 else 5 for i in range(n)],
        "said": ["terrible cheap dress" if i % 4 == 0 else "lovely soft shirt" for i in range(n)],
        "who": [f"p{i // 2}" for i in range(n)],
        "shop": ["[red]" if i % 3 else "<b>" for i in range(n)],
        "waited": [float(10 if i % 4 == 0 else i % 3) for i in range(n)],
        "when": ["2026-01-31T12:00:00"] * n,
    }
    return written(folder, pl.DataFrame(columns | changed), "table.parquet")


TOLD = Told(survey="csat", score="stars", text="said", customer="who", time="when", by=("shop", "waited"))


def test_a_table_of_one_s_own_is_reported_like_a_store(tmp_path: Path, model: TextModel) -> None:
    found = of_table(table(tmp_path), TOLD, Feedback(), model, "v", How())
    (csat,) = found.surveys
    assert isinstance(csat.total, Score)
    assert (csat.total.value, csat.total.customers) == (4.0, 40)
    assert {part.name for part in csat.by["shop"]} == {"[red]", "<b>"}
    assert [part.name for part in csat.by["month"]] == ["2026-01"]
    assert isinstance(found.drivers, Drivers)
    assert found.drivers.found[0].name in ("waited", "writes about dress", "writes about shirt")
    shown = captured(lambda console: show(found, console))
    assert "[red]" in shown  # a name is text, and no markup of the terminal's
    assert "<b>" in shown
    assert found.texts.total is not None
    assert found.texts.total.answered == pytest.approx(4.0)


def test_a_table_with_wrong_answers_or_too_long_texts_is_refused_by_row(tmp_path: Path) -> None:
    wrong = [5] * 78 + [6, 0]
    with pytest.raises(
        InvalidInput, match="stars: row 79: an answer of type csat is a whole number from 1 to 5"
    ):
        heard_of(table(tmp_path, stars=wrong), TOLD, Feedback())
    with pytest.raises(InvalidInput, match="said: row 1: has more than 65,536 bytes"):
        heard_of(table(tmp_path, said=["x" * 70_000] * 80), TOLD, Feedback())
    with pytest.raises(InvalidInput, match="is needed, or --text"):
        heard_of(
            table(tmp_path),
            Told(survey="csat", score=None, text=None, customer=None, time=None, by=()),
            Feedback(),
        )


def test_a_level_that_is_none_is_refused(tmp_path: Path) -> None:
    heard = heard_of(table(tmp_path), TOLD, Feedback())
    for level in (0.5, 1.0, 95.0):
        with pytest.raises(InvalidInput, match="level"):
            report(heard, Feedback(), level=level)
