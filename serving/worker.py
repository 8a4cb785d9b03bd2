"""One worker: uvicorn over uvloop and httptools on a socket that is bound already.

`python -m serving.worker` is how the supervisor starts one of several: it inherits the socket, a pipe to
say that it is ready, and a pipe whose end tells it that the supervisor is gone.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from serving.app import create_app
from serving.logs import configure
from serving.wiring import Settings, wired

DRAIN_SECONDS = 5
_THRESHOLDS = (50_000, 50, 100)  # a request makes few cycles; the default pauses ten times as often
_SWITCH_SECONDS = 0.02  # event loop and writer take turns at every call of the system; by force costs a tenth


class _Server(uvicorn.Server):
    """Says when it can be called."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            gc.collect()
            gc.freeze()  # what is loaded by now stays; the collector need not look at it again
            gc.set_threshold(*_THRESHOLDS)
            sys.setswitchinterval(_SWITCH_SECONDS)
            self._ready()


def run(settings: Settings, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is open, for a few seconds at most."""
    configure()
    serve_app(create_app(wired(settings)), listener, ready)


def serve_app(app: FastAPI, listener: socket.socket, ready: Callable[[], None]) -> None:
    """The same for any app."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ignore)  # uvicorn raises the signal again once it has drained
    _Server(configuration(app), ready).run(sockets=[listener])


def configuration(app: FastAPI) -> uvicorn.Config:
    """How uvicorn runs the app."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,  # a client that pauses under load must not meet a closing connection
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


def _ignore(number: int, frame: FrameType | None) -> None:
    pass


def _end_with(supervisor: int) -> None:
    """Exit at once when the supervisor is gone, so that nobody is left holding the port."""
    os.read(supervisor, 1)
    os._exit(1)


def main() -> None:
    """Arguments: the settings as JSON, then the descriptors of the socket and the two pipes."""
    settings = Settings(**json.loads(sys.argv[1]))
    listener, ready, supervisor = (int(argument) for argument in sys.argv[2:5])
    threading.Thread(target=_end_with, args=(supervisor,), daemon=True).start()
    run(settings, socket.socket(fileno=listener), lambda: _say(ready))


def _say(ready: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody waits for one that replaces another
        os.write(ready, b"r")
    os.close(ready)


if __name__ == "__main__":
    main()
