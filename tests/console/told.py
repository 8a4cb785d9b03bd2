"""The English sentences that other modules say and pages pass on: as templates, from the source.

`{0}`, `{1}`, … stand where a module puts something in. A sentence that is new, or changed, has no translation
yet, and the test of the catalogues says so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.console.texts import texts
from tests.serving.running import ROOT

SOURCES = (
    "training/health/choices.py",
    "training/health/earned.py",
    "training/health/examine.py",
    "training/health/inputs.py",
    "training/health/shift.py",
    "training/health/wrong_outcomes.py",
    "training/policy/gate.py",
    "training/policy/guards.py",
    "training/learn/steps.py",
    "training/commands/train.py",
    "training/feedback/run.py",
    "training/segments/choose.py",
    "experiments/ab/effect.py",
    "experiments/ab/sample_ratio.py",
    "experiments/ab/segments.py",
    "experiments/report/compare.py",
    "experiments/report/customers.py",
    "experiments/report/split.py",
    "experiments/report/experiment/analysis.py",
    "experiments/report/experiment/arms.py",
    "experiments/report/experiment/methods.py",
    "experiments/report/experiment/reading.py",
    "experiments/report/experiment/remaining.py",
    "nba/journey/events.py",
    "nba/journey/segments.py",
    "nba/journey/scores.py",
    "nba/policies/artefact.py",
    "nba/service.py",
    "nba/deciding.py",
    "nba/erasing.py",
    "nba/ticket_pages.py",
    "serving/problems.py",
    "serving/console",
)
_ERRORS = ("NotEnoughData", "NotFound", "Gone", "SchemaMismatch", "TooLarge")
_NAMES = (
    "detail",
    "reason",
    "why",
    "said",
    "again",
    "share",
    "ERASED",
    "UNKNOWN",
    "GONE",
    "must",
    "of",
    "spent",
    "small",
    "outcome",
    "broken",
)
_OF_REQUESTS = {"must be a JSON object", "is missing", "there is no such field"}  # no page has a JSON body
_SENTENCE = re.compile(r"[A-Za-z]{2,}[,;:]? (\{\d\} )?[a-z]{2,}")


def sentences() -> set[str]:
    """All templates."""
    found: set[str] = set()
    for source in SOURCES:
        path = ROOT / source
        for file in _files(path):
            found |= {
                text for text in _of_module(ast.parse(file.read_text("utf-8"))) if _SENTENCE.search(text)
            }
    return {text for text in found - texts() - _OF_REQUESTS if not text.startswith(("<", "--"))}


def _files(path: Path) -> list[Path]:
    """Of the console all modules but that of its users, who are told in a terminal."""
    return [one for one in sorted(path.rglob("*.py")) if one.name != "users.py"] if path.is_dir() else [path]


def _of_module(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=func, args=args, keywords=keywords):
                if ast.unparse(func) in _ERRORS:
                    yield from (text for arg in args for text in _texts(arg))
                yield from (t for k in keywords if k.arg in _NAMES for t in _texts(k.value))
                if isinstance(func, ast.Attribute) and func.attr == "append":
                    yield from (t for arg in args if ast.unparse(func.value) in _NAMES for t in _texts(arg))
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in _NAMES:
                yield from _texts(value)
            case ast.Yield(value=value) | ast.Return(value=value) if value is not None:
                yield from _texts(value)


def _texts(node: ast.expr) -> Iterator[str]:
    """The templates that an expression may come to."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield _template(values)
        case ast.IfExp(body=one, orelse=other):
            yield from _texts(one)
            yield from _texts(other)
        case ast.Tuple(elts=parts):
            yield from (text for part in parts for text in _texts(part))


def _template(values: list[ast.expr]) -> str:
    slots = iter(range(len(values)))
    return "".join(str(v.value) if isinstance(v, ast.Constant) else f"{{{next(slots)}}}" for v in values)
