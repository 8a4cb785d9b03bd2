"""`nba journey segments`: who the customers are, by what they do."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from nba.commands.moments import needed
from nba.commands.options import Artefacts, JsonFile, Playbook, StoreUrl, console
from nba.errors import InvalidInput


def segments(
    playbook: Playbook = Path("playbook.yaml"),
    history: Annotated[Path, typer.Option(help="The folder of the history.")] = Path("history"),
    as_of: Annotated[
        str | None,
        typer.Option(help="ISO 8601; nothing later is seen. Default now; needed on the request clock."),
    ] = None,
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
    most: Annotated[int, typer.Option(help="The largest number of segments to try.", min=2, max=30)] = 8,
    count: Annotated[
        int | None, typer.Option(help="Ask for this number, whatever the data say.", min=2, max=30)
    ] = None,
    least: Annotated[
        float, typer.Option(help="The share of the customers that each must have.", min=0.0, max=0.5)
    ] = 0.02,
    name: Annotated[
        list[str] | None, typer.Option(help="Rename: s3=lapsing regulars. It stays over refits.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the clustering and the samples.", min=0)] = 0,
    force: Annotated[bool, typer.Option("--force", help="Publish segments that are not sound too.")] = False,
    json_file: JsonFile = None,
    parquet: Annotated[
        Path | None, typer.Option(help="Write a row a customer here: id, segment, traits.")
    ] = None,
) -> None:
    """Find segments, say what sets each apart, and publish what assigns them at every decision.

    Their number is the largest at which fits on different customers agree and the segments lie apart. Ids and
    names stay over refits. Where no number is sound, nothing is published, unless with --force.
    """
    from nba.artefacts import Artefacts as Kept
    from nba.playbook.compile import load
    from nba.stores.open import default_url, open_store
    from training.segments.run import Settings, as_json, before_of, find, finite, log, scores_of, seal, table
    from training.segments.show import show
    from training.served import bring_back

    book, settings = (
        load(playbook),
        Settings(most=most, count=count, least=least, names=_renamings(name or []), seed=seed),
    )
    if parquet is not None and (parquet.is_dir() or not parquet.absolute().parent.is_dir()):
        raise InvalidInput.of("parquet", f"{parquet} can't be written; name a file in a folder that is there")
    with closing(open_store(store or default_url(Path()))) as opened:
        moment = needed(opened, as_of, book)
        bring_back(opened, history)
        before, scores = before_of(opened, artefacts, book), scores_of(opened, artefacts, book)
        found = find(book, history, moment, settings, before, scores)
        artefact = seal(book, found)
        run = log(book, found, artefact, settings)
        published = found.choice.sound or force
        version = Kept(artefacts).write(artefact)
        if published:
            opened.publish(
                kind="segments",
                version=version,
                specification="segments",
                at=moment,
                who="nba journey segments",
                why=found.choice.said,
            )
    show(book, found, console())
    if not published:
        typer.echo("not published, the earlier segments stay; --force publishes all the same", err=True)
    if parquet is not None:
        table(found).write_parquet(parquet)
    if json_file is not None:
        result = {**finite(as_json(book, found)), "version": version, "published": published, "run": run}
        json_file.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _renamings(given: list[str]) -> dict[str, str]:
    """Raises InvalidInput for what is not `id=name`."""
    pairs = [text.partition("=") for text in given]
    wrong = next((text for text, (id, _, name) in zip(given, pairs, strict=True) if not (id and name)), None)
    if wrong is not None:
        raise InvalidInput.of("name", f"{wrong[:60]!r} is not id=name, such as s3=lapsing regulars")
    return {id.strip(): name.strip() for id, _, name in pairs}
