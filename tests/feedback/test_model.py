"""A text model that serves: pieces as scikit-learn counts them, one text at a time, sealed and checked."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba.artefacts import Artefact
from nba.errors import CorruptArtefact
from nba.journey.feedback.language import Language
from nba.journey.feedback.model import TextModel
from nba.journey.feedback.pieces import LONGEST_READ, PIECES, parts, phrases, words
from nba.journey.feedback.sealed import seal_text_model, unseal_text_model
from tests.feedback.made_up import DUTCH, SCRIPT, reviews
from training.feedback.fit import FittedTexts, _part
from training.feedback.texts import Texts


def test_words_are_small_letters_and_markup_is_text_like_any_other() -> None:
    assert words("Don\u2019t BUY!! 100% wool") == ["don't", "buy", "100", "wool"]
    assert words(SCRIPT) == ["script", "alert", "x", "script", "img", "src", "x", "onerror", "alert", "1"]
    assert phrases("so very soft") == ["so", "very", "soft", "so very", "very soft"]
    assert parts("ab") == [" ab", "ab ", " ab "]
    assert words("\u212bngstrom") == words("\u00e5ngstrom")


@given(st.text())
def test_any_text_has_pieces(text: str) -> None:
    assert all(word and word == word.casefold() for word in words(text))
    assert len(phrases(text)) == max(2 * len(words(text)) - 1, 0)
    parts(text)


def test_what_is_too_long_is_read_in_part() -> None:
    assert len(words("ab " * LONGEST_READ)) <= LONGEST_READ // 3 + 1
    assert len(parts("a" * 1_000)) < 130


def test_serving_counts_as_scikit_learn_did(texts: Texts) -> None:
    for kind, cut in PIECES.items():
        pieces, X = _part({kind: [cut(t) for t in texts.texts]}, kind, ~texts.test)
        for row in range(0, len(texts.texts), 37):
            columns, weight = pieces.count(texts.texts[row])
            ours = np.zeros(len(pieces.names))
            ours[columns] = weight
            np.testing.assert_allclose(ours, X[row].toarray()[0], rtol=0, atol=1e-12)


def test_a_text_alone_and_among_others_gets_the_same_bits(model: TextModel) -> None:
    some = [*reviews(40, seed=9)["text"].to_list(), DUTCH, "", SCRIPT]
    together = model.read(some)
    for i, text in enumerate(some):
        alone = model.read([text])
        assert (alone.sentiment[0], alone.theme[0]) == (together.sentiment[i], together.theme[i])
        assert alone.score.tobytes() == together.score[i : i + 1].tobytes()
    assert model.read([]).score.shape == (0,)


def test_a_text_in_another_language_or_of_none_gets_no_sentiment(model: TextModel) -> None:
    found = model.read([DUTCH, "", "12345 678", SCRIPT, "the dress was lovely and so very soft"])
    assert found.applies.tolist() == [False, False, False, False, True]
    assert found.sentiment == (None, None, None, None, "positive")
    assert found.theme[:4] == (None,) * 4
    assert np.isnan(found.score[:4]).all()
    assert found.score[4] > 0.5


def test_digits_are_of_no_language() -> None:
    language = Language(name="en", known=frozenset({"size"}), least=0.5)
    assert language.shares(["size 42 3xl", "maat 42", "42"])[:2].tolist() == [1.0, 0.0]
    assert language.covers(["size 42", "42"]).tolist() == [True, False]


def test_an_artefact_gives_back_the_model_it_was_made_of(fitted: FittedTexts) -> None:
    artefact = seal_text_model(fitted.model, rows=480)
    again = unseal_text_model(artefact)
    some = [*reviews(20, seed=5)["text"].to_list(), DUTCH]
    assert again.read(some).score.tobytes() == fitted.model.read(some).score.tobytes()
    assert again.read(some).theme == fitted.model.read(some).theme
    assert seal_text_model(fitted.model, rows=480).version == artefact.version


def test_an_artefact_holds_no_training_text(fitted: FittedTexts, texts: Texts) -> None:
    told = json.loads(seal_text_model(fitted.model).files["model.json"])
    whole = set(texts.texts)
    assert not whole & {*told["probes"], *(name for kind in told["pieces"] for name in kind["names"])}
    train = [phrases(text) for text, out in zip(texts.texts, texts.test, strict=True) if not out]
    for name in next(kind["names"] for kind in told["pieces"] if kind["kind"] == "phrases")[::50]:
        assert sum(name in pieces for pieces in train) >= 3


def test_an_artefact_that_was_changed_is_refused(fitted: FittedTexts) -> None:
    artefact = seal_text_model(fitted.model)
    told = json.loads(artefact.files["model.json"])

    def bad(**changed: object) -> Artefact:
        files = {**artefact.files, "model.json": json.dumps({**told, **changed}).encode()}
        return Artefact.of(artefact.manifest, files)

    heads = [{**head, "beta": head["beta"] * 2} for head in told["heads"]]
    strange = [{**told["heads"][0], "classes": ["happy", "sad", "so-so"]}]
    language = {**told["language"], "known": []}
    for wrong in (
        bad(heads=heads),
        bad(heads=strange),
        bad(heads=[]),
        bad(language=language),
        bad(pieces=[]),
    ):
        with pytest.raises(CorruptArtefact):
            unseal_text_model(wrong)
    with pytest.raises(CorruptArtefact, match="kind"):
        unseal_text_model(Artefact.of(replace(artefact.manifest, kind="scores"), artefact.files))
    with pytest.raises(CorruptArtefact):
        unseal_text_model(Artefact.of(artefact.manifest, {"model.json": b"\x80\x04pickle"}))


def test_reading_needs_neither_scikit_learn_nor_mlflow() -> None:
    asked = "[name for name in ('sklearn', 'mlflow') if name in sys.modules]"
    code = f"import sys; import nba.journey.feedback.sealed; print({asked})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
