"""Made-up texts: what was written follows from the label, so a model has something to find."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

GOOD = [
    "love",
    "great",
    "perfect",
    "soft",
    "comfortable",
    "flattering",
    "recommend",
    "happy",
    "lovely",
    "favourite",
]
BAD = [
    "terrible",
    "cheap",
    "returned",
    "itchy",
    "awful",
    "disappointed",
    "poor",
    "thin",
    "unhappy",
    "scratchy",
]
PLAIN = [
    "the",
    "a",
    "this",
    "it",
    "was",
    "and",
    "i",
    "my",
    "for",
    "with",
    "of",
    "in",
    "on",
    "so",
    "very",
    "size",
    "dress",
    "shirt",
    "wore",
    "day",
    "ordered",
    "colour",
]
DRESS, SHIRT = ["gown", "skirt", "hem", "waist", "evening"], ["collar", "sleeve", "button", "cuff", "office"]
DUTCH = "Deze jurk is prachtig en zit heerlijk, ik ben er erg blij mee"
SCRIPT = "<script>alert('x')</script><img src=x onerror=alert(1)>"


def reviews(n: int = 600, seed: int = 0) -> pl.DataFrame:
    """n rows of text, stars (1, 3, 5), about (dress, shirt), customer, and a day."""
    rng = np.random.default_rng(seed)
    stars = rng.choice([1, 3, 5], size=n, p=[0.3, 0.2, 0.5])
    about = rng.choice(["dress", "shirt"], size=n)
    rows = []
    for star, theme in zip(stars.tolist(), about.tolist(), strict=True):
        mood = {1: BAD, 3: [*GOOD, *BAD], 5: GOOD}[star]
        drawn = [
            *rng.choice(mood, 4),
            *rng.choice(PLAIN, 12),
            *rng.choice(DRESS if theme == "dress" else SHIRT, 3),
        ]
        rows.append(" ".join(rng.permutation(drawn)))
    return pl.DataFrame(
        {
            "text": rows,
            "stars": stars,
            "about": about,
            "customer": [f"c{i % (n // 2)}" for i in range(n)],
            "day": pl.Series(np.arange(n)).cast(pl.Date),
        }
    )


def written(folder: Path, frame: pl.DataFrame, name: str = "reviews.parquet") -> Path:
    path = folder / name
    frame.write_parquet(path)
    return path
