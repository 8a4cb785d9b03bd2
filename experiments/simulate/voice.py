"""What customers say: answers to a survey with a comment, and complaints. An addition to the world.

It looks at the world and changes nothing in it, on random numbers of its own: with it or without it customers
live the same lives.

    answer = 8.6 + 1.6 · noise − 2.2 · touchiness · fatigue − 3 · open ticket + 0.8 · advocacy, 0 to 10, whole

So who is contacted more than they bear, and who waits for help, is a detractor more often, and that is why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import yaml

from experiments.simulate.calendar import DAY, day_start
from experiments.simulate.commerce import Floats, Ints
from experiments.simulate.dynamics import STAGES, State
from experiments.simulate.response import Flags, customer_ids
from experiments.simulate.world import World

ASKED = 0.006  # the share of customers who answer the survey on a day
COMMENTS = 0.6  # of answers that come with a comment
UNHAPPY, HAPPY = 6, 9
BASE, NOISE, TIRED, WAITING, FOND = 8.6, 1.6, 2.2, 3.0, 0.8
_COLUMNS = ("asked", "noise0", "noise1", "noise2", "at", "comments", "cause", "opening", "sentence", "end")
_MOODS = ("unhappy", "unhappy", "neutral", "happy", "happy")
_STARS = {"unhappy": 2, "neutral": 3, "happy": 4}
ASIDE = 0.3  # of reviews, that speak of another theme too
_STREAM: Final = 2**48  # the world's own streams of a day are below
_REVIEWS: Final = 2**49

SAID = pl.Schema(
    {
        "event_id": pl.String(),
        "customer_id": pl.String(),
        "type": pl.String(),
        "channel": pl.String(),
        "occurred_at": pl.Datetime("us", "UTC"),
        "value": pl.Float64(),
        "text": pl.String(),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """Of which texts are made: theme → mood (unhappy, neutral, happy) → sentences."""

    openings: Sequence[str]
    themes: Mapping[str, Mapping[str, Sequence[str]]]
    ends: Sequence[str]

    def text(self, theme: str, mood: str, opening: float, sentence: float, end: float) -> str:
        """One text; the last three are uniforms in [0, 1)."""
        parts = (
            _pick(self.openings, opening),
            _pick(self.themes[theme][mood], sentence),
            _pick(self.ends, end),
        )
        return " ".join(part for part in parts if part)


@cache
def phrases() -> Phrases:
    """Those of `voice.yaml`."""
    return Phrases(**yaml.safe_load(Path(__file__).with_name("voice.yaml").read_text(encoding="utf-8")))


def answers(world: World, state: State, day: int, seed: int) -> pl.DataFrame:
    """What customers answer on a day that they began in `state`, with the columns of SAID, by time.

    Events `nps`, and `comment` of the same moment for some of them.
    """
    u = draws_of(seed, day, world.customers)
    rows = np.flatnonzero(state.alive & (u["asked"] < ASKED))
    u = {name: column[rows] for name, column in u.items()}
    tired, waits = (world.traits.touchiness * state.fatigue)[rows], state.ticket[rows]
    score = _scores(u, tired, waits, state.stage[rows] == STAGES.index("advocacy"))
    at = day_start(day) + u["at"] * (DAY - 2)
    texts = [
        phrases().text(theme, mood, *pieces)
        for theme, mood, *pieces in zip(
            _themes(score, tired, waits, u["cause"]),
            _moods(score),
            u["opening"].tolist(),
            u["sentence"].tolist(),
            u["end"].tolist(),
            strict=True,
        )
    ]
    writes = u["comments"] < COMMENTS
    scores = _said(seed, day, rows, "nps", at, score, None)
    comments = _said(seed, day, rows, "comment", at, np.zeros(len(rows)), texts).filter(pl.Series(writes))
    return pl.concat([scores, comments]).sort("occurred_at", "event_id")


def complaints(opened: pl.DataFrame, customers: int, day: int, seed: int) -> pl.DataFrame:
    """The touchpoints `ticket_opened` of a day as what the customers wrote, with the columns of SAID."""
    rows = opened["customer_id"].str.slice(2).cast(pl.Int64).to_numpy()
    u = {name: column[rows].tolist() for name, column in draws_of(seed, day, customers).items()}
    texts = [
        phrases().text(_pick(("delivery", "coffee", "service"), cause), "unhappy", *pieces)
        for cause, *pieces in zip(u["cause"], u["opening"], u["sentence"], u["end"], strict=True)
    ]
    return opened.with_columns(
        event_id=pl.col("event_id").str.replace("ticket_opened", "complaint", literal=True),
        type=pl.lit("complaint"),
        text=pl.Series(texts, dtype=pl.String),
    ).select(SAID.names())


def reviews(count: int, seed: int) -> pl.DataFrame:
    """Labelled texts to learn from: review_id, text, rating (1 to 5 stars), theme.

    Stars are one more or less than the mood in two of five, and three in ten speak of another theme too, so
    that there is something to get wrong; they are made of a few dozen sentences all the same.
    """
    key = np.array([seed, _REVIEWS], np.uint64)
    u = np.random.Generator(np.random.Philox(key=key)).random((count, 8))
    moods = [_pick(_MOODS, each) for each in u[:, 0].tolist()]
    names = tuple(phrases().themes)
    themes = [_pick(names, each) for each in u[:, 1].tolist()]
    texts = [
        phrases().text(theme, mood, *pieces)
        for theme, mood, pieces in zip(themes, moods, u[:, 2:5].tolist(), strict=True)
    ]
    aside = u[:, 5] < ASIDE
    texts = [
        f"{text} {phrases().text(_pick(names, other), mood, 0.0, other * 7 % 1, 0.0)}" if too else text
        for text, mood, other, too in zip(texts, moods, u[:, 6].tolist(), aside.tolist(), strict=True)
    ]
    stars = np.array([_STARS[mood] for mood in moods]) + np.array([-1, 0, 0, 0, 1])[(5 * u[:, 7]).astype(int)]
    ids = [f"r{seed}.{row}" for row in range(count)]
    return pl.DataFrame({"review_id": ids, "text": texts, "rating": np.clip(stars, 1, 5), "theme": themes})


def draws_of(seed: int, day: int, population: int) -> dict[str, Floats]:
    """Uniforms (n,) by name, row by row, so that customer i's are the same for any population."""
    key = np.array([seed, _STREAM + day], np.uint64)
    u = np.random.Generator(np.random.Philox(key=key)).random((population, len(_COLUMNS)))
    return dict(zip(_COLUMNS, u.T, strict=True))


def _scores(u: Mapping[str, Floats], tired: Floats, waits: Flags, fond: Flags) -> Floats:
    noise = 2 * (u["noise0"] + u["noise1"] + u["noise2"] - 1.5)  # mean 0, variance 1
    liking = BASE + NOISE * noise - TIRED * tired - WAITING * waits + FOND * fond
    score: Floats = np.clip(np.rint(liking), 0, 10)
    return score


def _moods(score: Floats) -> list[str]:
    return ["unhappy" if s <= UNHAPPY else "happy" if s >= HAPPY else "neutral" for s in score.tolist()]


def _themes(score: Floats, tired: Floats, waits: Flags, cause: Floats) -> list[str]:
    """What each speaks of: the unhappy of what hurt them most, the others of this and that."""
    found = []
    for s, worn, waiting, u in zip(
        score.tolist(), tired.tolist(), waits.tolist(), cause.tolist(), strict=True
    ):
        if s <= UNHAPPY and waiting:
            found.append("service")
        elif s <= UNHAPPY and TIRED * worn > 1:
            found.append("messages")
        else:
            found.append(_pick(tuple(phrases().themes), u))
    return found


def _said(
    seed: int, day: int, rows: Ints, type: str, at: Floats, value: Floats, texts: list[str] | None
) -> pl.DataFrame:
    number = pl.Series("customer", rows).cast(pl.String)
    return pl.select(
        event_id=pl.concat_str(pl.lit(f"v{seed}.{day}."), number, pl.lit(f".{type}")),
        customer_id=customer_ids(rows),
        type=pl.lit(type),
        channel=pl.lit("email"),
        occurred_at=pl.Series((at * 1e6).astype(np.int64)).cast(pl.Datetime("us", "UTC")),
        value=pl.Series(value.astype(np.float64)),
        text=pl.Series(texts if texts is not None else [None] * len(rows), dtype=pl.String),
    )


def _pick(choices: Sequence[str], uniform: float) -> str:
    return choices[int(uniform * len(choices))]
