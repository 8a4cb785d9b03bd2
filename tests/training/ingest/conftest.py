"""Fixtures of the ingest tests: an ingest into a fresh history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from training.ingest.files import batches
from training.ingest.mapping import load
from training.ingest.run import IngestReport, ingest

AS_OF = 1_800_000_000.0  # 2027-01-15T08:00:00Z
Ingest = Callable[..., IngestReport]


@pytest.fixture
def bring_in(tmp_path: Path) -> Ingest:
    """Ingest files by a mapping's text into `tmp_path / "history"`."""

    def run(*paths: Path, mapping: str | None = None, declared: set[str] | None = None) -> IngestReport:
        written = None
        if mapping is not None:
            file = tmp_path / "mapping.yaml"
            file.write_text(mapping, encoding="utf-8")
            written = load(file)
        history = tmp_path / "history"
        return ingest(
            batches(paths, written),
            history=history,
            quarantine=history / "quarantine.jsonl",
            as_of=AS_OF,
            declared=declared,
        )

    return run
