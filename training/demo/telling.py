"""What the demo shows while it works and at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from training.demo.ending import personas, said

METRICS = ("roc_auc", "pr_auc", "lift_10", "accuracy", "log_loss", "base_log_loss", "calibration_error")


class Telling:
    """Prints each step with the time that it took, and a bar while it runs."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Callable[[int], object]]:
        """A step; what it yields is told of progress, out of `total`."""
        began = time.monotonic()
        if not self._console.is_terminal:
            self._console.print(f"[dim]… {escape(title)}[/]", soft_wrap=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        spinning = columns[:2]
        with Progress(
            *(columns if total else spinning),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        ) as progress:
            task = progress.add_task(escape(title), total=total)
            yield lambda count: progress.advance(task, count)
        self._console.print(
            f"[green]✓[/] {escape(title)} [dim]{time.monotonic() - began:.1f} s[/]", soft_wrap=True
        )

    def say(self, text: str, style: str | None = None) -> None:
        self._console.print(f"  {text}", style=style, markup=False, highlight=False, soft_wrap=True)

    def retrained(self, found: Mapping[str, Any]) -> None:
        """A retraining's verdict, in plain words."""
        verdict, published = found["verdict"], found["published"]
        if published:
            self.say(f"{published['specification']}@{published['number']} serves: {verdict['reason']}")
            return
        needed = verdict["still_needed"]
        missing = f"; about {needed:,} more mature decisions would decide" if needed else ""
        self.say(f"the gate refused {found['specification']}: {verdict['reason']}{missing}", "yellow")
        self.say(f"{found['champion']} goes on serving", "yellow")

    def end(self, result: Mapping[str, Any]) -> None:
        """The table, the A/B result, the models' figures, and how to look further."""
        self._console.print(_policies(result["policies"], result["currency"], result["truth_weeks"]))
        for row in result["policies"]:
            self.say(f"{row['name']}: {row['note']}", "dim")
        self.say(
            f"True values on {result['judged_customers']:,} other customers of the same world; "
            "regret closed is a policy's gain over uniform as a share of the oracle's."
        )
        self._console.print("\nA/B, as `nba experiment report` has it, since the pilot ended")
        for comparison in result["experiment"]["comparisons"]:
            self.say(comparison["conclusion"])
        for warning in result["experiment"]["warnings"]:
            self.say(f"warning: {warning}", "yellow")
        self._console.print("\nModels, on later moments than they were trained on")
        for name, metrics in result["models"].items():
            figures = "  ".join(f"{key} {metrics[key]:.3f}" for key in METRICS if key in metrics)
            self.say(f"{name}: {figures}")
        self._console.print(f"\n{result['decisions']:,} decisions, {result['retrains']} retrainings")
        self._listening(result)
        self._places(result)

    def _listening(self, result: Mapping[str, Any]) -> None:
        """Who the customers are, what they say, and what became of it."""
        self._console.print()
        self._console.print(personas(result["personas"]))
        if not result["personas"]["published"]:
            self.say("not published: no number of segments is sound on so few customers", "yellow")
        self.say("lately: a touchpoint of 90 days ago counts half; a description, not a cause", "dim")
        self._console.print("\nWhat customers said")
        for line in said(result["feedback"], result["tickets"]):
            self.say(line)

    def _places(self, result: Mapping[str, Any]) -> None:
        """Where to look further."""
        self._console.print("\nThe journey map, a picture with its tables:")
        self.say(result["journey_map"])
        self._console.print(
            "The console, after `make up`, which makes its first user and prints the password:"
        )
        self.say(result["console"])
        self._console.print("Every run in MLflow, with `make up` on http://127.0.0.1:5000, or by itself:")
        self.say(result["mlflow"])


def _policies(rows: Sequence[Mapping[str, Any]], currency: str, weeks: int) -> Table:
    table = Table(title=f"True value per customer, {currency}, with 95 % intervals")
    table.add_column("policy", no_wrap=True)
    for head in (f"{weeks} weeks\ndeployed", "regret\nclosed", "\none step", "regret\nclosed"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        deployed, step = row, row["one_step"]
        table.add_row(
            row["name"],
            f"{deployed['value']:.2f} ± {(deployed['high'] - deployed['low']) / 2:.2f}",
            _share(row["regret_closed"]),
            f"{step['value']:.2f} ± {(step['high'] - step['low']) / 2:.2f}",
            _share(row["one_step_regret_closed"]),
        )
    return table


def _share(closed: Mapping[str, float]) -> str:
    return f"{100 * closed['share']:.0f} % ± {50 * (closed['high'] - closed['low']):.0f}"
