"""Training a text model: what it finds, what it is judged on, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nba.errors import InvalidInput, NotEnoughData
from nba.journey.feedback.model import SENTIMENT, THEME
from tests.feedback.made_up import reviews, written
from training.feedback.card import card, markdown, no_better
from training.feedback.fit import FittedTexts, fit_texts
from training.feedback.judged import judge
from training.feedback.texts import NONE, Columns, Texts, read_texts

PLAIN = Columns(text="text", label="stars")


def test_sentiment_and_theme_are_found_where_they_are(fitted: FittedTexts) -> None:
    for name in (SENTIMENT, THEME):
        figures = fitted.judged[name].figures
        assert figures["accuracy_low"] > figures["base_accuracy"]
        assert figures["macro_f1_low"] > figures["base_macro_f1"]
        assert figures["log_loss"] < figures["base_log_loss"]
    assert fitted.judged[THEME].figures["accuracy"] > 0.95
    assert no_better(fitted) == ""


def test_training_again_gives_the_same_model(texts: Texts, fitted: FittedTexts) -> None:
    again = fit_texts(texts, "en")
    assert again.settings == fitted.settings
    some = list(texts.texts[:10])
    assert again.model.read(some).score.tobytes() == fitted.model.read(some).score.tobytes()


def test_labels_that_say_nothing_give_a_model_that_is_not_published(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    frame = reviews(400).with_columns(stars=pl.Series(rng.permutation(reviews(400)["stars"].to_numpy())))
    found = fit_texts(read_texts(written(tmp_path, frame), PLAIN), "en")
    assert "no better than" in no_better(found)


def test_settings_never_see_the_rows_that_judge(tmp_path: Path) -> None:
    """With other labels on the rows held out the model is the same; only its figures differ."""
    texts = read_texts(written(tmp_path, reviews(300)), PLAIN)
    turned = np.where(texts.test, 2 - texts.sentiment, texts.sentiment)
    other = Texts(**{f: getattr(texts, f) for f in Texts.__dataclass_fields__} | {"sentiment": turned})
    one, two = fit_texts(texts, "en"), fit_texts(other, "en")
    some = list(texts.texts[:20])
    assert one.model.read(some).score.tobytes() == two.model.read(some).score.tobytes()
    assert one.judged[SENTIMENT].figures["accuracy"] > two.judged[SENTIMENT].figures["accuracy"]


def test_rows_are_split_by_time_by_customer_or_by_text(tmp_path: Path) -> None:
    path = written(tmp_path, reviews())
    late = read_texts(path, Columns(text="text", label="stars", time="day"))
    assert late.at is not None
    assert late.at[late.test].min() > late.at[~late.test].max()
    whose = read_texts(path, Columns(text="text", label="stars", unit="customer"))
    assert not set(whose.unit[whose.test]) & set(whose.unit[~whose.test])
    assert "customer" in whose.split
    plain = read_texts(path, PLAIN)
    assert 0.15 < plain.test.mean() < 0.25


def test_rows_without_text_or_label_and_repeated_texts_are_left_out_and_counted(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "text": ["good", " ", None, "bad", "good", "fine"],
            "stars": [5.0, 1.0, 5.0, 1.0, 5.0, None],
        }
    )
    found = read_texts(written(tmp_path, frame), PLAIN)
    assert found.texts == ("good", "bad")
    assert found.left_out == {"without text": 2, "without label": 1, "the same text again": 1}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([1, 2, 3, 4, 5], [0, 0, 1, 2, 2]),
        ([0, 1, 1, 0, 1], [0, 2, 2, 0, 2]),
        ([True, False, True, True, False], [2, 0, 2, 2, 0]),
        (["Negative", "neutral", "positive ", "", None], [0, 1, 2]),
    ],
)
def test_labels_are_ratings_zero_and_one_or_names(
    tmp_path: Path, labels: list[object], expected: list[int]
) -> None:
    frame = pl.DataFrame({"text": list("abcde"), "stars": labels}, strict=False)
    assert read_texts(written(tmp_path, frame), PLAIN).sentiment.tolist() == expected


def test_a_wrong_table_is_told_by_column_and_row(tmp_path: Path) -> None:
    path = written(tmp_path, pl.DataFrame({"text": ["a", "b"], "stars": ["positive", "meh"]}))
    with pytest.raises(InvalidInput, match=r"stars: is a number, or negative.*row 2"):
        read_texts(path, PLAIN)
    with pytest.raises(InvalidInput, match=r"no such column.*'text'"):
        read_texts(path, Columns(text="txt", label="stars"))
    with pytest.raises(InvalidInput, match="can't be read"):
        read_texts(tmp_path / "none.jsonl", PLAIN)


def test_too_few_texts_of_a_sentiment_are_refused_with_the_figures(tmp_path: Path) -> None:
    with pytest.raises(NotEnoughData, match="negative"):
        fit_texts(read_texts(written(tmp_path, reviews(60)), PLAIN), "en")


def test_a_rare_theme_is_left_out_and_the_rest_learned(tmp_path: Path) -> None:
    frame = reviews(500).with_columns(
        about=pl.when(pl.int_range(pl.len()) < 10).then(pl.lit("rare")).otherwise(pl.col("about"))
    )
    texts = read_texts(written(tmp_path, frame), Columns(text="text", label="stars", theme="about"))
    assert "rare" in texts.themes
    assert fit_texts(texts, "en").model.heads[THEME].classes == ("dress", "shirt")


def test_figures_are_those_of_a_confusion_counted_by_hand() -> None:
    y, answered = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 2])
    odds = np.full((6, 3), 0.1)
    odds[np.arange(6), answered] = 0.8
    found = judge(("a", "b", "c"), y, odds, answered, np.array([0.5, 0.3, 0.2]), np.arange(6))
    assert found.confusion == ((2, 1, 0), (1, 1, 0), (0, 0, 1))
    assert found.figures["accuracy"] == pytest.approx(4 / 6)
    assert found.figures["macro_f1"] == pytest.approx((4 / 6 + 2 / 4 + 1) / 3)
    assert found.figures["base_accuracy"] == pytest.approx(0.5)
    assert found.figures["log_loss"] == pytest.approx(-(4 * np.log(0.8) + 2 * np.log(0.1)) / 6)
    assert found.by_class["b"] == pytest.approx({"precision": 0.5, "recall": 0.5, "f1": 0.5, "rows": 2.0})


def test_the_card_says_language_rows_split_limits_and_weaknesses_and_no_word_of_a_text(
    fitted: FittedTexts, texts: Texts
) -> None:
    told = card(fitted, texts, "f" * 64, "a" * 64, "reviews.parquet")
    said = markdown(told)
    assert all(name in told for name in ("language", "training", "judged", "limits", "weaknesses"))
    assert told["training"]["rows"] + told["training"]["test_rows"] == len(texts.texts)
    assert "another language" in said
    assert "macro f1" in said.lower()
    assert "scratchy" not in said + str(told)


@pytest.mark.slow
def test_clothing_reviews_are_read_better_than_by_the_commonest_class(data_dir: Path) -> None:
    """The figures of docs/feedback.md, with room for other versions of the libraries."""
    path = data_dir / "clothing-reviews" / "womens_clothing_reviews.parquet"
    columns = Columns(text="review_text", label="rating", theme="department_name")
    found = fit_texts(read_texts(path, columns), "en")
    sentiment, theme = found.judged[SENTIMENT].figures, found.judged[THEME].figures
    assert sentiment["accuracy"] > 0.79
    assert sentiment["macro_f1"] > 0.58
    assert sentiment["calibration_error"] < 0.05
    assert theme["macro_f1"] > 0.7
    assert found.covered > 0.99


def test_a_part_of_the_clothing_reviews_is_enough_to_beat_the_commonest_class(
    data_dir: Path, tmp_path: Path
) -> None:
    frame = pl.read_parquet(data_dir / "clothing-reviews" / "womens_clothing_reviews.parquet").head(1_000)
    columns = Columns(text="review_text", label="recommended_ind")
    found = fit_texts(read_texts(written(tmp_path, frame), columns), "en")
    assert found.model.heads[SENTIMENT].classes == ("negative", "positive")
    assert no_better(found) == ""
    foreign = [
        "Deze jurk is prachtig en zit heerlijk, ik ben er erg blij mee",
        "Das Kleid war in der Mitte zu eng und die Qualität ist schlecht",
        "Bu elbise çok güzel, herkese tavsiye ederim",
        "La robe est magnifique mais trop petite",
    ]
    assert not found.model.language.covers(foreign).any()
    assert found.covered > 0.97
    assert NONE not in found.model.read(["I love this dress, it fits great"]).sentiment
