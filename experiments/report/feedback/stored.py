"""What customers said through the API, straight from the store: quick, and without what was known of them.

For pages that show scores and themes; `known.py` adds what rows can tell of who answered. Attributes and
scores need features, which `nba feedback report` has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import orjson
import polars as pl

from experiments.report.feedback.heard import ANSWERS, NEAR, TEXTS, Heard, nearest_answer
from nba.artefacts import Artefacts
from nba.journey.feedback.model import TextModel
from nba.journey.feedback.sealed import KIND, unseal_text_model
from nba.playbook.feedback import SURVEYS
from nba.playbook.feedback import TEXTS as WITH_TEXT
from nba.stores.ports import Store, TouchpointRow

_NAME = ("customer", pl.String())  # in place of the number
_ANSWERS = pl.Schema([_NAME, *list(ANSWERS.items())[1:], ("channel", pl.String())])
_TEXTS = pl.Schema([_NAME, *list(TEXTS.items())[1:]])


def stored(store: Store, *, since: float, until: float) -> Heard:
    """Answers, by channel, and texts of since ≤ time < until. What came as event and outcome counts once."""
    return numbered(*said(store.touchpoints(since, until)))


def said(chunks: Iterable[Sequence[TouchpointRow]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Answers, with columns of `ANSWERS` and a channel, and texts, of `TEXTS`; customers by surrogate."""
    answers, texts = [pl.DataFrame(schema=_ANSWERS)], [pl.DataFrame(schema=_TEXTS)]
    seen: set[tuple[str, str, str]] = set()
    for rows in chunks:
        fresh = list(_fresh(rows, seen))
        given = [(r.surrogate, r.type, r.value, r.occurred_at, r.channel) for r in fresh if r.type in SURVEYS]
        answers.append(pl.DataFrame(given, schema=_ANSWERS, orient="row"))
        texts.append(pl.DataFrame(list(_texts(fresh)), schema=_TEXTS, orient="row"))
    return pl.concat(answers), pl.concat(texts)


def numbered(answers: pl.DataFrame, texts: pl.DataFrame) -> Heard:
    """Columns of `ANSWERS` with a channel, and of `TEXTS`, with customers by name: names become numbers."""
    names = pl.concat([answers["customer"], texts["customer"]]).unique().sort()
    codes = pl.Series(range(len(names)), dtype=pl.Int64)

    def coded(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.col("customer").replace_strict(names, codes, return_dtype=pl.Int64))

    given, said = coded(answers), coded(texts).select(TEXTS.names())
    return Heard(
        answers=given.select(ANSWERS.names()),
        splits={"channel": given["channel"]},
        facts={},
        texts=said,
        answer_of=nearest_answer(given, said, NEAR),
    )


def text_model(store: Store, artefacts: Artefacts) -> tuple[TextModel | None, str]:
    """The published text model and its version; None and "" where none is.

    Raises:
        CorruptArtefact, NotFound: its artefact can't be used.
    """
    publication = store.serving().get(KIND)
    if publication is None:
        return None, ""
    return unseal_text_model(artefacts.read(publication.version)), publication.version


def text_of(properties: str | None) -> str | None:
    """The text in a touchpoint's properties; None where there is none."""
    text = orjson.loads(properties).get("text") if properties else None
    return text if isinstance(text, str) and text.strip() else None


def _fresh(rows: Sequence[TouchpointRow], seen: set[tuple[str, str, str]]) -> Iterator[TouchpointRow]:
    for row in rows:
        if row.type in SURVEYS or row.type in WITH_TEXT:
            key = (row.id, row.surrogate, row.type)
            if key not in seen:
                seen.add(key)
                yield row


def _texts(rows: Sequence[TouchpointRow]) -> Iterator[tuple[str, str, str, float]]:
    for row in rows:
        text = text_of(row.properties) if row.type in WITH_TEXT else None
        if text is not None:
            yield row.surrogate, row.type, text, row.occurred_at
