"""`nba train`: the scores of a playbook from the history, or one model from a plain table."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from nba.errors import InvalidInput

HEADLINES = ("roc_auc", "pr_auc", "lift_10", "log_loss", "base_log_loss", "accuracy", "calibration_error")


def train(
    playbook: Annotated[Path, typer.Option(help="The playbook.")] = Path("playbook.yaml"),
    history: Annotated[Path, typer.Option(help="The folder of the history.")] = Path("history"),
    as_of: Annotated[str | None, typer.Option(help="ISO 8601; nothing later is seen. Default now.")] = None,
    artefacts: Annotated[Path, typer.Option(help="Where the trained scores are kept.")] = Path("artefacts"),
    table: Annotated[
        Path | None, typer.Option(help="Train on this table (.csv, .parquet), not on the history.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="With --table: the column to predict.")] = None,
    positive: Annotated[str | None, typer.Option(help="With --table: the label's value that counts.")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="With --table: a column to leave out.")] = None,
    time_column: Annotated[str | None, typer.Option(help="With --table: split by this time.")] = None,
    order_by_row: Annotated[
        bool, typer.Option("--order-by-row", help="With --table: rows are in order of time; split by it.")
    ] = False,
    gap: Annotated[float, typer.Option(help="With --table: the label's horizon, days (or rows).")] = 0.0,
    customer: Annotated[str | None, typer.Option("--id", help="With --table: the customer's column.")] = None,
    experiment: Annotated[str, typer.Option(help="With --table: the MLflow experiment.")] = "churn",
    allow_leak: Annotated[
        list[str] | None, typer.Option(help="A feature that may explain the target alone.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the trees, the splits and the sampling.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the metrics here too.")] = None,
) -> None:
    """Train propensities, churn and the next stage; log them to MLflow; write what serves them.

    Each model is judged on moments later than all it was trained on, or on other customers where the data
    has no time. With --table one model is trained, on the column --label, and logged only.
    """
    from rich.console import Console

    from training.propensity.fit import Settings
    from training.propensity.run import Source, train_history, train_table

    settings = Settings(allow_leaks=tuple(allow_leak or ()))
    with Console(stderr=True).status("starting") as status:
        if table is None:
            result = train_history(
                playbook, history, _epoch(as_of), artefacts, settings, seed, hear=status.update
            )
        else:
            source = Source(
                path=table,
                label=_needed(label),
                positive=positive,
                drop=tuple(drop or ()),
                time=time_column,
                ordered=order_by_row,
                customer=customer,
                gap=gap,
            )
            result = train_table(source, experiment, settings, seed, hear=status.update)
    _show(result)
    if json_file is not None:
        json_file.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _needed(label: str | None) -> str:
    if label is None:
        raise InvalidInput.of("label", "--table needs --label, the column to predict")
    return label


def _show(result: dict[str, Any]) -> None:
    for name, metrics in result["models"].items():
        figures = "  ".join(f"{figure} {metrics[figure]:.3f}" for figure in HEADLINES if figure in metrics)
        typer.echo(f"{name}: {figures}  on {metrics['rows']:,.0f} rows")
    for name, reason in result.get("skipped", {}).items():
        typer.echo(f"{name}: no model; {reason}")
    if result.get("ignored"):
        typer.echo(f"left out, being text of too many values: {', '.join(result['ignored'])}")
    if "version" in result:
        typer.echo(f"scores {result['version'][:12]}")


def _epoch(as_of: str | None) -> float:
    if as_of is None:
        return time.time()
    try:
        moment = datetime.fromisoformat(as_of)
    except ValueError:
        raise InvalidInput.of("as-of", "is an ISO 8601 time, such as 2026-11-21T18:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
