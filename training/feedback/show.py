"""A text model's figures for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from experiments.report.tables import table


def show_card(card: Mapping[str, Any], console: Console) -> None:
    """Print how it was judged, and what to beware of."""

    def say(line: str, style: str | None = None) -> None:
        console.print(Text(line), style=style, soft_wrap=True)

    training = card["training"]
    say(f"learned from {training['rows']:,} texts, judged on {training['test_rows']:,}: {training['split']}")
    for why, rows in training["left_out"].items():
        if rows:
            say(f"left out, {why}: {rows:,}")
    for name, judged in card["judged"].items():
        f = judged["figures"]
        say(
            f"{name}: accuracy {f['accuracy']:.3f} ({f['accuracy_low']:.3f} to {f['accuracy_high']:.3f}), "
            f"always the commonest {f['base_accuracy']:.3f}; macro F1 {f['macro_f1']:.3f} "
            f"({f['macro_f1_low']:.3f} to {f['macro_f1_high']:.3f}), {f['base_macro_f1']:.3f}; log loss "
            f"{f['log_loss']:.3f}, {f['base_log_loss']:.3f}; calibration error {f['calibration_error']:.3f}"
        )
        console.print(table(_rows(judged)))
    for line in card["weaknesses"]:
        say(line)
    language = card["language"]
    say(
        f"language {language['name']}: a text is read where {language['least_share_of_known_words']:.0%} of "
        f"its words are known, as in {language['test_texts_in_it']:.2%} of those held out"
    )


def _rows(judged: Mapping[str, Any]) -> list[dict[str, str]]:
    """The confusion, and each class's figures beside."""
    return [
        {
            "is": label.replace("[", "\\["),
            **{
                f"answered {name}".replace("[", "\\["): f"{n:,}"
                for name, n in zip(judged["classes"], row, strict=True)
            },
            **{name: f"{judged['by_class'][label][name]:.3f}" for name in ("precision", "recall", "f1")},
        }
        for label, row in zip(judged["classes"], judged["confusion"], strict=True)
    ]
