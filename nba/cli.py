"""The `nba` command: collects the sub-commands of every folder through entry points.

A sub-command is a typer-annotated function, named by a line under `nba.commands` in pyproject.toml. Its
module must be quick to import: what is heavy is imported in the function's body.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

import typer

from nba.errors import CallOperator, InvalidInput, NbaError, Retryable

GROUP = "nba.commands"
_ABOUT = {
    "benchmark": "Contests on public data.",
    "console": "The console at /console.",
    "console.user": "Who may log in to the console.",
    "customers": "One customer: what is known, erasure, links.",
    "experiment": "What experiments have shown.",
    "feedback": "What customers say of the company.",
    "journey": "Where customers stand, and what came after what.",
    "outbox": "Messages that targets have not taken.",
}
EXIT_CORRECTABLE, EXIT_RETRYABLE, EXIT_OPERATOR = 2, 3, 4


def build() -> typer.Typer:
    """The whole command line. An entry point `journey.map` becomes `nba journey map`, and so on down."""
    app = typer.Typer(
        name="nba",
        help="An open brain for customer journeys: decide the next best action, measure, learn.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    groups: dict[str, typer.Typer] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name):
        parent, _, name = entry.name.rpartition(".")
        _group(app, groups, parent).command(name)(_loaded(entry))
    return app


def _group(app: typer.Typer, groups: dict[str, typer.Typer], path: str) -> typer.Typer:
    """The commands under `path`, `console.user`; made with all that stand above them where missing."""
    if not path:
        return app
    if path not in groups:
        parent, _, name = path.rpartition(".")
        groups[path] = typer.Typer(help=_ABOUT.get(path), no_args_is_help=True, rich_markup_mode=None)
        _group(app, groups, parent).add_typer(groups[path], name=name)
    return groups[path]


def _loaded(entry: EntryPoint) -> Callable[..., object]:
    """The command; where it can't be loaded, one that says so, so that the others go on working."""
    try:
        command: Callable[..., object] = entry.load()
    except (ImportError, AttributeError) as error:
        reason = f"this command can't be loaded from {entry.value}: {error}"

        def broken() -> None:
            raise CallOperator(reason)

        broken.__doc__ = "Can't be loaded; run it to see why."
        return broken
    return command


def main() -> None:
    """Run the command line; what went wrong is told in plain words, with an exit code to branch by.

    Exits with 2 for what the caller can correct, 3 for what is worth a retry, 4 for the operator.
    """
    try:
        build()()
    except NbaError as error:
        for line in _lines(error):
            print(f"nba: {line}", file=sys.stderr)
        sys.exit(_exit_code(error))


def _lines(error: NbaError) -> list[str]:
    if isinstance(error, InvalidInput):
        prefix = f"{error.source}: " if error.source else ""
        return [f"{prefix}{item}" for item in error.errors]
    return [error.detail]


def _exit_code(error: NbaError) -> int:
    if isinstance(error, Retryable):
        return EXIT_RETRYABLE
    return EXIT_OPERATOR if isinstance(error, CallOperator) else EXIT_CORRECTABLE
