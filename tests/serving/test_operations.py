"""What operators see: health, metrics, versions, documentation, problems of our own making."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from nba import errors
from nba.artefacts import Artefact, Artefacts, Manifest
from nba.errors import CorruptArtefact, NbaError, StoreUnavailable
from nba.model import Command, Result
from nba.service import Service
from nba.stores.memory import MemoryStore
from serving.docs import page
from serving.openapi import document
from serving.problems import PROBLEMS, Problem
from tests.serving.running import ROOT, problem, sample, served, wiring

GOLDEN = ROOT / "tests" / "golden" / "openapi.json"


def classes(root: type[NbaError]) -> Iterator[type[NbaError]]:
    yield root
    for below in root.__subclasses__():
        yield from classes(below)


def test_every_error_has_a_row_in_the_table_of_problems() -> None:
    ours = {error for error in classes(NbaError) if error.__module__ == errors.__name__}
    assert set(PROBLEMS) == ours
    assert len({kind.type for kind in PROBLEMS.values()}) == len(PROBLEMS)


def test_what_is_worth_a_retry_says_when() -> None:
    for error, kind in PROBLEMS.items():
        assert (kind.retry_after is not None) == issubclass(error, errors.Retryable)
        assert (kind.status in (429, 503)) == issubclass(error, errors.Retryable)


def test_the_cause_of_our_own_trouble_stays_inside() -> None:
    for error in (CorruptArtefact("at /srv/secret"), StoreUnavailable("at /srv/secret"), KeyError("secret")):
        assert b"secret" not in Problem.of(error).body()


def test_alive_and_ready_name_what_serves(http: httpx.Client) -> None:
    assert http.get("/healthz").status_code == 200
    assert http.head("/healthz").status_code == 200
    ready = http.get("/readyz").json()
    assert ready == {
        "status": "ready",
        "policy": "uniform@0",
        "playbook": sample().version,
        "refused": {},
        "worker": os.getpid(),
        "disk": {"free_bytes": None, "low": False},
    }


def test_the_policy_page_says_that_nothing_is_trained(http: httpx.Client) -> None:
    serves = http.get("/v1/policy").json()
    assert (serves["policy"], serves["playbook"]) == ("uniform@0", sample().version)
    nothing = ("number", "artefact", "serving_since", "trained_through", "scores")
    assert [serves[name] for name in nothing] == [None] * 5


def test_the_openapi_document_is_the_agreed_one(http: httpx.Client) -> None:
    """On purpose? Then: python -m tests.serving.test_operations, and read the diff."""
    served_document = http.get("/openapi.json").json()
    assert served_document == json.loads(GOLDEN.read_text())


def test_the_openapi_document_knows_every_route(http: httpx.Client) -> None:
    from serving.routes import routes

    documented = {(path, method) for path, methods in document()["paths"].items() for method in methods}
    there = {(r.path, m.lower()) for r in routes() for m in r.methods if m != "HEAD"}  # type: ignore[attr-defined]
    assert documented == there


def test_every_reference_of_the_openapi_document_leads_somewhere() -> None:
    whole = document()
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(whole)))
    assert references
    assert references <= set(whole["components"]["schemas"])


def test_the_documentation_page_loads_nothing_from_outside(http: httpx.Client) -> None:
    answer = http.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script|<link|<img|@import|url\(|https?://", answer.text)
    for path in document()["paths"]:
        assert f"<code>{path}</code>" in answer.text


def test_the_documentation_page_escapes_what_it_shows() -> None:
    shown = page({"info": {"title": "<b>", "description": "&"}, "paths": {}, "components": {"schemas": {}}})
    assert "<b>" not in shown


class Defective(Service):
    """Falls over a customer's id, with that id in its message."""

    def handle(self, commands: Sequence[Command], now: float) -> list[Result]:
        raise KeyError(commands)


def test_a_defect_is_a_problem_without_internals_and_a_log_without_customers(tmp_path: Path) -> None:
    with served(wiring(tmp_path, service=Defective)) as http, capture_logs() as logs:
        answer = http.post("/v1/decisions", json={"customer_id": "very-secret"})
        document = problem(answer, 500)
        assert http.get("/healthz").status_code == 200
    assert document["type"] == "/problems/unexpected"
    assert "KeyError" not in answer.text
    [line] = [line for line in logs if line["event"] == "unexpected_error"]
    assert line["error"] == "KeyError"
    assert line["at"]
    assert "very-secret" not in str(logs)


def test_a_bad_artefact_leaves_what_serves_and_is_told(tmp_path: Path) -> None:
    store, artefacts = MemoryStore(), Artefacts(tmp_path)
    manifest = Manifest(kind="policy", specification="ridge", playbook="x", features="y")
    version = artefacts.write(Artefact.of(manifest, {"arrays.bin": b"right"}))
    (artefacts.path(version) / "arrays.bin").write_bytes(b"wrong")
    missing = "0" * 64
    for bad in (version, missing):
        store.publish(kind="policy", version=bad, specification="ridge", at=0.0, who="t", why="t")
        with served(wiring(tmp_path, store=store)) as http:
            assert http.post("/v1/decisions", json={"customer_id": "bad-1"}).json()["policy"].endswith("@0")
            assert http.get("/readyz").json()["policy"] == "uniform@0"
            assert "nba_artefacts_refused_total 1.0" in http.get("/metrics").text


def test_logs_are_json_lines_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    code = (
        "import logging; from serving.logs import configure, log; configure();"
        "log().warning('refused', route='/v1/decisions');"
        "logging.getLogger('x').error('boom %s', 'jane')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["refused", "boom %s"]
    assert done.stdout == ""
    assert structlog.get_config() == before


def test_serving_imports_no_training_library() -> None:
    code = (
        "import sys, serving.app, serving.worker, serving.supervisor, serving.commands.serve;"
        "heavy = ('mlflow', 'optuna', 'vowpalwabbit', 'training', 'experiments');"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(document(), indent=1) + "\n")
