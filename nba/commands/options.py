"""Options that commands of several folders share: how they read, and what is said when they are wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from nba.errors import InvalidInput

Playbook = Annotated[Path, typer.Option(help="The playbook.")]
StoreUrl = Annotated[
    str | None, typer.Option(envvar="NBA_STORE_URL", help="The store; default nba.db in this directory.")
]
Artefacts = Annotated[Path, typer.Option(help="Where trained models and policies are kept.")]


def epoch(option: str, text: str) -> float:
    """ISO 8601 → epoch seconds; without a zone it is UTC. Raises InvalidInput that names the option."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput.of(option, "is an ISO 8601 time, such as 2026-11-21T18:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
