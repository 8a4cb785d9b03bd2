"""A tuning as a person reads it: the best by learner, the judgement, the lines for the playbook."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from experiments.ope import Estimate
from nba.playbook.schema import Exploration
from nba.policies.lesson import Settings
from nba.record import timestamp
from training.tune.result import Tuned


def show(tuned: Tuned, console: Console, file: Path) -> None:
    """Print tables, the conclusion, and what to do with it."""
    pruned = sum(trial.value is None for trial in tuned.trials)
    console.print(
        f"study {tuned.study}: {len(tuned.trials)} trials, {pruned} of them stopped early,"
        f" on {int(tuned.basis['decisions']):,} mature decisions"
    )
    console.print(_by_learner(tuned))
    if tuned.judged is not None:
        console.print(_judged(tuned))
    if tuned.interrupted:
        console.print(
            f"Interrupted; what is finished is kept. nba tune --study {tuned.study} goes on with it."
        )
    console.print(tuned.sentence())
    console.print(f"Settings of learners are in {file}: nba retrain --settings {file}")
    if tuned.best.tried.exploration:
        console.print("How to explore is for the playbook to say:\n")
        console.print(playbook_lines(tuned.best.tried.exploration), highlight=False)
        console.print(
            f"Exploring was valued by what it earned until {timestamp(tuned.as_of)},"
            " not by what it taught for later."
        )


def playbook_lines(exploration: Settings) -> str:
    """YAML to paste, of an exploration that differs from the playbook's; read back it says the same."""
    lines = ["exploration:"]
    for name in Exploration.model_fields:
        if name in exploration:
            value = exploration[name]
            lines.append(f"  {name}: {value if isinstance(value, str) else repr(float(f'{value:.4g}'))}")
    return "\n".join(lines)


def _by_learner(tuned: Tuned) -> Table:
    table = Table("learner", "trial", "value a decision", "settings", "exploration")
    table.title = "Best by learner, on the parts that trials see"
    for name, found in tuned.by_learner.items():
        tried = found.tried
        row = (_settings(tried.settings), _settings(tried.exploration))
        table.add_row(name, str(found.number), _cell(found.value), *row)
    return table


def _judged(tuned: Tuned) -> Table:
    judged = tuned.judged
    table = Table("", "value a decision", title="On the last part, which no trial saw")
    if judged is not None:
        table.add_row(f"tuned {tuned.best.tried.learner}", _cell(judged.tried))
        table.add_row(f"default {judged.against.learner}", _cell(judged.default))
        table.add_row("difference, paired", _cell(judged.difference))
    return table


def _settings(settings: Settings) -> str:
    told = (f"{n} {v}" if isinstance(v, str) else f"{n} {v:.4g}" for n, v in settings.items())
    return ", ".join(told) or "default"


def _cell(found: Estimate | None) -> str:
    return "" if found is None else f"{found.value:.4g} ({found.low:.4g} to {found.high:.4g})"
