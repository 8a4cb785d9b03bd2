"""Templates to HTML. Everything is escaped but what is marked as markup here: charts and the journey map."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from serving.console.words import Words


def page(template: str, words: Words, values: Mapping[str, Any]) -> str:
    """The page in the reader's language."""
    return _environment().get_template(template).render(_=words, words=words, **values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("serving.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
