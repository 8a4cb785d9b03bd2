"""A real SMTP server of a few lines: takes messages, refuses recipients, is busy, or hangs; with STARTTLS."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Literal

Mood = Literal["takes", "refuses", "busy", "hangs", "spam"]


class Mailbox:
    """Notes the messages that it took and the recipients it was asked for.

    With a `certificate` it offers STARTTLS, and takes nothing before it.
    """

    def __init__(self, certificate: ssl.SSLContext | None = None) -> None:
        self._certificate = certificate
        self.mood: Mood = "takes"
        self.taken: list[EmailMessage] = []
        self.asked: list[str] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._session, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mood == "hangs":
            await asyncio.sleep(30)
        writer.write(b"421 busy\r\n" if self.mood == "busy" else b"220 here\r\n")
        shut = self._certificate is not None
        while line := await reader.readline():
            word = line.split(b" ")[0].strip().upper()
            if word == b"STARTTLS" and self._certificate is not None:
                writer.write(b"220 go on\r\n")
                try:
                    await writer.start_tls(self._certificate)
                except (ssl.SSLError, ConnectionError):  # the other side does not trust it
                    return
                shut = False
                continue
            if shut:
                writer.write(
                    b"250-here\r\n250 STARTTLS\r\n" if word == b"EHLO" else b"530 not in the open\r\n"
                )
                continue
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                lines = []
                while (part := await reader.readline()) != b".\r\n":
                    lines.append(part)
                if self.mood == "spam":
                    writer.write(b"554 no spam for ada@example.org\r\n")
                    continue
                parsed = message_from_bytes(b"".join(lines), policy=default)
                assert isinstance(parsed, EmailMessage)
                self.taken.append(parsed)
            elif word == b"RCPT":
                self.asked.append(line.decode().strip())
                if self.mood == "refuses":
                    writer.write(b"550 no mailbox ada@example.org\r\n")
                    continue
            writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")
            if word == b"QUIT":
                break
        writer.close()


@contextmanager
def mailbox(certificate: ssl.SSLContext | None = None) -> Iterator[Mailbox]:
    one = Mailbox(certificate)
    try:
        yield one
    finally:
        one.close()
