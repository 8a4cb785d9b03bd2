"""Sentences that other modules say in English, in the reader's language: health, the gate, errors.

They come as text, some of them from the log, so they are known by their form: a catalogue `told.<language>`
has templates, `{0} is spread as before`, and what stands in the places is put into the translation, figures
as the language writes them, phrases translated likewise. What no template knows stays as it is, marked as
English.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml
from markupsafe import Markup, escape

_PLACE = re.compile(r"\{(\d)\}")
_FIGURE = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?%?")
_FIGURES = re.compile(r"(.*) \([^()]* [\d.,e+-]+\)", re.DOTALL)
_LONGEST = 600  # letters: what a person wrote at length is none of ours
_JOINTS = ("; ", " and ")
Written = Callable[[float, int], str]


@dataclass(frozen=True, slots=True)
class _Template:
    form: re.Pattern[str]
    translation: str

    def filled(self, text: str, said: Callable[[str], str]) -> str | None:
        """The translation of a text of this form; None of another."""
        found = self.form.fullmatch(text)
        if found is None:
            return None
        return _PLACE.sub(lambda place: said(found.group(f"p{place.group(1)}")), self.translation)


def told(text: str, language: str, number: Written, percent: Written) -> Markup:
    """A sentence for a page, escaped.

    Args:
        number, percent: a figure with so many decimals, as the language writes it.
    """
    if language == "en":
        return escape(text)
    found = _translated(text, language, number, percent)
    return escape(found) if found is not None else Markup('<span lang="en">{}</span>').format(text)


def told_plainly(text: str, language: str, number: Written, percent: Written) -> str:
    """The same as plain text; what no template knows stays as it is."""
    found = None if language == "en" else _translated(text, language, number, percent)
    return text if found is None else found


def _translated(text: str, language: str, number: Written, percent: Written) -> str | None:
    def within(part: str) -> str:
        if _FIGURE.fullmatch(part):
            return _figure(part, number, percent)
        found = _translated(part, language, number, percent) if part.strip() else None
        return part if found is None else found

    if len(text) > _LONGEST:
        return None
    exact, templates = _catalogue(language)
    if text in exact:
        return exact[text]
    for template in templates:
        found = template.filled(text, within)
        if found is not None:
            return found
    figures = _FIGURES.fullmatch(text)
    if figures is not None:  # what an error has for those who look into it
        return _translated(figures.group(1), language, number, percent)
    for joint in _JOINTS:
        parts = (
            [_translated(part, language, number, percent) for part in text.split(joint)]
            if joint in text
            else []
        )
        if parts and None not in parts:
            return exact.get(joint, joint).join(part for part in parts if part is not None)
    head, colon, rest = text.partition(": ")
    tail = _translated(rest, language, number, percent) if colon else None
    return None if tail is None else f"{head}: {tail}"


def _figure(text: str, number: Written, percent: Written) -> str:
    plain = text.replace(",", "").removesuffix("%").lstrip("+-")
    decimals = len(plain.partition(".")[2])
    sign = {"+": "+", "-": "−"}.get(text[0], "")
    value = float(plain)
    return sign + (percent(value / 100, decimals) if text.endswith("%") else number(value, decimals))


@cache
def _catalogue(language: str) -> tuple[Mapping[str, str], tuple[_Template, ...]]:
    """Sentences without a place, and templates, those with most words of their own first."""
    found = catalogue(language)
    exact = {text: told for text, told in found.items() if not _PLACE.search(text)}
    places = sorted((t for t in found if t not in exact), key=lambda t: (-len(_PLACE.sub("", t)), t))
    return exact, tuple(_Template(_form(text), found[text]) for text in places)


def catalogue(language: str) -> Mapping[str, str]:
    """English template → translation."""
    text = files("serving.console").joinpath(f"catalogues/told.{language}.yaml").read_text(encoding="utf-8")
    read: Mapping[str, str] = yaml.safe_load(text) or {}
    return read


def _form(text: str) -> re.Pattern[str]:
    parts = _PLACE.split(text)  # words, place, words, place, …
    forms = [re.escape(part) if i % 2 == 0 else f"(?P<p{part}>.*?)" for i, part in enumerate(parts)]
    return re.compile("".join(forms), re.DOTALL)
