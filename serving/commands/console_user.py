"""`nba console user add | remove | list`: who may log in to the console."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from nba.errors import InvalidInput
from serving.console.users import SETTING, Users, users_file

File = Annotated[
    Path | None,
    typer.Option("--file", envvar=SETTING, help="Where users are kept; default console-users.json here."),
]


def add(
    name: Annotated[str, typer.Argument(help="Of the user.")],
    file: File = None,
    generate: Annotated[bool, typer.Option(help="Make a password up and print it.")] = False,
) -> None:
    """Let somebody log in to the console, or give them a new password, which ends their sessions.

    The password is asked for twice, or read from standard input where that is no terminal.
    """
    path = file or users_file()
    if not path.parent.is_dir():
        raise InvalidInput.of("file", f"there is no folder {path.parent}; make it, or name another file")
    password = secrets.token_urlsafe(12) if generate else _password()
    Users.read(path).having(name, password).write(path)
    typer.echo(f"{name} can log in at /console; kept in {path}")
    if generate:
        typer.echo(f"password: {password}")


def remove(name: Annotated[str, typer.Argument(help="Of the user.")], file: File = None) -> None:
    """Let somebody log in no longer; their sessions end at once."""
    path = file or users_file()
    Users.read(path).without(name).write(path)
    typer.echo(f"{name} can't log in any more")


def listed(file: File = None) -> None:
    """Who may log in."""
    path = file or users_file()
    names = sorted(Users.read(path).hashes)
    typer.echo("\n".join(names) if names else f"nobody can log in: {path} has no users")


def _password() -> str:
    if sys.stdin.isatty():
        said: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        return said
    return sys.stdin.readline().rstrip("\r\n")
