"""`nba benchmark delay`: what the delay model is worth, by a backtest."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nba.commands.options import JsonFile, console

if TYPE_CHECKING:
    from rich.table import Table

    from training.rewards.backtest import Row


def delay(
    data: Annotated[
        Path | None, typer.Option(help="The folder of starbucks-offers; without it the built-in world.")
    ] = None,
    rising: Annotated[
        bool, typer.Option("--rising", help="In the world contacts go from 20 % to 80 % of decisions midway.")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Mean rewards estimated at moments of the past, against what they turned out to be.

    Treating as zero what has not come, leaving out what is not mature, and by the delay model.
    """
    from training.rewards.backtest import backtest
    from training.rewards.past_logs import starbucks_log, starbucks_moments, world_log, world_moments

    if data is not None:
        log = starbucks_log(data)
        moments = starbucks_moments(log)
    else:
        log = world_log(contacts=(lambda day: 0.8 if day >= 35 else 0.2) if rising else lambda day: 0.5)
        moments = world_moments()
    rows = backtest(log, moments, recent=2 * log.objectives.window)
    out = console()
    out.print(
        f"{len(log.customer):,} decisions, {len(moments)} moments; windows of two reward clocks before each"
    )
    out.print(_table(rows))
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")


def _table(rows: list[Row]) -> Table:
    from rich.table import Table

    table = Table("decisions", "truth", "estimate", "bias", "95 %", "RMSE", "95 %", title="Mean reward")
    for row in rows:
        first = row.estimator == "zero"
        table.add_row(
            row.group if first else "",
            f"{row.truth:.3f}" if first else "",
            row.estimator,
            f"{row.bias.value:+.3f}",
            f"{row.bias.low:+.3f} to {row.bias.high:+.3f}",
            f"{row.rmse.value:.3f}",
            f"{row.rmse.low:.3f} to {row.rmse.high:.3f}",
        )
    return table
