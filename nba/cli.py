"""The `nba` command: collects the sub-commands of every folder through entry points.

A sub-command is a typer-annotated function, named by a line under `nba.commands` in pyproject.toml. Its
module must be quick to import: what is heavy is imported in the function's body.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

import typer

from nba.errors import CallOperator, InvalidInput, NbaError, Retryable

GROUP = "nba.commands"
_ABOUT = {"benchmark": "Contests on public data.", "experiment": "What experiments have shown."}
EXIT_CORRECTABLE, EXIT_RETRYABLE, EXIT_OPERATOR = 2, 3, 4


def build() -> typer.Typer:
    """The whole command line. An entry point named `journey.map` becomes `nba journey map`."""
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
        if parent and parent not in groups:
            groups[parent] = typer.Typer(help=_ABOUT.get(parent), no_args_is_help=True, rich_markup_mode=None)
            app.add_typer(groups[parent], name=parent)
        (groups[parent] if parent else app).command(name)(entry.load())
    return app


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
