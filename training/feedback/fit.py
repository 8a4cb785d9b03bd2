"""Fit a text model: tf-idf of word and letter pieces, logistic regression, calibration, a lean.

Settings are chosen on training rows alone, by the macro F1 of predictions across folds: how strongly weights
are held back, whether parts of words help, and how far answers lean to rare classes. The calibration, a
temperature and an offset by class (Guo et al. 2017, vector scaling with one scale), comes from the same
predictions. The rows that judge are touched once, at the end.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from nba.errors import InvalidInput, NotEnoughData
from nba.journey.feedback.language import Language
from nba.journey.feedback.model import SENTIMENT, SENTIMENTS, THEME, Head, Pieces, TextModel
from nba.journey.feedback.pieces import PIECES, words
from training.feedback.judged import Judged, judge
from training.feedback.texts import FOLDS, NONE, Texts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST, MOST = 50, 60  # texts of a class; classes
MET = 3  # texts in which a word stands that counts as known
KINDS: tuple[tuple[str, ...], ...] = (("phrases",), ("phrases", "parts"))
STRENGTHS = (1.0, 2.0, 4.0)
LEANS = (0.0, 0.25, 0.5, 0.75, 1.0)
_RARE = {"phrases": 3, "parts": 5}  # texts in which a piece must stand
_MOST = {"phrases": 40_000, "parts": 60_000}
_STRANGE = 0.005  # of training texts may be taken for another language
_SHARES = (0.5, 0.8)  # between which the share of known words lies that a text needs
Cut = Mapping[str, Sequence[Sequence[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What was tried, and the macro F1 and log loss it had across folds.

    Attributes:
        beta, offset: the calibration; odds are softmax(beta · margin + offset), offset (c,).
    """

    kinds: tuple[str, ...]
    strength: float
    lean: float
    beta: float
    offset: tuple[float, ...]
    macro_f1: float
    log_loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedTexts:
    """A model, how it was judged, and what was chosen by head."""

    model: TextModel
    judged: Mapping[str, Judged]
    settings: Mapping[str, Setting]
    skipped: Mapping[str, str]
    covered: float


def fit_texts(texts: Texts, language: str, hear: Callable[[str], None] = lambda _: None) -> FittedTexts:
    """Sentiment, and themes where the table names them.

    Raises:
        InvalidInput: so many themes that they are none.
        NotEnoughData: too few texts of a sentiment, or only one sentiment.
    """
    hear("cutting texts into pieces")
    cut: Cut = {name: [pieces(text) for text in texts.texts] for name, pieces in PIECES.items()}
    spoken = _language(texts, language)
    fitted: dict[str, tuple[Setting, _Learned, tuple[str, ...]]] = {}
    skipped: dict[str, str] = {}
    for name, label, names in _questions(texts):
        hear(f"choosing settings for {name}")
        try:
            classes, y = _common(label, names, texts)
        except NotEnoughData as error:
            if name == SENTIMENT:
                raise
            skipped[name] = error.detail
            continue
        setting = _chosen(cut, y, texts, fitted[SENTIMENT][0].kinds if SENTIMENT in fitted else None)
        learned = _learn(cut, setting.kinds, y, texts, setting.strength)
        fitted[name] = setting, learned, classes
    first = next(iter(fitted.values()))[1]
    heads = {name: _head(name, *parts) for name, parts in fitted.items()}
    model = TextModel(pieces=first.pieces, language=spoken, heads=heads)
    hear("judging on the rows held out")
    return FittedTexts(
        model=model,
        judged={name: _judged(model, name, texts) for name in heads},
        settings={name: setting for name, (setting, _, _) in fitted.items()},
        skipped=skipped,
        covered=float(
            np.mean(spoken.covers([t for t, out in zip(texts.texts, texts.test, strict=True) if out]))
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Learned:
    pieces: tuple[Pieces, ...]
    weights: Floats
    intercept: Floats
    prior: Floats


def _questions(texts: Texts) -> list[tuple[str, Ints, tuple[str, ...]]]:
    asked = [(SENTIMENT, texts.sentiment, SENTIMENTS)]
    return asked + ([(THEME, texts.theme, texts.themes)] if texts.themes else [])


def _common(label: Ints, names: tuple[str, ...], texts: Texts) -> tuple[tuple[str, ...], Ints]:
    """Classes with enough texts on both sides of the split, and labels as places in them."""
    enough = [
        c
        for c in range(len(names))
        if ((label == c) & ~texts.test).sum() >= LEAST and ((label == c) & texts.test).any()
    ]
    if len(enough) > MOST:
        raise InvalidInput.of("theme", f"has {len(enough)} themes of {LEAST} texts and more; at most {MOST}")
    if len(enough) < 2 or (names == SENTIMENTS and not {0, 2} <= set(enough)):
        counts = {name: float(((label == c) & ~texts.test).sum()) for c, name in enumerate(names)}
        raise NotEnoughData(f"learning needs {LEAST} texts of each class, two classes at least", counts)
    y = np.full(len(label), NONE, dtype=np.int64)
    for place, c in enumerate(enough):
        y[label == c] = place
    return tuple(names[c] for c in enough), y


def _chosen(cut: Cut, y: Ints, texts: Texts, only: tuple[str, ...] | None) -> Setting:
    """The best setting across folds of the training rows; all heads share their pieces."""
    train, options = (y != NONE) & ~texts.test, KINDS if only is None else (only,)
    classes = int(y.max()) + 1
    margins = {(k, strength): np.zeros((len(y), classes)) for k in options for strength in STRENGTHS}
    for fold in range(FOLDS):
        inside, outside = train & (texts.fold != fold), train & (texts.fold == fold)
        known = ~texts.test & (texts.fold != fold)
        parts = {kind: _part(cut, kind, known)[1] for kind in {kind for k in options for kind in k}}
        for (kinds, strength), found in margins.items():
            X = sp.hstack([parts[kind] for kind in kinds]).tocsr()
            weights, intercept = _logistic(X[inside], y[inside], classes, strength)
            found[outside] = X[outside] @ weights.T + intercept
    tried = [_rated(found[train], y[train], *option) for option, found in margins.items()]
    return max(tried, key=lambda s: (round(s.macro_f1, 4), -s.log_loss))


def _rated(margins: Floats, y: Ints, kinds: tuple[str, ...], strength: float) -> Setting:
    """With the temperature and the lean that suit these predictions best."""
    rows, classes = np.arange(len(y)), margins.shape[1]

    def loss(told: Floats) -> float:
        return -float(np.mean(log_softmax(np.exp(told[0]) * margins + told[1:], axis=1)[rows, y]))

    found = minimize(loss, np.zeros(classes + 1), method="L-BFGS-B")
    beta, offset = float(np.exp(found.x[0])), found.x[1:] - found.x[1:].mean()
    log_odds, prior = log_softmax(beta * margins + offset, axis=1), _prior(y, classes)
    scores = [
        f1_score(y, (log_odds - lean * np.log(prior)).argmax(axis=1), average="macro") for lean in LEANS
    ]
    best = int(np.argmax(scores))
    return Setting(
        kinds=kinds,
        strength=strength,
        lean=LEANS[best],
        beta=beta,
        offset=tuple(offset.tolist()),
        macro_f1=float(scores[best]),
        log_loss=float(found.fun),
    )


def _learn(cut: Cut, kinds: tuple[str, ...], y: Ints, texts: Texts, strength: float) -> _Learned:
    """From all training rows. Pieces are those of every training text, so that all heads have the same."""
    pieces, X = _matrix(cut, kinds, ~texts.test)
    rows, classes = (y != NONE) & ~texts.test, int(y.max()) + 1
    weights, intercept = _logistic(X[rows], y[rows], classes, strength)
    return _Learned(pieces=pieces, weights=weights, intercept=intercept, prior=_prior(y[rows], classes))


def _matrix(cut: Cut, kinds: tuple[str, ...], known: NDArray[np.bool_]) -> tuple[tuple[Pieces, ...], Any]:
    """The pieces that are known from some rows, and the tf-idf of all rows by them."""
    found = [_part(cut, kind, known) for kind in kinds]
    return tuple(pieces for pieces, _ in found), sp.hstack([part for _, part in found]).tocsr()


def _part(cut: Cut, kind: str, known: NDArray[np.bool_]) -> tuple[Pieces, Any]:
    lists = cut[kind]
    vectoriser = TfidfVectorizer(
        analyzer=_as_it_is, sublinear_tf=True, min_df=_RARE[kind], max_features=_MOST[kind]
    )
    vectoriser.fit([lists[i] for i in np.flatnonzero(known).tolist()])
    names = tuple(vectoriser.get_feature_names_out().tolist())
    pieces = Pieces(kind=kind, names=names, idf=np.asarray(vectoriser.idf_, dtype=np.float64))
    return pieces, vectoriser.transform(lists)


def _as_it_is(pieces: Sequence[str]) -> Sequence[str]:
    return pieces


def _logistic(X: Any, y: Ints, classes: int, strength: float) -> tuple[Floats, Floats]:
    """(c, d) weights and (c,) intercepts, also of two classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # held-out figures say whether it is good enough
        model = LogisticRegression(C=strength, max_iter=300, tol=1e-3).fit(X, y)
    weights, intercept = np.asarray(model.coef_), np.asarray(model.intercept_)
    if classes == 2:
        return np.vstack([np.zeros_like(weights), weights]), np.array([0.0, float(intercept[0])])
    return weights, intercept


def _prior(y: Ints, classes: int) -> Floats:
    return np.bincount(y, minlength=classes) / len(y)


def _head(name: str, setting: Setting, learned: _Learned, classes: tuple[str, ...]) -> Head:
    return Head(
        name=name,
        classes=classes,
        weights=learned.weights,
        intercept=learned.intercept + np.array(setting.offset) / setting.beta,
        beta=setting.beta,
        lean=learned.prior**-setting.lean,
    )


def _judged(model: TextModel, name: str, texts: Texts) -> Judged:
    head = model.heads[name]
    label, names = (texts.sentiment, SENTIMENTS) if name == SENTIMENT else (texts.theme, texts.themes)
    places = {names.index(c): place for place, c in enumerate(head.classes)}
    rows = np.flatnonzero(texts.test & np.isin(label, list(places)))
    y = np.array([places[c] for c in label[rows].tolist()], dtype=np.int64)
    train = label[~texts.test & np.isin(label, list(places))]
    prior = np.array([(train == c).mean() for c in places])
    odds = model.odds(name, [texts.texts[i] for i in rows])
    return judge(head.classes, y, odds, head.chosen(odds), prior, texts.unit[rows])


def _language(texts: Texts, name: str) -> Language:
    """Known words, and the share of them that all but a few training texts have, met elsewhere."""
    spoken = [set(words(text)) for text in texts.texts]
    shares: list[float] = []
    for fold in range(FOLDS):
        known = _met(spoken, ~texts.test & (texts.fold != fold))
        held = Language(name=name, known=known, least=0.0)
        rows = np.flatnonzero(~texts.test & (texts.fold == fold))
        shares += held.shares([texts.texts[i] for i in rows]).tolist()
    least = float(np.clip(np.nanquantile(shares, _STRANGE), *_SHARES))
    return Language(name=name, known=_met(spoken, ~texts.test), least=least)


def _met(spoken: Sequence[set[str]], rows: NDArray[np.bool_]) -> frozenset[str]:
    times: dict[str, int] = {}
    for i in np.flatnonzero(rows).tolist():
        for word in spoken[i]:
            times[word] = times.get(word, 0) + 1
    return frozenset(word for word, count in times.items() if count >= MET)
