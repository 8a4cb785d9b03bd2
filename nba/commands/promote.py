"""`nba promote`: let a policy that was published before serve, or decide for a share of customers first."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from nba.commands.changing import BY_HAND, AsOf, Who, Why, asker, check, moment, serves, told
from nba.commands.options import Artefacts, Playbook, StoreUrl, console, existing_store


def promote(
    name: Annotated[
        str, typer.Argument(help="As decisions name it, linear@7; or challenger, ramp. See nba audit.")
    ],
    why: Why,
    share: Annotated[
        float, typer.Option(help="Of treatment customers; below 1 it is a ramp beside the champion.")
    ] = 1.0,
    who: Who = None,
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
    as_of: AsOf = None,
) -> None:
    """Let a policy serve by hand, past the playbook's promotion rule. Servers take it up by themselves.

    Its artefact is checked first, against its own hashes and test vectors and against the playbook.
    """
    from nba.playbook.compile import load
    from nba.promotion import named
    from nba.promotion import promote as run

    reason, asking, book = told(why), asker(who), load(playbook)
    with closing(existing_store(store)) as opened:
        policy = named(opened, name)
        check(policy, artefacts, book)
        at = moment(opened, as_of, book)
        run(opened, policy, at=at, who=asking, why=reason, share=share, evidence=BY_HAND)
        console().print(serves(opened, book), markup=False, highlight=False)
