"""`nba bench`: each measure against its baseline in the same run, one JSON line each.

A measure is a function without arguments that returns {"name", "value", "unit", "baseline", "ratio"};
it is found by an entry point under `nba.benchmarks`, named as the measure is.
"""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from typing import Annotated

import typer

from nba.commands.options import JsonFile
from nba.errors import InvalidInput

GROUP = "nba.benchmarks"


def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Which measures; all by default.")] = None,
    json_file: JsonFile = None,
) -> None:
    """Measure the hot paths, each as a ratio to a baseline of the same run; one JSON line a measure."""
    known = {entry.name: entry for entry in entry_points(group=GROUP)}
    for name in names or ():
        if name not in known:
            there_are = ", ".join(sorted(known))
            raise InvalidInput.of("names", f"there is no measure {name!r}; there are {there_are}")
    lines = []
    for name in names or sorted(known):
        lines.append(json.dumps(known[name].load()()))
        typer.echo(lines[-1])
    if json_file is not None:
        json_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
