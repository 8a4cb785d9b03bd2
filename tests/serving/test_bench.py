"""`decide.http` in small: it measures both sides, and refuses to call a failure a measure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from serving.bench import decide_http, line
from serving.load import Load, Measured, generate


class _Answering(BaseHTTPRequestHandler):
    """Answers every second request with silence, and what `status` says."""

    protocol_version = "HTTP/1.1"
    status = 201
    asked: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.asked.append(body)
        answer = b'{"action":"no_contact"}' if body == b"quiet" else b'{"action":"x"}'
        self.send_response(self.status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer[:5])
        self.wfile.flush()
        self.wfile.write(answer[5:])

    def log_message(self, format: str, *arguments: object) -> None:
        """Stay silent."""


@contextmanager
def answering(status: int) -> Iterator[tuple[int, list[bytes]]]:
    """A server's port, and what it was asked."""
    asked: list[bytes] = []
    handler = type("Handler", (_Answering,), {"status": status, "asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], asked
        finally:
            server.shutdown()
            thread.join()


def load(port: int, seconds: float) -> Load:
    return Load(port=port, path="/", bodies=["quiet", "loud"], connections=4, seconds=seconds)


def test_the_generator_counts_each_answer_and_what_it_says() -> None:
    with answering(201) as (port, asked):
        measured = asyncio.run(generate(load(port, 0.3)))
    assert set(asked) == {b"quiet", b"loud"}
    assert measured.failed == 0
    assert measured.contacts == pytest.approx(asked.count(b"loud") / len(asked))
    assert 0 < measured.p50 <= measured.p99


def test_the_generator_counts_failures() -> None:
    with answering(503) as (port, asked):
        measured = asyncio.run(generate(load(port, 0.0)))
    assert measured.failed == len(asked) == 4


def test_a_measure_has_both_sides_and_the_time_of_a_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    measure = decide_http(rounds=1, seconds=0.5, customers=5_000)  # more than can reach their caps by then
    assert measure["name"] == "decide.http"
    for name in ("value", "baseline", "ratio", "p99_ratio", "fsync_ms", "p50_ms", "p99_ms"):
        assert float(measure[name]) > 0, name
    assert 0 < float(measure["contacts"]) <= 1
    assert not list(tmp_path.iterdir())


def test_failures_are_no_measure() -> None:
    good = Measured(rate=1.0, p50=1.0, p99=1.0, contacts=1.0, failed=0, busy=0.1)
    bad = Measured(**{**asdict(good), "failed": 1})
    with pytest.raises(RuntimeError, match="1 requests failed"):
        line([good], [bad], fsync_ms=1.0)
