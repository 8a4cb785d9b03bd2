"""Gradient-boosted trees. The one module that imports lightgbm.

Training asks for an estimator or a booster here; serving keeps the booster's text and predicts from it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nba.errors import CorruptArtefact, MissingLibrary

Floats = NDArray[np.float64]
_BULK = 2_000  # rows from which a second thread pays
_SETTINGS = {"verbosity": -1, "deterministic": True, "force_row_wise": True, "n_jobs": 2, "max_bin": 63}


@cache
def _lightgbm() -> Any:
    """The library, imported when the first model is used: it is slow to load, and may lack its runtime.

    Raises:
        MissingLibrary: the OpenMP runtime that it links to is not installed.
    """
    try:
        import lightgbm
    except OSError as error:
        mend = "LightGBM needs the OpenMP runtime; on Debian: apt-get install -y libgomp1"
        raise MissingLibrary(f"{mend} ({error})") from error
    return lightgbm


class Trees:
    """A trained booster, as text. The same row gives the same bits, alone or in bulk."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self._booster = _lightgbm().Booster(model_str=text)
        except _lightgbm().basic.LightGBMError as error:
            raise CorruptArtefact(f"the boosted model can't be read: {error}") from None

    @property
    def features(self) -> int:
        """How many columns it takes."""
        return int(self._booster.num_feature())

    def predict(self, X: Floats, raw: bool = False) -> Floats:
        """(n, d) → (n,), or (n, classes) for a multi-class model. `raw` is before the link function."""
        threads = 1 if len(X) < _BULK else 2  # rows are independent: the bits are the same
        values = self._booster.predict(X, num_threads=threads, raw_score=raw, validate_features=False)
        return np.asarray(values, dtype=np.float64)

    def contributions(self, X: Floats) -> Floats:
        """(n, d) → (n, d + 1): SHAP values (TreeSHAP, Lundberg et al. 2020), the last the base value."""
        values = self._booster.predict(X, num_threads=1, pred_contrib=True)
        return np.asarray(values, dtype=np.float64)


def regressor(**settings: Any) -> Any:
    """An untrained `LGBMRegressor`: quiet, deterministic, two threads."""
    return _lightgbm().LGBMRegressor(**{**_SETTINGS, **settings})


def classifier(**settings: Any) -> Any:
    """An untrained `LGBMClassifier`, likewise."""
    return _lightgbm().LGBMClassifier(**{**_SETTINGS, **settings})


def early_stopping(rounds: int) -> Any:
    """The callback that stops when the validation score has not improved for `rounds`."""
    return _lightgbm().early_stopping(rounds, verbose=False)
