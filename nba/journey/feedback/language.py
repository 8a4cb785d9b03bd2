"""Whether a text is in a language that a model has learned: by how many of its words the model has met.

What is left out in training (words of fewer than some texts) is what makes this work: foreign words and names
stand in few texts. It tells a language from the one learned, not one foreign language from another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.journey.feedback.pieces import words


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """The words that a model has met, and how large a share of a text's words must be among them.

    Attributes:
        name: as whoever trained it said, such as `en`.
        known: words of at least some training texts.
        least: in (0, 1].
    """

    name: str
    known: frozenset[str]
    least: float

    def shares(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n,) share of each text's words that are known; NaN for a text without words.

        What has a digit in it is of no language and does not count.
        """
        return np.array([self._share(text) for text in texts], dtype=np.float64)

    def covers(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """(n,) whether the model applies."""
        return self.shares(texts) >= self.least  # NaN is not

    def _share(self, text: str) -> float:
        spoken = [word for word in words(text) if not any(letter.isdigit() for letter in word)]
        return sum(word in self.known for word in spoken) / len(spoken) if spoken else float("nan")
