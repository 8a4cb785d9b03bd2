"""Disks that fill up and files that can't be written any more, and how they are mended."""

from __future__ import annotations

import array
import fcntl
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

MIB = 2**20
_READ_FLAGS, _WRITE_FLAGS = 0x80086601, 0x40086602  # FS_IOC_GETFLAGS and FS_IOC_SETFLAGS, 64 bit
_IMMUTABLE = 0x10


@dataclass(frozen=True, slots=True)
class Disk:
    """A small file system in memory, with a file that takes up its room."""

    folder: Path

    def leave(self, free: int) -> None:
        """Let so many bytes be free, as far as what else lies there allows."""
        filler = self.folder / "filler"
        filler.unlink(missing_ok=True)
        room = os.statvfs(self.folder)
        taken = room.f_bavail * room.f_frsize - free
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, taken)

    def clear(self) -> None:
        (self.folder / "filler").unlink()


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Disk]:
    """Mounted at `folder`. Skips where that is not allowed: the limit on a file's size is tested anywhere."""
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={size}", "nba-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True).returncode != 0:
        pytest.skip("a small disk can't be mounted here; that takes root")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def no_file_may_grow(pid: int, size: int) -> Iterator[None]:
    """No file that the process writes may become larger than `size` bytes, as on a disk that is full."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def immutable(*files: Path) -> Iterator[None]:
    """Nobody may write to these files, not even who has them open. Skips where that can't be done."""
    frozen: list[Path] = []
    try:
        for file in files:
            try:
                _flag(file, on=True)
            except OSError as error:
                pytest.skip(
                    f"files can't be made immutable here ({error.strerror}); that takes root and ext4"
                )
            frozen.append(file)
        yield
    finally:
        for file in frozen:
            _flag(file, on=False)


def _flag(file: Path, *, on: bool) -> None:
    """`chattr +i` or `-i`."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        flags = array.array("l", [0])
        fcntl.ioctl(descriptor, _READ_FLAGS, flags)
        flags[0] = flags[0] | _IMMUTABLE if on else flags[0] & ~_IMMUTABLE
        fcntl.ioctl(descriptor, _WRITE_FLAGS, flags)
    finally:
        os.close(descriptor)
