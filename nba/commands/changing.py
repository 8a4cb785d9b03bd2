"""What `nba promote` and `nba rollback` share: who, when, whether an artefact can serve, what serves then."""

from __future__ import annotations

import time
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nba.commands.moments import asked
from nba.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from nba.playbook.compile import Playbook
    from nba.stores.ports import Publication, Store

Why = Annotated[str, typer.Option(help="The reason, for the audit table.")]
Who = Annotated[str | None, typer.Option(help="Who asks, for the audit table. Default: your user name.")]
AsOf = Annotated[
    str | None,
    typer.Option(
        help="On the request clock: ISO 8601, when it is done. Default: the store's latest moment; at most "
        "the reward window past it."
    ),
]
BY_HAND = '{"rule": "by hand"}'


def told(why: str) -> str:
    """The reason. Raises InvalidInput where it says nothing."""
    if not why.strip():
        raise InvalidInput.of("why", "must say something; it stands in the audit table")
    return why.strip()


def asker(who: str | None) -> str:
    """Who asks; the system's user by default. Raises InvalidInput where that has no name."""
    if who is not None and who.strip():
        return who.strip()
    try:
        return getuser()
    except (KeyError, OSError):
        raise InvalidInput.of("who", "the system doesn't know your name; say who you are") from None


def moment(store: Store, as_of: str | None, playbook: Playbook) -> float:
    """When it is done on the store's clock, epoch seconds. Raises InvalidInput of `as-of`."""
    if store.clock == "live":
        if as_of is not None:
            raise InvalidInput.of("as-of", "is for stores on the request clock; here it is now")
        return time.time()
    at = store.latest() if as_of is None else asked(store, as_of, playbook)
    if at == float("-inf"):
        raise InvalidInput.of("as-of", "is needed: nothing has happened in this store yet")
    return at


def check(publication: Publication, artefacts: Path, playbook: Playbook) -> None:
    """That the policy's artefact can serve under the playbook.

    Raises:
        InvalidInput: the folder doesn't have it.
        CorruptArtefact: its bytes don't match, or don't reproduce their test vectors.
        SchemaMismatch: it doesn't fit the playbook.
    """
    from nba.artefacts import Artefacts
    from nba.policies.artefact import unseal

    try:
        unseal(Artefacts(artefacts).read(publication.version), playbook)
    except NotFound:
        told = f"{artefacts} has no {publication.name}; name the folder of what was trained"
        raise InvalidInput.of("artefacts", told) from None


def serves(store: Store, playbook: Playbook) -> str:
    """What serves now, in one line."""
    from nba.promotion import standing

    now = standing(store)
    champion = "the fallback, nothing trained" if now.champion is None else now.champion.name
    line = f"now serves: {champion}"
    if now.tried is not None:
        line += f"; {now.tried.name} for a share of {now.tried.share:g}"
    if now.challenger is not None:
        line += f"; {now.challenger.name} looks on"
    return line + ("; in apprentice mode the incumbent decides" if playbook.spec.mode == "apprentice" else "")
