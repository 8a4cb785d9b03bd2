"""Options that commands of several folders share: how they read, and what is said when they are wrong."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

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
    path = Path(found.removeprefix("sqlite:///"))
    if (":" not in found or found.startswith("sqlite:///")) and not path.exists():
        raise InvalidInput.of("store", f"there is none at {path}; `nba serve` or `nba ingest` makes one")
    return open_store(found)


class Plain(Console):
    """Text is text here: what customers wrote moves no cursor, changes no colour and renames no window."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As its base; control characters of the text itself are shown as �."""
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else plain(segment.text)
            yield Segment(text, segment.style, segment.control)


def plain(text: str) -> str:
    """Control characters as �; lines stay lines. A table measures its cells, so it is given them plain."""
    return _CONTROL.sub("\ufffd", text)


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console() -> Console:
    """Standard output; wide enough for tables where it is no terminal."""
    return Plain(width=None if sys.stdout.isatty() else 120)


def epoch(option: str, text: str) -> float:
    """ISO 8601 → epoch seconds; without a zone it is UTC. Raises InvalidInput that names the option."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput.of(option, "is an ISO 8601 time, such as 2026-11-21T18:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
