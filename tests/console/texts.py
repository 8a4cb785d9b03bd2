"""The English texts of the console, as its templates and pages have them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from serving.console import mapped, trials
from serving.console.pages import PAGES, feedback, policy
from serving.console.pages.decisions import _FIELDS, _FIXED
from serving.console.pages.overview import _PAIR
from tests.serving.running import ROOT

CONSOLE = ROOT / "serving" / "console"
PICTURE = ROOT / "nba" / "journey" / "picture.py"
_CALL = re.compile(r"""_\(\s*(?:"([^"]*)"|'([^']*)')""")
_SAID = (  # what the store and other modules say, and templates pass on by name
    *("treatment", "holdout", "random_eligible", "active", "held", "reserved", "shown", "released"),
    *("displaced", "lapsed", "autopilot", "apprentice", "day", "week", "month"),
    *("not started", "washout", "running", "ended"),
    *("broken split", "stop for harm", "ship", "keep running", "no difference shown"),
    *("open", "in_progress", "resolved", "closed", "Decision", "Touchpoint", "Feedback", "Ticket"),
    *("(the rest)", "Stage change", "Ticket settled", "untrained", "fallback"),
    *("policy", "scores", "segments", "challenger", "ramp"),
    *("negative", "neutral", "positive", "nps", "csat", "ces", "review", "comment", "complaint"),
    *("night", "morning", "afternoon", "evening", "even", "by chance", "uneven"),
    *("better", "worse", "no difference"),
    "That form was out of date. Try again.",
    "Too many attempts. Wait a quarter of an hour.",
    "Name and password do not go together.",
)


def texts() -> set[str]:
    """All that has to be translated."""
    found = {text for path in CONSOLE.rglob("*.html") for text in _of_template(path)}
    found |= {text for path in CONSOLE.rglob("*.py") for text in _of_module(path)}
    found |= {*(page.title for page in PAGES), *_SAID, *map(_of_picture, _of_module(PICTURE))}
    for named in (_FIXED, _FIELDS, _PAIR, trials.METHODS, trials.READING, policy.CHECKS, *_tables()):
        found |= set(named.values())
    return found - {""}


def _of_picture(text: str) -> str:
    """Its cases are customers in the console."""
    return mapped._of_customers(text)


def _tables() -> list[dict[str, str]]:
    return [feedback._TITLES, feedback._SPLITS, feedback._SIZES, feedback._HEADS]


def _of_template(path: Path) -> Iterator[str]:
    for double, single in _CALL.findall(path.read_text(encoding="utf-8")):
        yield double or single


def _of_module(path: Path) -> Iterator[str]:
    """First arguments of calls to `words(…)` and `….words(…)`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "words" and isinstance(node.args[0].value, str):
                yield node.args[0].value
        if isinstance(node, ast.For | ast.comprehension | ast.Assign) and _is_heads(node):
            yield from (
                c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str)
            )


def _is_heads(node: ast.For | ast.comprehension | ast.Assign) -> bool:
    """`for head in ("Step", …)` and `heads = ("Step", …)`: what `words(head)` is said of."""
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0]) == "heads" and isinstance(node.value, ast.Tuple)
    return ast.unparse(node.target) == "head" and isinstance(node.iter, ast.Tuple)
