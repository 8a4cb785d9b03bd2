"""`nba rollback`: end the ramp, or let the champion before the present one serve again."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from nba.commands.changing import BY_HAND, AsOf, Who, Why, asker, check, moment, serves, told
from nba.commands.options import Artefacts, Playbook, StoreUrl, console, existing_store


def rollback(
    why: Why,
    to: Annotated[
        str | None, typer.Option(help="A former champion, linear@5, or fallback. Default: one step back.")
    ] = None,
    who: Who = None,
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
    as_of: AsOf = None,
) -> None:
    """Take back what went wrong: the ramp where one runs, else the champion.

    A second rollback goes further back, at last to the fallback. What is to serve again is checked first;
    where it can't, name another one with --to.
    """
    from nba.playbook.compile import load
    from nba.promotion import rollback as run
    from nba.promotion import way_back

    reason, asking, book = told(why), asker(who), load(playbook)
    with closing(existing_store(store)) as opened:
        way = way_back(opened, to)
        if way.leaves is not None and way.to is not None:
            check(way.to, artefacts, book)
        at = moment(opened, as_of, book)
        run(opened, at=at, who=asking, why=reason, to=to, evidence=BY_HAND)
        console().print(serves(opened, book), markup=False, highlight=False)
