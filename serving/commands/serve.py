"""`nba serve`: bind the port, bring the store up to date, serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    import socket

_BACKLOG = 2_048


def serve(
    playbook: Annotated[str, typer.Option(help="The playbook to serve from.")] = "playbook.yaml",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the port.")] = 1,
    clock: Annotated[
        Literal["live", "request"] | None,
        typer.Option(help="`request` makes a simulation store, for good; the default takes the store's own."),
    ] = None,
    store: Annotated[
        str | None, typer.Option(envvar="NBA_STORE_URL", help="Default: nba.db in this directory.")
    ] = None,
    artefacts: Annotated[str, typer.Option(help="Where trained policies are.")] = "artefacts",
) -> None:
    """Serve decisions over HTTP. Prints the address when it can be called; SIGTERM drains and ends it."""
    from pathlib import Path

    from nba.stores.open import default_url
    from serving.wiring import Settings, prepare

    settings = Settings(
        playbook=playbook, store=store or default_url(Path()), artefacts=artefacts, clock=clock
    )
    with _listener(host, port) as listener:
        prepare(settings, workers)
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        if workers == 1:
            from serving.worker import run

            run(settings, listener, lambda: print(f"serving on {address}", flush=True))
        else:
            from serving.supervisor import supervise

            supervise(settings, listener, workers, lambda: print(f"serving on {address}", flush=True))


def _listener(host: str, port: int) -> socket.socket:
    """The one socket that all workers share. Raises InvalidInput where it can't be bound."""
    import socket

    from nba.errors import InvalidInput

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        mend = "name another with --port, or 0 for a free one"
        raise InvalidInput.of("port", f"{host}:{port} can't be bound ({error.strerror}); {mend}") from None
    return listener
