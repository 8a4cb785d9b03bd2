"""A text as the pieces that a model counts: words, pairs of words, parts of words.

Markup has no meaning here: `<script>` is the word "script". Training and serving cut texts by this code.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from itertools import pairwise

LONGEST_READ = 20_000  # characters; what stands beyond is not read
_LONGEST_WORD = 40
_PARTS = (3, 4, 5)  # letters, the word's two ends counted
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


def words(text: str) -> list[str]:
    """In order, in small letters; `don’t` is one word and is spelt `don't`."""
    plain = unicodedata.normalize("NFKC", text[:LONGEST_READ]).casefold().replace("\u2019", "'")
    return [word[:_LONGEST_WORD] for word in _WORD.findall(plain)]


def phrases(text: str) -> list[str]:
    """Words, then each with the one after it."""
    found = words(text)
    return found + [f"{first} {second}" for first, second in pairwise(found)]


def parts(text: str) -> list[str]:
    """Every 3, 4 and 5 letters in a row of each word, whose ends are a space: misspellings share them."""
    found: list[str] = []
    for word in words(text):
        padded = f" {word} "
        found += [padded[i : i + n] for n in _PARTS for i in range(len(padded) - n + 1)]
    return found


PIECES: Mapping[str, Callable[[str], list[str]]] = {"phrases": phrases, "parts": parts}
