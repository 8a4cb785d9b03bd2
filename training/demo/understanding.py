"""After the last day: what the commands say of who the customers are, what hurts and what they say."""

from __future__ import annotations

from typing import Any

from experiments.simulate import reviews
from training.demo.commands import run_together, said
from training.demo.folder import Folder
from training.demo.telling import Telling

REVIEWS = 1_500


def understand(folder: Folder, since: str, now: str, seed: int, tell: Telling) -> dict[str, Any]:
    """What a demo's store tells at its last moment, `now`: what each command wrote as JSON, by step.

    Steps: experiment (from `since` on), journey, segments, stages, texts, feedback, tickets. Two run at a
    time, of which one at most brings the history up to date. Triggers are looked for last: what they decide
    is the newest, and nobody lives on to answer it.
    """
    as_of = ("--as-of", now)
    reviews(REVIEWS, seed).write_parquet(folder.reviews)
    columns = ("--text", "text", "--label", "rating", "--theme", "theme", "--language", "en")
    pictures = ("--svg", "journey.svg", "--html", "journey.html")
    found: dict[str, Any] = {}
    for steps in (
        {
            "experiment": ("experiment", "report", "--since", since, *as_of),
            "segments": ("journey", "segments", "--most", "6", *as_of),
        },
        {
            "texts": ("feedback", "train", folder.reviews.name, *columns),
            "stages": ("journey", "stages", *as_of),
        },
        {
            "journey": ("journey", "map", "--split", "group", *pictures),
            "feedback": ("feedback", "report", "--every", "week", *as_of),
        },
        {"tickets": ("journey", "tickets")},
    ):
        title = ", ".join(f"nba {arguments[0]} {arguments[1]}" for arguments in steps.values())
        with tell.step(title):
            found |= run_together(folder, steps)
    with tell.step("nba trigger --once"):
        tell.say(said(folder, "trigger", "trigger", "--once", "--at", now).splitlines()[-1])
    return found
