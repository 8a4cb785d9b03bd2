"""What a store makes up at random; everything else in it is given. Tests pass their own."""

from __future__ import annotations

import secrets


def new_surrogate() -> str:
    """A customer's name in the log: 128 random bits, without meaning."""
    return secrets.token_hex(16)


def new_secret() -> bytes:
    """The key of all hashing in a store: 32 random bytes."""
    return secrets.token_bytes(32)
