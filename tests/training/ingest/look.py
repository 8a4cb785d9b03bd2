"""What an ingest left behind."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from nba.features.history import scan


def rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of `folder / "history"`, properties parsed, ordered by time and id."""
    found = scan(folder / "history").collect().sort("occurred_at", "event_id").to_dicts()
    return [row | {"properties": json.loads(row["properties"] or "null")} for row in found]


def quarantined(folder: Path) -> list[dict[str, Any]]:
    file = folder / "history" / "quarantine.jsonl"
    return (
        [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    )


def fingerprint(history: Path) -> dict[str, str]:
    """Every file of the history and the hash of its bytes."""
    files = (file for file in history.rglob("*") if file.is_file())
    return {str(f.relative_to(history)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
