"""`nba train`: the scores of a playbook from the history, or one model from a plain table."""

from __future__ import annotations

import json
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nba.commands.moments import LIMIT, asked
from nba.commands.options import Artefacts, JsonFile, StoreUrl, epoch
from nba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nba.stores.ports import Store

HEADLINES = ("roc_auc", "pr_auc", "lift_10", "log_loss", "base_log_loss", "accuracy", "calibration_error")


def train(
    playbook: Annotated[Path, typer.Option(help="The playbook.")] = Path("playbook.yaml"),
    history: Annotated[Path, typer.Option(help="The folder of the history.")] = Path("history"),
    as_of: Annotated[
        str | None, typer.Option(help=f"ISO 8601; nothing later is seen. Default now. {LIMIT}")
    ] = None,
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
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
    force: Annotated[
        bool, typer.Option("--force", help="Publish scores that are no better than the base rate too.")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Train propensities, churn and the next stage; log them to MLflow; write what serves them.

    A running server takes the scores up by itself, unless one of them is no better than its base rate: then
    the earlier ones stay, and --force publishes all the same. Each model is judged on moments later than all
    it was trained on, or on other customers where the data has no time. With --table one model is trained,
    on the column --label, and logged only.
    """
    from rich.console import Console

    from training.propensity.fit import Settings
    from training.propensity.run import Source, train_history, train_table

    settings = Settings(allow_leaks=tuple(allow_leak or ()))
    with Console(stderr=True).status("starting") as status:
        if table is None:
            status.update("reading what the API received")
            _bring_back(store, history)
            moment = time.time() if as_of is None else _moment(store, history, playbook, as_of)
            result = train_history(
                playbook,
                history,
                moment,
                artefacts,
                settings,
                seed,
                hear=status.update,
                publish=lambda version: _publish(store, version, moment),
                force=force,
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


def _bring_back(store: str | None, history: Path) -> None:
    """What the server received since the last time belongs to the history too."""
    from training.served import bring_back

    with _there(store) as opened:
        if opened is not None:
            bring_back(opened, history)


def _moment(store: str | None, history: Path, playbook: Path, text: str) -> float:
    """What --as-of says. Raises InvalidInput where the store's clock, or the history, isn't so far."""
    from nba.features.history import latest
    from nba.playbook.compile import load

    epoch("as-of", text)  # a slip of the pen is told before anything is read
    with _there(store) as opened:
        return asked(opened, text, load(playbook), known=latest(history))


@contextmanager
def _there(store: str | None) -> Iterator[Store | None]:
    """The store; None where there is none yet."""
    from nba.stores.open import default_url, open_store

    url = store or default_url(Path())
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        yield None
        return
    with closing(open_store(url)) as opened:
        yield opened


def _publish(store: str | None, version: str, at: float) -> None:
    """From now on the server's scores are these."""
    from nba.stores.open import default_url, open_store

    with closing(open_store(store or default_url(Path()))) as opened:
        opened.publish(
            kind="scores", version=version, specification="scores", at=at, who="nba train", why="trained anew"
        )


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
    for name, reason in result["no_better"].items():
        typer.echo(f"warning: {name} has learned nothing: {reason}", err=True)
    if not result.get("published", True):
        typer.echo("not published, the earlier scores stay; train on more history, or use --force", err=True)
    if "version" in result:
        typer.echo(f"scores {result['version'][:12]}")
