"""`nba customers show|erase|unlink`: what an operator asks and does about one customer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from nba.commands.changing import Who, asker
from nba.commands.options import Artefacts, JsonFile, Playbook, StoreUrl, console, existing_store, plain
from nba.errors import InvalidInput, NbaError
from nba.model import ID_RULE, Erased, Erasure, Withdrawal, Withdrawn, is_id

if TYPE_CHECKING:
    from nba.service import Service

Done = TypeVar("Done")
Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="A customer id.")]
_FACTS = (
    "customer_ids",
    "named_by",
    "group",
    "stage",
    "stage_since",
    "segment",
    "last_at",
    "attributes",
    "scores",
)
_LISTS = (
    "consents",
    "identities",
    "activity",
    "touchpoints",
    "feedback",
    "tickets",
    "ledger",
    "decisions",
)
_SHOWN = 10  # rows of each list; --json has them all


def show(
    customer: Customer,
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    artefacts: Artefacts = Path("artefacts"),
    json_file: JsonFile = None,
) -> None:
    """Show all that is known of a customer, over all customer ids that are linked."""
    with _service(customer, playbook, store, artefacts) as service:
        seen = json.loads(service.customer(customer, time.time()))
    if json_file is not None:
        json_file.write_text(json.dumps(seen, indent=1) + "\n", encoding="utf-8")
    _tell(seen)


def erase(
    customer: Customer,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask; what is erased does not come back.")] = False,
    who: Who = None,
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    json_file: JsonFile = None,
) -> None:
    """Erase a customer, and all customer ids that are linked to it, everywhere in the store.

    What is left are statistics to which no customer id leads. Models forget at the next full retrain.
    """
    asked_by = asker(who)
    with _service(customer, playbook, store) as service:
        if not yes:
            service.customer(
                customer, time.time()
            )  # who is unknown or erased is told before anything is asked
            typer.confirm(f"Erase {customer} and all who are linked to it, for good?", abort=True)
        erased = _done(service.handle([Erasure(customer_id=customer, who=asked_by)], time.time())[0], Erased)
    told = (
        f"erased {erased.customers} customer ids: {erased.decisions} decisions and {erased.touchpoints}"
        f" touchpoints emptied, {erased.called_off} contacts called off; models forget at the next full"
        " retrain"
    )
    console().print(told, markup=False, highlight=False)
    if json_file is not None:
        values = {name: getattr(erased, name) for name in Erased.__slots__}
        json_file.write_text(json.dumps(values) + "\n", encoding="utf-8")


def unlink(
    customer: Customer,
    kind: Annotated[str | None, typer.Option(help="Only by this kind of identity; default by all.")] = None,
    playbook: Playbook = Path("playbook.yaml"),
    store: StoreUrl = None,
    json_file: JsonFile = None,
) -> None:
    """Undo what links a customer to others: all is then as if it had never been linked.

    The claims stay withdrawn, also where the same event comes again.
    """
    with _service(customer, playbook, store) as service:
        asked = Withdrawal(customer_id=customer, kind=kind)
        undone = _done(service.handle([asked], time.time())[0], Withdrawn)
    persons = "; ".join(", ".join(person) for person in undone.persons)
    console().print(f"withdrew {undone.claims} claims; now apart: {persons}", markup=False, highlight=False)
    if json_file is not None:
        values = {"claims": undone.claims, "persons": undone.persons}
        json_file.write_text(json.dumps(values) + "\n", encoding="utf-8")


@contextmanager
def _service(
    customer: str, playbook: Path, store: str | None, artefacts: Path = Path("artefacts")
) -> Iterator[Service]:
    from nba.artefacts import Artefacts as Folder
    from nba.live import LiveSource
    from nba.playbook.compile import load
    from nba.service import Service

    if not is_id(customer):
        raise InvalidInput.of("customer", ID_RULE)
    book = load(playbook)
    with closing(existing_store(store)) as opened:
        live = LiveSource(playbook=book, store=opened, artefacts=Folder(artefacts), alert=_refused)
        live.refresh(time.time())
        yield Service(store=opened, live=live)


def _refused(event: str, fields: dict[str, object]) -> None:
    typer.echo(f"nba: {event}: {fields.get('detail')}", err=True)


def _done(result: object, kind: type[Done]) -> Done:
    """The result of a command. Raises what it failed with."""
    if isinstance(result, NbaError):
        raise result
    if not isinstance(result, kind):
        raise TypeError(f"a {type(result).__name__} is no {kind.__name__}")
    return result


def _tell(seen: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    for name in _FACTS:
        out.print(f"{name.replace('_', ' ')}: {_short(seen[name])}", markup=False, highlight=False)
    for name in _LISTS:
        rows = seen[name]
        if not rows:
            continue
        more = f", the latest {_SHOWN} of {len(rows)}" if len(rows) > _SHOWN else ""
        table = Table(box=None, header_style="bold", pad_edge=False, title=name + more, title_justify="left")
        columns = [c for c in rows[0] if any(row[c] is not None for row in rows)]
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows[:_SHOWN]:
            table.add_row(*(Text(_short(row[column])) for column in columns))
        out.print(table)


def _short(value: object) -> str:
    """A value for a person; long text is cut."""
    if value is None:
        return "not known"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    text = f"{value:.4g}" if isinstance(value, float) else plain(str(value))
    return text if len(text) <= 80 else f"{text[:79]}…"
