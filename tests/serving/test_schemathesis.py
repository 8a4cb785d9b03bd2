"""Requests that schemathesis makes from the OpenAPI document, good and bad: what comes back is documented."""

from __future__ import annotations

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serving.openapi import OPERATIONS, document
from tests.serving.running import consented

EXAMPLES = 40
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SCHEMA = schemathesis.openapi.from_dict(document())
GOOD = [(o.method, o.path) for o in OPERATIONS]
BAD = [(o.method, o.path) for o in OPERATIONS if o.body is not None or o.query or "{" in o.path]


def explore(http: httpx.Client, mode: GenerationMode, method: str, path: str) -> set[int]:
    """The statuses of 40 requests, the same in each run, each answer checked against the document."""
    statuses: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=SCHEMA[path][method.upper()].as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        statuses.add(check(http, case))

    ask()
    return statuses


def check(http: httpx.Client, case: Case) -> int:
    answer = case.call(base_url=str(http.base_url), timeout=20)
    case.validate_response(answer, checks=CHECKS)
    return answer.status_code


@pytest.mark.parametrize(("method", "path"), GOOD)
def test_what_fits_the_document_is_answered_as_documented(http: httpx.Client, method: str, path: str) -> None:
    assert explore(http, GenerationMode.POSITIVE, method, path)


@pytest.mark.parametrize(("method", "path"), BAD)
def test_what_does_not_fit_is_refused_as_documented(http: httpx.Client, method: str, path: str) -> None:
    refused = {status for status in explore(http, GenerationMode.NEGATIVE, method, path) if status >= 400}
    assert refused <= {404, 413, 422}
    assert refused


@pytest.mark.parametrize("path", ["/v1/decisions", "/v1/decisions:batch", "/v1/events", "/v1/outcomes"])
def test_a_simulation_answers_as_documented_too(simulation: httpx.Client, path: str) -> None:
    assert explore(simulation, GenerationMode.POSITIVE, "post", path)


def test_what_is_there_is_shown_as_documented(http: httpx.Client) -> None:
    """Drawn ids name nothing that exists; here are those that do."""
    consented(http, "shown-1")
    asked = {"customer_id": "shown-1", "decision_id": "shown-d", "explain": True, "activate": False}
    own = {"id": "their-own", "features": {"price": 9.5}}
    decide = SCHEMA["/v1/decisions"]["POST"]
    for expected in (201, 200):
        body = {**asked, "actions": ["bogo-10", own], "context": {"shoe_size": 44}}
        assert check(http, decide.Case(body=body, media_type="application/json")) == expected
    assert check(http, decide.Case(body=asked, media_type="application/json")) == 409
    shown = {"path_parameters": {"id": "shown-d"}}
    assert check(http, SCHEMA["/v1/decisions/{id}"]["GET"].Case(**shown)) == 200
    assert check(http, SCHEMA["/v1/decisions/{id}/activate"]["POST"].Case(**shown)) == 204
    assert check(http, SCHEMA["/v1/decisions/{id}"]["GET"].Case(**shown)) == 200
