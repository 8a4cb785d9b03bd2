"""Options that commands of several folders share: how they read, and what is said when they are wrong."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nba.errors import InvalidInput
from nba.stores.open import default_url, open_store
from nba.stores.ports import Store

Playbook = Annotated[Path, typer.Option(help="The playbook.")]
StoreUrl = Annotated[
    str | None,
    typer.Option(envvar="NBA_STORE_URL", help="The store: sqlite:///PATH or a path; default nba.db here."),
]


def _writable(path: Path | None) -> Path | None:
    """Checked before any work is done: a result that can't be written is found at once."""
    if path is not None and (path.is_dir() or not os.access(path.parent, os.W_OK)):
        raise InvalidInput.of("json", f"{path} can't be written; name a file in a folder that is there")
    return path


JsonFile = Annotated[
    Path | None, typer.Option("--json", callback=_writable, help="Write the results here, as JSON.")
]
Artefacts = Annotated[Path, typer.Option(help="Where trained models and policies are kept.")]


def existing_store(url: str | None) -> Store:
    """The store, which has to be there: a command that only reads makes none, and fixes no clock.

    Raises:
        InvalidInput: there is no store.
    """
    found = url or default_url(Path())
    if not store_is_there(found):
        path = found.removeprefix("sqlite:///")
        raise InvalidInput.of("store", f"there is none at {path}; `nba serve` or `nba ingest` makes one")
    return open_store(found)


def store_is_there(url: str) -> bool:
    """Whether a store lies at this address; of a server's, only opening it tells."""
    path = Path(url.removeprefix("sqlite:///"))
    return (":" in url and not url.startswith("sqlite:///")) or path.exists()


def console() -> Console:
    """Standard output; wide enough for tables where it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else 120)


def epoch(option: str, text: str) -> float:
    """ISO 8601 → epoch seconds; without a zone it is UTC. Raises InvalidInput that names the option."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput.of(option, "is an ISO 8601 time, such as 2026-11-21T18:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
