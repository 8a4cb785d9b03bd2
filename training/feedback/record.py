"""What training a text model leaves in MLflow: a run of the experiment `feedback`.

Figures and names of classes; no text, and no word of a text.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

from experiments.tracking import RunRecord, fingerprint_of_columns
from experiments.tracking.record import Metric
from training.feedback.card import markdown
from training.feedback.fit import FittedTexts
from training.feedback.judged import Judged
from training.feedback.texts import Texts

EXPERIMENT = "feedback"


def record(fitted: FittedTexts, texts: Texts, card: Mapping[str, Any], at: float, seed: int) -> RunRecord:
    """The run. The same rows and seed at another time are another run."""
    settings = {
        f"{name}.{setting}": value
        for name, chosen in card["settings"].items()
        for setting, value in chosen.items()
        if setting in ("kinds", "strength", "lean", "beta")
    }
    training = card["training"]
    return RunRecord(
        experiment=EXPERIMENT,
        name=f"text {training['source']}"[:250],
        started_at=at,
        params={
            **settings,
            "source": training["source"],
            "split": training["split"],
            "rows": training["rows"],
            "language": card["language"]["name"],
            "data_fingerprint": training["fingerprint"],
            "seed": seed,
        },
        metrics=tuple(_metrics(fitted)),
        tags={"artefact": card["version"], "data": training["fingerprint"]},
        tables={f"reliability_{name}.json": j.reliability for name, j in fitted.judged.items()},
        dicts={"card.json": dict(card)},
        texts={"card.md": markdown(card)},
        figures={
            name: png
            for head, judged in fitted.judged.items()
            for name, png in (
                (f"confusion_{head}.png", confusion_png(head, judged)),
                (f"reliability_{head}.png", reliability_png(head, judged)),
            )
        },
    )


def data_fingerprint(texts: Texts) -> str:
    """SHA-256 of texts, labels and split; of no use for finding a text again."""
    import numpy as np

    return fingerprint_of_columns(
        {
            "text": np.array([text.encode("utf-8", "surrogatepass") for text in texts.texts]),
            "sentiment": texts.sentiment,
            "theme": texts.theme,
            "test": texts.test,
        }
    )


def _metrics(fitted: FittedTexts) -> Iterator[Metric]:
    yield "test_texts_in_language", fitted.covered, 0
    for name, judged in fitted.judged.items():
        for figure, value in judged.figures.items():
            yield f"{name}.{figure}", value, 0
        if name == "sentiment":  # themes are named by the company, in any letters; the card has theirs
            for label, found in judged.by_class.items():
                for figure, value in found.items():
                    yield f"{name}.{label}.{figure}", value, 0


def confusion_png(head: str, judged: Judged) -> bytes:
    """What is so by what was answered, as shares of a row, with counts."""
    from matplotlib.figure import Figure

    n = len(judged.classes)
    figure = Figure(figsize=(2.5 + 0.9 * n, 2 + 0.8 * n), layout="constrained")
    axes = figure.subplots()
    shares = [[cell / max(sum(row), 1) for cell in row] for row in judged.confusion]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(judged.confusion):
        for j, cell in enumerate(row):
            color = "white" if shares[i][j] > 0.5 else "black"
            axes.text(j, i, f"{cell:,}", ha="center", va="center", color=color)
    axes.set_xticks(range(n), judged.classes, rotation=30, ha="right")
    axes.set_yticks(range(n), judged.classes)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_parse_math(False)  # a theme is a name, whatever signs it has
    axes.set(xlabel="answered", ylabel="is", title=f"{head}, rows held out")
    return _png(figure)


def reliability_png(head: str, judged: Judged) -> bytes:
    """What was predicted of the first class against what came; the diagonal is honesty."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    predicted = [b["predicted"] for b in judged.reliability]
    observed = [b["observed"] for b in judged.reliability]
    top = max(*predicted, *observed, 1e-6) * 1.05
    axes.plot([0, top], [0, top], linestyle="--", color="grey", linewidth=1)
    axes.plot(predicted, observed, marker="o")
    axes.set(xlabel="predicted", ylabel="observed", title=f"{head}: odds of {judged.classes[0]}")
    return _png(figure)


def _png(figure: Any) -> bytes:
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=110, metadata={"Software": None})
    return held.getvalue()
