"""Artefacts: immutable folders named by the SHA-256 of what they hold."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nba.errors import CorruptArtefact, NotFound, StoreUnavailable

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an artefact says of itself.

    Attributes:
        kind: `policy`, `scores` or `segments`.
        specification: what is refreshed when it is trained again (`ridge`, `boosted`, …).
        playbook: fingerprint of the playbook it was trained under.
        features: fingerprint of the feature schema its columns follow.
        arms: arm names in order; empty for what is no policy.
        data_from, data_to: the interval of its training data, epoch seconds.
        rows: training rows.
        parameters: settings and figures, for the reader.
        files: SHA-256 of each file.
    """

    kind: str
    specification: str
    playbook: str
    features: str
    arms: tuple[str, ...] = ()
    data_from: float | None = None
    data_to: float | None = None
    rows: int = 0
    parameters: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True, indent=1, allow_nan=False).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Raises CorruptArtefact."""
        try:
            values = json.loads(data)
            return cls(**{**values, "arms": tuple(values["arms"])})
        except (ValueError, TypeError, KeyError) as error:
            raise CorruptArtefact(f"the manifest can't be read: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """A manifest and the bytes it speaks of. `version` names both."""

    manifest: Manifest
    files: Mapping[str, bytes]

    @classmethod
    def of(cls, manifest: Manifest, files: Mapping[str, bytes]) -> Artefact:
        """Seal `files` under a manifest that lists their hashes."""
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
        values = {f: getattr(manifest, f) for f in Manifest.__dataclass_fields__}
        return cls(manifest=Manifest(**{**values, "files": hashes}), files=dict(files))

    @property
    def version(self) -> str:
        """SHA-256 of the manifest, which has the SHA-256 of every file."""
        return hashlib.sha256(self.manifest.to_bytes()).hexdigest()


class Artefacts:
    """A folder of artefacts. A version that `write` has returned is complete and never changes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, version: str) -> Path:
        return self._root / version

    def write(self, artefact: Artefact) -> str:
        """Store and return the version; storing the same twice changes nothing.

        Raises:
            StoreUnavailable: the disk is full or read-only; nothing half-written stays.
        """
        target = self.path(artefact.version)
        if target.exists():
            return artefact.version
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=".writing-", dir=self._root))
        except OSError as error:
            raise StoreUnavailable(f"artefacts can't be written: {error.strerror}") from None
        try:
            contents = {MANIFEST: artefact.manifest.to_bytes(), **artefact.files}
            for name, data in contents.items():
                _write_synced(scratch / name, data)
            os.rename(scratch, target)
        except OSError as error:
            shutil.rmtree(scratch, ignore_errors=True)
            if target.exists():  # another process wrote the same artefact meanwhile
                return artefact.version
            raise StoreUnavailable(f"artefacts can't be written: {error.strerror}") from None
        return artefact.version

    def read(self, version: str) -> Artefact:
        """Read and check every byte.

        Raises:
            NotFound: no such version.
            CorruptArtefact: bytes that don't match their hashes.
        """
        folder = self.path(version)
        if not folder.is_dir():
            raise NotFound(f"there is no artefact {version[:12]}")
        try:
            manifest = Manifest.from_bytes((folder / MANIFEST).read_bytes())
            files = {name: (folder / name).read_bytes() for name in manifest.files}
        except OSError as error:
            raise CorruptArtefact(f"artefact {version[:12]} can't be read: {error.strerror}") from None
        artefact = Artefact.of(manifest, files)
        if artefact.manifest.files != manifest.files or artefact.version != version:
            raise CorruptArtefact(f"artefact {version[:12]} has bytes that don't match its name")
        return artefact


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
