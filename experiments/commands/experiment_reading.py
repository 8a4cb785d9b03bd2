"""What the `nba experiment` commands share: the store open for reading, the moment, the progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import typer

from nba.commands.moments import asked
from nba.commands.options import existing_store
from nba.model import timestamp
from nba.stores.ports import Store

if TYPE_CHECKING:
    from nba.playbook.compile import Playbook

Progress = Callable[[int], None]


@contextmanager
def reading(url: str | None) -> Iterator[tuple[Store, Progress]]:
    """The store, which has to be there, and whom to tell how many decisions were read."""
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.completed:,.0f} decisions read"), TimeElapsedColumn()
    with (
        closing(existing_store(url)) as store,
        Bar(*columns, console=Console(stderr=True), transient=True) as bar,
    ):
        task = bar.add_task("read", total=None)
        yield store, lambda decisions: bar.advance(task, decisions)


def moment(store: Store, as_of: str | None, playbook: Playbook) -> float:
    """`--as-of`, else now, else the latest moment of a store on the request clock, which is said."""
    from experiments.report.moment import default_as_of

    if as_of is not None:
        return asked(store, as_of, playbook)
    found = default_as_of(store, time.time())
    if store.clock == "request":
        typer.echo(f"as of {timestamp(found)}: the store is on the request clock, and nothing in it is later")
    return found
