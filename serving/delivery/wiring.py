"""Puts couriers together from the playbook and the environment: the one place that reads addresses and
secrets."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from urllib.parse import urlsplit

from nba.errors import FieldError, InvalidInput
from nba.playbook.compile import Playbook
from nba.playbook.reactions import Smtp
from nba.stores.ports import Store
from serving.delivery.courier import Courier
from serving.delivery.figures import Figures
from serving.delivery.process import Process
from serving.delivery.smtp import Server, SmtpTarget
from serving.delivery.target import Target
from serving.delivery.webhook import WebhookTarget
from serving.logs import configure
from serving.metrics_port import serve_metrics

_LEAST_SECRET = 16


def run(
    store: Store,
    book: Playbook,
    environment: Mapping[str, str],
    *,
    once: bool,
    every: float,
    metrics_port: int | None,
) -> int:
    """Once, or until SIGTERM or Ctrl-C; how many messages were dealt with by `once`.

    Raises:
        InvalidInput: the playbook has no target, or the environment lacks what it names.
        Busy: with `once`, where another deliverer holds the lease.
    """
    configure()
    return asyncio.run(_run(store, book, environment, once=once, every=every, metrics_port=metrics_port))


async def _run(
    store: Store,
    book: Playbook,
    environment: Mapping[str, str],
    *,
    once: bool,
    every: float,
    metrics_port: int | None,
) -> int:
    figures = Figures()
    couriers = [Courier(target, store, figures=figures) for target in targets(store, book, environment)]
    process = Process(store=store, couriers=couriers, figures=figures, every=every)
    if metrics_port is not None:
        serve_metrics(metrics_port, figures.registry)
    if once:
        return await process.once()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.stopping.set)
    await process.run()
    return 0


def targets(store: Store, book: Playbook, environment: Mapping[str, str]) -> list[Target]:
    """Every target of the playbook, with what the environment says of it.

    Raises:
        InvalidInput: with every variable that is missing or wrong, and where the playbook names it.
    """
    settings, errors = book.spec.deliver, list[FieldError]()
    found: list[Target] = []
    for name, webhook in settings.webhooks.items():
        path = f"deliver.webhooks.{name}"
        url, secret = environment.get(webhook.url, ""), environment.get(webhook.secret, "")
        wrong = [*_url(path, webhook.url, url), *_secret(path, webhook.secret, secret)]
        errors += wrong
        if not wrong:
            found.append(
                WebhookTarget(f"webhook.{name}", webhook, url=url, secret=secret, playbook=book.spec.name)
            )
    if settings.smtp is not None:
        server = _server(settings.smtp, environment.get(settings.smtp.server, ""))
        if isinstance(server, FieldError):
            errors.append(server)
        elif store.clock == "request":
            detail = "a simulation sends no e-mail; leave the section out of its playbook"
            raise InvalidInput.of("deliver.smtp", detail)
        else:
            found.append(SmtpTarget(settings.smtp, server=server, store=store, playbook=book))
    if errors:
        raise InvalidInput(errors, source="the environment")
    if not found:
        raise InvalidInput.of("deliver", "the playbook names no target; docs/triggers.md shows how")
    return found


def _server(settings: Smtp, value: str) -> Server | FieldError:
    field = f"{settings.server} (deliver.smtp.server)"
    try:
        return Server.of(value)
    except ValueError:
        told = "must be smtp://user:password@host:587, or smtps://"
        return FieldError(field=field, detail=told if value else f"is not set; it {told}")


def _url(path: str, variable: str, value: str) -> list[FieldError]:
    """The value is never told: it may hold a token."""
    field = f"{variable} ({path}.url)"
    if not value:
        return [
            FieldError(field=field, detail="is not set; it holds the address that messages are posted to")
        ]
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or any(letter.isspace() for letter in value):
        return [FieldError(field=field, detail="must be an address that starts with http:// or https://")]
    return []


def _secret(path: str, variable: str, value: str) -> list[FieldError]:
    if len(value) >= _LEAST_SECRET:
        return []
    detail = f"must have {_LEAST_SECRET} letters or more; messages are signed with it"
    return [
        FieldError(
            field=f"{variable} ({path}.secret)", detail=detail if value else f"is not set; it {detail}"
        )
    ]
