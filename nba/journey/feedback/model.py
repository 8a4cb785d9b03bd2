"""A text model at serving time: counted pieces, linear heads, and nothing of how they were trained.

    x = [t₁/‖t₁‖, t₂/‖t₂‖],   tⱼ = (1 + ln countⱼ) · idfⱼ   over the known pieces of each kind
    odds = softmax(β (W x + b)),   answer = argmax odds · lean

tf-idf as Manning, Raghavan & Schütze (2008), §6.2; β is a temperature (Guo et al. 2017). `lean` gives rare
classes the weight that was chosen on training data; the odds stay those of the calibration. Every text is
read by itself, so it gives the same bits alone and among others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nba.journey.feedback.language import Language
from nba.journey.feedback.pieces import PIECES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Vector = tuple[Ints, Floats]
SENTIMENTS = ("negative", "neutral", "positive")
SENTIMENT, THEME = "sentiment", "theme"


@dataclass(frozen=True)
class Pieces:
    """The pieces of one kind that a model knows.

    Attributes:
        kind: a name in `PIECES`.
        names: (d,) in the order of the columns.
        idf: (d,) inverse document frequencies.
    """

    kind: str
    names: tuple[str, ...]
    idf: Floats

    @cached_property
    def index(self) -> Mapping[str, int]:
        return {name: column for column, name in enumerate(self.names)}

    def count(self, text: str) -> tuple[Ints, Floats]:
        """The columns of a text's known pieces, rising, and their weights, of length 1 together."""
        index = self.index
        counts = Counter(index[piece] for piece in PIECES[self.kind](text) if piece in index)
        columns = np.array(sorted(counts), dtype=np.int64)
        times = np.array([counts[column] for column in columns.tolist()], dtype=np.float64)
        weight = (1.0 + np.log(times)) * self.idf[columns]
        length = float(np.sqrt(np.sum(weight * weight)))
        return columns, weight / length if length > 0 else weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One question that a model answers.

    Attributes:
        name: `sentiment` or `theme`.
        classes: (c,) the answers.
        weights: (c, d) over all pieces; intercept, lean: (c,).
        beta: the temperature's inverse.
    """

    name: str
    classes: tuple[str, ...]
    weights: Floats
    intercept: Floats
    beta: float
    lean: Floats

    def margins(self, vectors: Sequence[Vector]) -> Floats:
        """n texts as `TextModel.vectors` gives them → (n, c)."""
        found = np.empty((len(vectors), len(self.classes)))
        for row, (columns, weight) in enumerate(vectors):
            found[row] = self.intercept + np.sum(self.weights[:, columns] * weight, axis=1)
        return found

    def odds(self, margins: Floats) -> Floats:
        """(n, c) margins → (n, c); rows sum to 1."""
        scaled = self.beta * margins
        raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)

    def chosen(self, odds: Floats) -> Ints:
        """(n, c) odds → (n,) the class that is answered."""
        return np.asarray((odds * self.lean).argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What a model makes of n texts.

    Attributes:
        applies: (n,) whether each is in the model's language; where not, nothing is said of it.
        known: (n,) share of its words that the model has met; NaN without words.
        sentiment: n of `SENTIMENTS`, or None.
        score: (n,) odds of positive less those of negative, in [-1, 1]; NaN where nothing is said.
        theme: n themes, or None.
    """

    applies: NDArray[np.bool_]
    known: Floats
    sentiment: tuple[str | None, ...]
    score: Floats
    theme: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextModel:
    """Pieces, language, and a head for sentiment, one for themes, or both."""

    pieces: tuple[Pieces, ...]
    language: Language
    heads: Mapping[str, Head]

    def vectors(self, texts: Sequence[str]) -> list[Vector]:
        """Each text's columns over all pieces, and their weights."""
        starts = np.cumsum([0, *(len(kind.names) for kind in self.pieces[:-1])])
        found = []
        for text in texts:
            counted = [kind.count(text) for kind in self.pieces]
            columns = [start + columns for start, (columns, _) in zip(starts, counted, strict=True)]
            found.append((np.concatenate(columns), np.concatenate([weight for _, weight in counted])))
        return found

    def odds(self, name: str, texts: Sequence[str]) -> Floats:
        """(n, c) of a head, whatever the language."""
        return self.heads[name].odds(self.heads[name].margins(self.vectors(texts)))

    def read(self, texts: Sequence[str]) -> Readings:
        """Sentiment and theme of those texts to which the model applies."""
        known = self.language.shares(texts)
        applies = known >= self.language.least
        vectors = self.vectors([text for text, applied in zip(texts, applies, strict=True) if applied])
        odds = {name: head.odds(head.margins(vectors)) for name, head in self.heads.items()}
        score = np.full(len(texts), np.nan)
        if SENTIMENT in odds:
            classes, found = self.heads[SENTIMENT].classes, odds[SENTIMENT]
            score[applies] = found[:, classes.index("positive")] - found[:, classes.index("negative")]
        return Readings(
            applies=applies,
            known=known,
            sentiment=self._answers(SENTIMENT, odds, applies),
            score=score,
            theme=self._answers(THEME, odds, applies),
        )

    def _answers(
        self, name: str, odds: Mapping[str, Floats], applies: NDArray[np.bool_]
    ) -> tuple[str | None, ...]:
        if name not in odds:
            return (None,) * len(applies)
        head = self.heads[name]
        answers = iter(head.chosen(odds[name]).tolist())
        return tuple(head.classes[next(answers)] if applied else None for applied in applies.tolist())
