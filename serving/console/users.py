"""Who may log in: a file of names with scrypt hashes, made by `nba console user add`.

The file is JSON, `{"users": {"ada": "scrypt$15$8$1$<salt>$<hash>"}}`, salt and hash in base64, readable by
its owner alone. Percival (2009); the cost is that of the OWASP password sheet: 32 MiB, some 80 ms.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nba.errors import InvalidInput, NotFound

SETTING = "NBA_CONSOLE_USERS"
DEFAULT = "console-users.json"
LEAST_LETTERS = 10
_LOG_N, _R, _P, _BYTES = 15, 8, 1, 32
_MEMORY = 64 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_LONGEST = 1_024


def users_file() -> Path:
    """`NBA_CONSOLE_USERS`, else `console-users.json` here."""
    return Path(os.environ.get(SETTING) or DEFAULT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """Name → hash. Empty where nobody may log in."""

    hashes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Users:
        """Those of a file; nobody where there is none.

        Raises:
            InvalidInput: the file is there and says something else.
        """
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError) as error:
            raise _unreadable(path) from error
        users = told.get("users") if isinstance(told, dict) else None
        if not isinstance(users, dict) or not all(_sound(hashed) for hashed in users.values()):
            raise _unreadable(path)
        return cls(hashes=users)

    def write(self, path: Path) -> None:
        """Put the file in place as a whole, for its owner alone."""
        held = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(held, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"users": dict(self.hashes)}, file, indent=2)
            file.write("\n")
        os.replace(held, path)

    def having(self, name: str, password: str) -> Users:
        """With this user, in place of one of the same name.

        Raises:
            InvalidInput: the name or the password can't be one.
        """
        if not _NAME.fullmatch(name):
            raise InvalidInput.of("name", "must be 1 to 64 of A-Z a-z 0-9 . _ @ -")
        if not LEAST_LETTERS <= len(password) <= _LONGEST:
            raise InvalidInput.of("password", f"must have {LEAST_LETTERS} to {_LONGEST:,} letters")
        return Users(hashes={**self.hashes, name: _hashed(password, secrets.token_bytes(16))})

    def without(self, name: str) -> Users:
        """Raises NotFound."""
        if name not in self.hashes:
            raise NotFound(f"there is no user {name!r}; `nba console user list` names them")
        return Users(hashes={one: hashed for one, hashed in self.hashes.items() if one != name})

    def knows(self, name: str, password: str) -> bool:
        """Whether the password is the user's; takes as long for a name that is not there."""
        stored = self.hashes.get(name, _NOBODY)
        right = _matches(stored, password[:_LONGEST])
        return right and name in self.hashes


def _hashed(password: str, salt: bytes, log_n: int = _LOG_N, r: int = _R, p: int = _P) -> str:
    derived = hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=1 << log_n,
        r=r,
        p=p,
        maxmem=_MEMORY,
        dklen=_BYTES,
    )
    told = (base64.b64encode(part).decode() for part in (salt, derived))
    return "$".join(["scrypt", str(log_n), str(r), str(p), *told])


def _matches(stored: str, password: str) -> bool:
    log_n, r, p, salt, _ = _parts(stored)
    return hmac.compare_digest(stored.encode(), _hashed(password, salt, log_n, r, p).encode())


def _parts(stored: str) -> tuple[int, int, int, bytes, bytes]:
    kind, log_n, r, p, salt, derived = stored.split("$")
    if kind != "scrypt":
        raise ValueError(kind)
    return int(log_n), int(r), int(p), base64.b64decode(salt), base64.b64decode(derived)


def _sound(stored: object) -> bool:
    """Whether it is a hash that can be checked here."""
    try:
        log_n, r, p, salt, derived = _parts(str(stored))
    except (ValueError, binascii.Error):
        return False
    return 10 <= log_n <= 18 and r == _R and 1 <= p <= 4 and len(salt) >= 8 and len(derived) == _BYTES


def _unreadable(path: Path) -> InvalidInput:
    detail = f"{path} is no file that `nba console user add` wrote; move it away and add the users again"
    return InvalidInput.of("users", detail)


_NOBODY = "scrypt$15$8$1$" + "$".join(base64.b64encode(bytes(size)).decode() for size in (16, 32))
