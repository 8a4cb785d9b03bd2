"""A text model's card: what it reads, what it learned from, how it was judged, where it does not apply.

As plain values, and as Markdown for people. Mitchell et al. (2019), "Model Cards for Model Reporting". No
text and no word of a text is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from nba.journey.feedback.model import SENTIMENT
from nba.model import timestamp
from training.feedback.fit import LEAST, FittedTexts
from training.feedback.texts import Texts

_OFF = 0.05
_WEAK = 0.6

LIMITS = (
    "It reads texts like those it learned from: of another business or about other things it is less right "
    "than the figures here, and nothing here says by how much.",
    "A text of whose words it has met too few, as in another language, gets no sentiment and no theme.",
    "Irony, quotes and mixed judgements are read word by word, and often wrongly.",
    "The label is what customers ticked or gave as stars, which is not quite what they wrote.",
    "It is made for adding up over many texts; of one customer's text it is a hint and no ground to refuse "
    "them anything.",
)


def card(fitted: FittedTexts, texts: Texts, version: str, fingerprint: str, source: str) -> dict[str, Any]:
    """The card as JSON values.

    Args:
        version: of the artefact; fingerprint: of the rows; source: the file's name.
    """
    train, at = ~texts.test, texts.at
    language = fitted.model.language
    return {
        "what": "sentiment and theme of customers' texts",
        "version": version,
        "language": {
            "name": language.name,
            "known_words": len(language.known),
            "least_share_of_known_words": language.least,
            "test_texts_in_it": fitted.covered,
        },
        "training": {
            "source": source,
            "rows": int(train.sum()),
            "test_rows": int(texts.test.sum()),
            "split": texts.split,
            "left_out": dict(texts.left_out),
            "from": None if at is None else timestamp(float(at[train].min())),
            "to": None if at is None else timestamp(float(at[train].max())),
            "fingerprint": fingerprint,
        },
        "settings": {name: asdict(setting) for name, setting in fitted.settings.items()},
        "judged": {name: judged.to_json() for name, judged in fitted.judged.items()},
        "skipped": dict(fitted.skipped),
        "limits": list(LIMITS),
        "weaknesses": list(weaknesses(fitted)),
    }


def weaknesses(fitted: FittedTexts) -> Iterator[str]:
    """What the figures warn of, in words."""
    for name, judged in fitted.judged.items():
        figures = judged.figures
        if figures["log_loss"] >= figures["base_log_loss"]:
            yield f"Its {name} is no better than the classes' shares."
        if figures["accuracy_low"] <= figures["base_accuracy"]:
            yield f"Its {name} is not shown to be right more often than always answering the commonest class."
        if figures["calibration_error"] > _OFF:
            yield f"The odds of {name} are off by {figures['calibration_error']:.3f} on average."
        for label, found in judged.by_class.items():
            if found["f1"] < _WEAK:
                yield (
                    f"It is weak at {name} {label!r}: of those it names {found['precision']:.0%} are, and of "
                    f"those there are it finds {found['recall']:.0%} (F1 {found['f1']:.2f}, "
                    f"{found['rows']:,.0f} rows)."
                )
    for name, why in fitted.skipped.items():
        yield f"It has no {name}: {why}."


def markdown(card: Mapping[str, Any]) -> str:
    """The card for people."""
    training, language = card["training"], card["language"]
    span = f", {training['from'][:10]} to {training['to'][:10]}" if training["from"] else ", of no known time"
    lines = [
        "# Text model",
        "",
        f"Sentiment and theme of customers' texts. Version `{card['version'][:12]}`.",
        "",
        "## Learned from",
        "",
        f"{training['rows']:,} texts of {training['source']}{span}; fingerprint "
        f"`{training['fingerprint'][:12]}`. Judged on {training['test_rows']:,} others: {training['split']}.",
        *[f"- left out, {why}: {rows:,}" for why, rows in training["left_out"].items() if rows],
        "",
        "## Language",
        "",
        f"{language['name']}. A text is read where at least {language['least_share_of_known_words']:.0%} of "
        f"its words are among {language['known_words']:,} known ones; {language['test_texts_in_it']:.2%} of "
        "the texts held out are.",
    ]
    for name, judged in card["judged"].items():
        lines += ["", f"## {name.capitalize()}", "", *_head(judged)]
    lines += ["", "## Limits", "", *[f"- {line}" for line in card["limits"]]]
    lines += ["", "## Weaknesses", ""]
    lines += [f"- {line}" for line in card["weaknesses"]] or ["None of the checks found one."]
    return "\n".join(lines) + "\n"


def _head(judged: Mapping[str, Any]) -> Iterator[str]:
    f = judged["figures"]
    yield from ("| on rows held out | model | baseline |", "|---|---|---|")
    for name in ("accuracy", "macro_f1"):
        ends = f"{f[f'{name}_low']:.3f} to {f[f'{name}_high']:.3f}"
        yield f"| {name.replace('_', ' ')} | {f[name]:.3f} ({ends}) | {f[f'base_{name}']:.3f} |"
    yield f"| log loss | {f['log_loss']:.3f} | {f['base_log_loss']:.3f} |"
    yield f"| calibration error | {f['calibration_error']:.3f} | |"
    yield ""
    yield "The baseline always answers the commonest class; its log loss is that of the training shares."
    yield ""
    classes = judged["classes"]
    yield f"| is \\ answered | {' | '.join(classes)} | precision | recall | F1 |"
    yield "|---" * (len(classes) + 4) + "|"
    for label, row in zip(classes, judged["confusion"], strict=True):
        found = judged["by_class"][label]
        figures = " | ".join(f"{found[name]:.3f}" for name in ("precision", "recall", "f1"))
        yield f"| {label} | {' | '.join(f'{n:,}' for n in row)} | {figures} |"


def no_better(fitted: FittedTexts) -> str:
    """Why the model must not serve: its sentiment has learned nothing. Empty where it has."""
    f = fitted.judged[SENTIMENT].figures
    if f["log_loss"] < f["base_log_loss"] and f["macro_f1_low"] > f["base_macro_f1"]:
        return ""
    return (
        f"its log loss of {f['log_loss']:.4f} and macro F1 of {f['macro_f1']:.3f} are no better than the "
        f"{f['base_log_loss']:.4f} and {f['base_macro_f1']:.3f} of the baseline, on {f['rows']:,.0f} test "
        f"rows; a class needs {LEAST} texts, and many more help"
    )
