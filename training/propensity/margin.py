"""Trained trees as a scikit-learn classifier, so that scikit-learn can calibrate and MLflow keep them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from nba.journey.scores import Calibration, Method
from nba.trees import Trees

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class BoostedMargin(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A booster's text as a fitted classifier whose decision function is the raw margin.

    The margin is what calibration works on: on probabilities, which LightGBM's own classifier would
    hand over, Platt's sigmoid can't even leave a calibrated model as it is.
    """

    def __init__(self, text: str, classes: int = 2) -> None:
        self.text = text
        self.classes = classes

    @property
    def classes_(self) -> Ints:
        return np.arange(self.classes)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, X: Any, y: Any) -> BoostedMargin:
        """Already trained: nothing is left to fit."""
        return self

    def decision_function(self, X: Any) -> Floats:
        """(n, d) → (n,), or (n, classes) of more than two."""
        return Trees(self.text).predict(np.asarray(X, dtype=np.float64), raw=True)

    def predict_proba(self, X: Any) -> Floats:
        margin = self.decision_function(X)
        if margin.ndim == 2:
            return np.asarray(softmax(margin, axis=1), dtype=np.float64)
        return np.column_stack([expit(-margin), expit(margin)])

    def predict(self, X: Any) -> Ints:
        return np.asarray(self.predict_proba(X).argmax(axis=1), dtype=np.int64)


def calibrated(
    text: str, classes: int, X: Floats, y: Ints, method: Method
) -> tuple[CalibratedClassifierCV, Calibration]:
    """Calibrate trained trees on rows they were not fitted to: scikit-learn's model, and its numbers."""
    frozen = FrozenEstimator(BoostedMargin(text, classes))
    model = CalibratedClassifierCV(frozen, method=method).fit(X, y)
    (fitted,) = model.calibrated_classifiers_
    (regressor,) = fitted.calibrators
    if method == "sigmoid":
        x, heights = [regressor.a_], [regressor.b_]
    elif method == "isotonic":
        x, heights = list(regressor.X_thresholds_), list(regressor.y_thresholds_)
    else:
        x, heights = [regressor.beta_], []
    numbers = Calibration(method=method, x=tuple(map(float, x)), y=tuple(map(float, heights)))
    return model, numbers
