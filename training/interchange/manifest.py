"""The manifest of an exported log: what the folder holds, and how to tell that it holds it still.

It is written last, so a folder with a manifest is whole. Reading checks everything that can be known before
a row is read: format, version, that each file is there and has its hash, and none stands beside them.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from nba.errors import FieldError, InvalidInput
from nba.stores.ports import Clock

NAME = "manifest.json"
FORMAT, VERSION = "nba decision log", 1
Kind = Literal["decisions", "touchpoints", "playbook"]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of the folder.

    Attributes:
        path: in the folder, with `/`.
        rows: 1 for a playbook.
        playbook: whose features are its columns, or whose text it is; "" for touchpoints.
    """

    path: str
    kind: Kind
    rows: int
    sha256: str
    playbook: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a folder holds.

    Attributes:
        clock: of the store that it is from; only a store on the same one takes it.
        since, as_of: epoch seconds; decisions and touchpoints in [since, as_of). None is the beginning.
        groups: those exported; empty for all.
        reward: the version of the rewards beside the decisions, with the playbook that defines them.
        counts: decisions, mature, held, touchpoints.
        erased: surrogates of customers who were erased; an import leaves out what is theirs, and erases
            what an earlier one brought in.
    """

    clock: Clock
    since: float | None
    as_of: float
    groups: tuple[str, ...]
    reward: dict[str, str]
    counts: dict[str, int]
    files: tuple[File, ...]
    erased: tuple[str, ...] = ()
    format: str = field(default=FORMAT, init=False)
    version: int = field(default=VERSION, init=False)

    def write(self, folder: Path) -> None:
        told = {"format": FORMAT, "version": VERSION, **asdict(self)}
        with (folder / NAME).open("w", encoding="utf-8") as file:
            file.write(json.dumps(told, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def of_kind(self, kind: Kind) -> list[File]:
        """In the order in which they were written, which is by time."""
        return [file for file in self.files if file.kind == kind]


def read(folder: Path) -> Manifest:
    """The manifest of a folder whose files are as it says.

    Raises:
        InvalidInput: every file that is missing, changed or strange, or what is wrong with the manifest.
    """
    manifest = _parsed(folder / NAME)
    errors = [error for file in manifest.files if (error := _wrong(folder, file)) is not None]
    known = {NAME, *(file.path for file in manifest.files)}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    errors += [
        FieldError(field=path, detail="is not in the manifest; take it out of the folder")
        for path in sorted(found - known)
    ]
    if errors:
        raise InvalidInput(errors, str(folder))
    return manifest


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parsed(path: Path) -> Manifest:
    """Raises InvalidInput."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        detail = f"can't be read: {error.strerror or error}; a folder without one is no whole export"
        raise InvalidInput.of(NAME, detail, source=str(path.parent)) from None
    except ValueError:
        raise InvalidInput.of(NAME, "is no JSON; export again", source=str(path.parent)) from None
    if not isinstance(told, dict) or told.pop("format", None) != FORMAT:
        raise InvalidInput.of("format", f"must be {FORMAT!r}; this is no decision log", source=str(path))
    version = told.pop("version", None)
    if version != VERSION:
        detail = f"is {version!r}, and this program reads {VERSION}; export with the same version"
        raise InvalidInput.of("version", detail, source=str(path))
    try:
        return _manifest(told)
    except (TypeError, KeyError, ValueError) as error:
        raise InvalidInput.of("manifest", f"a field is missing or wrong: {error}", source=str(path)) from None


def _manifest(told: dict[str, Any]) -> Manifest:
    """Raises TypeError, KeyError or ValueError."""
    files = tuple(File(**file) for file in told.pop("files"))
    for file in files:
        if file.kind not in ("decisions", "touchpoints", "playbook"):
            raise ValueError(f"files: there is no kind {file.kind!r}")
    if told["clock"] not in ("live", "request"):
        raise ValueError("clock: is live or request")
    named = {file.playbook for file in files if file.kind == "playbook"}
    missing = sorted({file.playbook for file in files if file.kind == "decisions"} - named)
    if missing:
        raise ValueError(f"files: no text of the playbook {missing[0]}")
    told |= {name: tuple(map(str, told[name])) for name in ("groups", "erased")}
    return Manifest(files=files, **{**told, "as_of": float(told["as_of"])})


def _wrong(folder: Path, file: File) -> FieldError | None:
    path = folder / file.path
    if ".." in Path(file.path).parts or Path(file.path).is_absolute() or path.is_symlink():
        return FieldError(field=file.path, detail="lies outside the folder; export again")
    if not path.is_file():
        return FieldError(field=file.path, detail="is missing; copy the whole folder again")
    if digest(path) != file.sha256:
        return FieldError(field=file.path, detail="is not as it was written; copy the folder again")
    return None
