"""The baseline of `decide.http`: a FastAPI route that does nothing, written the way FastAPI suggests.

A pydantic model in, a pydantic model out, with the same bodies as our own route; run by the same server with
the same settings. `python -m serving.noop ANSWER` listens on a free port, which it prints.
"""

from __future__ import annotations

import socket
import sys

from fastapi import FastAPI

from serving.answers import Decision
from serving.schemas import DecisionIn
from serving.worker import serve_app


def create_noop(answer: Decision) -> FastAPI:
    """An app whose one route gives `answer` to whatever it is asked."""
    app = FastAPI()

    @app.post("/v1/decisions", status_code=201)
    async def decide(asked: DecisionIn) -> Decision:
        return answer

    return app


def main() -> None:
    """Argument: the answer, as JSON."""
    app = create_noop(Decision.model_validate_json(sys.argv[1]))
    with socket.create_server(("127.0.0.1", 0), backlog=2_048) as listener:
        port = listener.getsockname()[1]
        serve_app(app, listener, lambda: print(f"serving on http://127.0.0.1:{port}", flush=True))


if __name__ == "__main__":
    main()
