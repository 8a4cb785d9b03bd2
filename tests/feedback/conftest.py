"""One small text model for all tests: training takes some seconds."""

from __future__ import annotations

import pytest

from nba.journey.feedback.model import TextModel
from tests.feedback.made_up import reviews, written
from training.feedback.fit import FittedTexts, fit_texts
from training.feedback.texts import Columns, Texts, read_texts


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Texts:
    path = written(tmp_path_factory.mktemp("texts"), reviews())
    return read_texts(path, Columns(text="text", label="stars", theme="about"))


@pytest.fixture(scope="session")
def fitted(texts: Texts) -> FittedTexts:
    return fit_texts(texts, "en")


@pytest.fixture(scope="session")
def model(fitted: FittedTexts) -> TextModel:
    return fitted.model
