"""`nba init`: write a commented playbook to start from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from nba.errors import InvalidInput, StoreUnavailable


def init(
    directory: Annotated[Path, typer.Argument(help="Where to write playbook.yaml.")] = Path("."),
) -> None:
    """Write a commented playbook, a small complete business, to DIRECTORY/playbook.yaml."""
    target = directory / "playbook.yaml"
    text = files("nba.playbook").joinpath("sample.yaml").read_text(encoding="utf-8")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        there = directory if directory.exists() and not directory.is_dir() else target
        detail = "is there already and is left as it is; remove it or name another directory"
        raise InvalidInput.of(str(there), detail) from None
    except (NotADirectoryError, PermissionError) as error:
        raise InvalidInput.of(str(target), f"can't be written: {error.strerror}") from None
    except OSError as error:
        raise StoreUnavailable(f"{target} can't be written: {error.strerror}") from None
    typer.echo(f"wrote {target}; serve from it with: nba serve --playbook {target}")
