"""A real HTTP receiver that can fail, hang, close the connection, drip, and come back."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

SECRET = "sixteen letters or more"
Mood = Literal["takes", "fails", "refuses", "hangs", "closes", "drips", "redirects", "busy"]


class Receiver:
    """Notes what it took, in order. Its mood may be one for all, or one by a word in the message."""

    def __init__(self, port: int = 0) -> None:
        self.mood: Mood = "takes"
        self.moods: dict[str, Mood] = {}
        self.taken: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.forged = 0
        self.delay = 0.0
        self._end = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver._asked(self, body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=hidden"

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.taken]

    def close(self) -> None:
        self._end.set()
        self._server.shutdown()
        self._server.server_close()

    def _asked(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if not verified(body, dict(handler.headers.items())):
            self.forged += 1
        event = json.loads(body)
        event["key"] = handler.headers["idempotency-key"]
        self.asked.append(event)
        mood = next((m for word, m in self.moods.items() if word in body.decode()), self.mood)
        time.sleep(self.delay)
        match mood:
            case "hangs":
                self._end.wait(30)
                return
            case "closes":
                handler.close_connection = True
                return
            case "drips":
                for letter in b"HTTP/1.1 200 OK\r\n":
                    if self._end.wait(0.1):
                        return
                    handler.wfile.write(bytes([letter]))
                return
        status = {"takes": 204, "fails": 500, "refuses": 422, "redirects": 302, "busy": 429}[mood]
        if mood == "takes":
            self.taken.append(event)
        handler.send_response(status)
        if mood == "busy":
            handler.send_header("Retry-After", "1")
        if mood == "redirects":
            handler.send_header("Location", "http://127.0.0.1:1/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()


def verified(body: bytes, headers: dict[str, str]) -> bool:
    """As docs/triggers.md tells a receiver to do it, with nothing of ours."""
    signed = headers["Nba-Timestamp"].encode() + b"." + body
    wanted = "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    fresh = abs(time.time() - int(headers["Nba-Timestamp"])) < 300
    return fresh and hmac.compare_digest(wanted, headers["Nba-Signature"])


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    receiver = Receiver(port)
    try:
        yield receiver
    finally:
        receiver.close()
