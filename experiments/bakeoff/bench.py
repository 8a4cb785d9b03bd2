"""The contest in short, as one line of `nba bench`: four small sets, one shuffle.

Rivals choose their setting on that one shuffle, so the line leans their way. Where the data folder is
missing, simulated tasks take its place, of another seed than those our setting was chosen on.
"""

from __future__ import annotations

from experiments.bakeoff.contest import contest
from experiments.bakeoff.development import simulated
from experiments.bakeoff.entrants import ENTRANTS, OURS
from experiments.bakeoff.table import standing
from experiments.bakeoff.tasks import FOLDER, Task, data_folder, read

_SETS = ("car", "ecoli", "segment", "vehicle")
_ROWS = 500
_UNSEEN = 2026


def bakeoff() -> dict[str, float | str]:
    """Mean rank of our default policy, and the best rival's; the lower, the better."""
    tasks = _tasks()
    ranked = [name for name, entrant in ENTRANTS.items() if entrant.ranked]
    ranks = standing(contest(tasks, ranked, shuffles=1, rows=_ROWS)).ranks
    rival = min((name for name in ranks if name != OURS), key=lambda name: ranks[name])
    return {
        "name": "bakeoff",
        "value": ranks[OURS],
        "unit": "rank",
        "baseline": ranks[rival],
        "ratio": ranks[rival] / ranks[OURS],
        "rival": rival,
        "sets": " ".join(task.name for task in tasks),
    }


def _tasks() -> list[Task]:
    folder = data_folder() / FOLDER
    if folder.is_dir():
        return [read(folder / f"{name}.parquet") for name in _SETS]
    return simulated(_UNSEEN)[:4]
