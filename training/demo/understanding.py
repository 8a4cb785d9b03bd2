"""After the last day: what the commands say of who the customers are, what hurts and what they say."""

from __future__ import annotations

from typing import Any

from experiments.simulate import reviews
from training.demo.commands import run as nba
from training.demo.commands import said
from training.demo.folder import Folder
from training.demo.telling import Telling

REVIEWS = 1_500


def understand(folder: Folder, now: str, seed: int, tell: Telling) -> dict[str, Any]:
    """Map, personas, stages, texts, feedback and tickets of the demo's store at its last moment, `now`.

    Returns what each command wrote as JSON. Triggers are looked for last: what they decide is the newest.
    """
    found: dict[str, Any] = {}
    as_of = ("--as-of", now)
    with tell.step("nba journey map"):
        pictures = ("--svg", "journey.svg", "--html", "journey.html")
        found["map"] = nba(folder, "journey", "journey", "map", "--split", "group", *pictures)
    with tell.step("nba journey segments"):
        found["segments"] = nba(folder, "segments", "journey", "segments", *as_of)
    with tell.step("nba journey stages"):
        found["stages"] = nba(folder, "stages", "journey", "stages", *as_of)
    with tell.step("nba feedback train"):
        reviews(REVIEWS, seed).write_parquet(folder.reviews)
        columns = ("--text", "text", "--label", "rating", "--theme", "theme", "--language", "en")
        found["texts"] = nba(folder, "texts", "feedback", "train", folder.reviews.name, *columns)
    with tell.step("nba feedback report"):
        found["feedback"] = nba(folder, "feedback", "feedback", "report", "--every", "week", *as_of)
    with tell.step("nba journey tickets"):
        found["tickets"] = nba(folder, "tickets", "journey", "tickets")
    with tell.step("nba trigger --once"):
        tell.say(said(folder, "trigger", "trigger", "--once", "--at", now).splitlines()[-1])
    return found
