"""Whatever is sent, the answer is a problem that names the field, never a 500 and never the input."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.serving.running import problem

SECRET = "jane.doe@example.com"
POSTS = ("/v1/decisions", "/v1/decisions:batch", "/v1/outcomes", "/v1/events")
NOT_A_BODY = {
    "nothing": b"",
    "no JSON": b"customer_id=c-1",
    "half of it": b'{"customer_id": "c-1"',
    "two of it": b"{}{}",
    "a list": b"[]",
    "null": b"null",
    "a number": b"17",
    "text": b'"c-1"',
    "NaN": b'{"customer_id": NaN}',
    "invalid UTF-8": b'{"customer_id": "\xff\xfe"}',
    "UTF-16": '{"customer_id": "c-1"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a lone surrogate": b'{"customer_id": "\\ud800"}',
    "a lone surrogate as a key": b'{"\\udfff": 1}',
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"context":' * 50_000 + b"1" + b"}" * 50_000,
    "an endless number": b'{"value": ' + b"9" * 100_000 + b"}",
    "another field": b'{"colour": "red"}',
}
WRONG = {
    "a missing id": ({}, "customer_id"),
    "an empty id": ({"customer_id": ""}, "customer_id"),
    "a long id": ({"customer_id": "c" * 129}, "customer_id"),
    "an id with a space": ({"customer_id": "c 1"}, "customer_id"),
    "an id with a newline": ({"customer_id": "c-1\n"}, "customer_id"),
    "a number for an id": ({"customer_id": 17}, "customer_id"),
    "a bad decision id": ({"customer_id": "c-1", "decision_id": "é"}, "decision_id"),
    "an unknown field": ({"customer_id": "c-1", "colour": "red"}, "colour"),
    "nested context": ({"customer_id": "c-1", "context": {"device": {"a": 1}}}, "context.device"),
    "a list in context": ({"customer_id": "c-1", "context": {"device": [1]}}, "context.device"),
    "context as a list": ({"customer_id": "c-1", "context": []}, "context"),
    "one action": ({"customer_id": "c-1", "actions": "bogo-10"}, "actions"),
    "an action of null": ({"customer_id": "c-1", "actions": [None]}, "actions[0]"),
    "text for a boolean": ({"customer_id": "c-1", "activate": "yes"}, "activate"),
    "a number for a boolean": ({"customer_id": "c-1", "explain": 1}, "explain"),
    "a moment without zone": ({"customer_id": "c-1", "at": "2026-11-21T18:00:00"}, "at"),
    "a day": ({"customer_id": "c-1", "at": "2026-11-21"}, "at"),
    "a number for a moment": ({"customer_id": "c-1", "at": 1_800_000_000}, "at"),
    "digits for a moment": ({"customer_id": "c-1", "at": "1800000000"}, "at"),
    "the year 0": ({"customer_id": "c-1", "at": "0000-01-01T00:00:00Z"}, "at"),
    "the year 10000": ({"customer_id": "c-1", "at": "10000-01-01T00:00:00Z"}, "at"),
    "before the first moment": ({"customer_id": "c-1", "at": "0001-01-01T00:00:00+14:00"}, "at"),
    "after the last moment": ({"customer_id": "c-1", "at": "9999-12-31T23:59:59-14:00"}, "at"),
    "the 30th of February": ({"customer_id": "c-1", "at": "2026-02-30T00:00:00Z"}, "at"),
}
NOT_FINITE = [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"9" * 400]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("body", NOT_A_BODY.values(), ids=NOT_A_BODY.keys())
def test_what_is_no_such_body_is_refused_as_a_whole(http: httpx.Client, path: str, body: bytes) -> None:
    problem(http.post(path, content=body), 422)


@pytest.mark.parametrize(("body", "field"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_field_is_named_by_its_path(http: httpx.Client, body: object, field: str) -> None:
    document = problem(http.post("/v1/decisions", json=body), 422)
    assert [error["field"] for error in document["errors"]] == [field]


@pytest.mark.parametrize("number", NOT_FINITE)
def test_a_number_that_is_not_finite_is_refused(http: httpx.Client, number: bytes) -> None:
    body = b'{"customer_id": "c-1", "context": {"device": %b}}' % number
    document = problem(http.post("/v1/decisions", content=body), 422)
    assert [error["field"] for error in document["errors"]] == ["context.device"]


@pytest.mark.parametrize("number", [b"1e999", b"9" * 400])
def test_an_item_whose_number_is_not_finite_is_rejected_alone(http: httpx.Client, number: bytes) -> None:
    item = b'{"event_id": "finite-%b", "customer_id": "c-1", "type": "visit", "value": %b}'
    body = b'{"events": [%b, %b]}' % (item % (number[:3], number), item % (b"ok" + number[:3], b"1"))
    receipt = http.post("/v1/events", content=body).json()
    assert (receipt["accepted"], [item["index"] for item in receipt["rejected"]]) == (1, [0])


@pytest.mark.parametrize("path", POSTS)
def test_a_problem_never_repeats_a_value(http: httpx.Client, path: str) -> None:
    item = {
        "customer_id": SECRET,
        "event_id": SECRET,
        "outcome_id": SECRET,
        "decision_id": SECRET,
        "type": [SECRET],
        "at": SECRET,
        "actions": [{"id": SECRET}],
        "channels": [SECRET, {"a": SECRET}],
        "value": SECRET,
        "properties": {"a": [SECRET]},
    }
    name = path.rpartition("/")[2].removesuffix(":batch")
    for body in (item, {name: [item]}, {name: SECRET}, [SECRET]):
        answer = http.post(path, json=body)
        assert answer.status_code < 500
        assert SECRET not in answer.text
    assert SECRET not in http.post(path, content=f'{{"customer_id": {SECRET}').text
    assert SECRET not in http.get(f"/v1/decisions/{SECRET}").text


def test_the_name_of_an_unknown_field_is_cut(http: httpx.Client) -> None:
    document = problem(http.post("/v1/decisions", json={"customer_id": "c-1", "x" * 10_000: 1}), 422)
    assert len(json.dumps(document)) < 500


def test_hundreds_of_wrong_fields_make_a_short_problem(http: httpx.Client) -> None:
    body = {"customer_id": "c-1", "context": {f"f{i}": [] for i in range(900)}}
    assert len(problem(http.post("/v1/decisions", json=body), 422)["errors"]) == 20


def test_a_body_above_the_limit_is_too_large(http: httpx.Client) -> None:
    padding = b" " * 1_000_000
    for path in POSTS:
        problem(http.post(path, content=b"{}" + padding), 413)
    assert http.post("/v1/outcomes", content=b'{"outcomes":[]}' + padding[15:]).status_code == 202
    assert http.get("/healthz").status_code == 200


def test_a_body_without_length_is_refused_before_its_end(http: httpx.Client) -> None:
    """The client would go on for ever; the answer has to come while it is sending."""
    import socket

    with socket.create_connection((http.base_url.host, http.base_url.port or 0), timeout=10) as connection:
        connection.sendall(b"POST /v1/events HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(11):
            connection.sendall(b"186a0\r\n" + b" " * 100_000 + b"\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_generator_above_the_limit_is_too_large(http: httpx.Client) -> None:
    problem(http.post("/v1/events", content=(b" " * 100_000 for _ in range(30))), 413)


def test_two_megabytes_are_too_large_wherever_they_stand(http: httpx.Client) -> None:
    long = "x" * 2_000_000
    for body in ({"customer_id": long}, {"customer_id": "c-1", "context": {"device": long}}, {long: 1}):
        assert len(problem(http.post("/v1/decisions", json=body), 413)["detail"]) < 100


def test_ten_thousand_context_keys_are_refused_and_a_thousand_are_named_in_part(http: httpx.Client) -> None:
    def asked(keys: int) -> dict[str, object]:
        return {"customer_id": "keys-1", "context": {f"key-{i}": i for i in range(keys)}}

    document = problem(http.post("/v1/decisions", json=asked(10_000)), 422)
    assert [error["field"] for error in document["errors"]] == ["context"]
    answer = http.post("/v1/decisions", json=asked(1_000))
    assert (answer.status_code, len(answer.json()["ignored"])) == (201, 50)


def test_a_thousand_and_one_in_one_body_are_refused_and_nothing_of_them_is_taken(http: httpx.Client) -> None:
    items = [{"event_id": f"many-{i}", "customer_id": "many-1", "type": "visit"} for i in range(1_001)]
    problem(http.post("/v1/events", json={"events": items}), 422)
    problem(http.post("/v1/outcomes", json={"outcomes": items}), 422)
    assert http.post("/v1/events", json={"events": items[:1_000]}).json()["accepted"] == 1_000


@pytest.mark.parametrize("zone", ["Mars/Olympus_Mons", "", "../../etc/passwd", "Europe/Amsterdam\0", 7, True])
def test_a_time_zone_that_does_not_exist_is_rejected_by_place(http: httpx.Client, zone: object) -> None:
    event = {
        "event_id": "zone-1",
        "customer_id": "zone-1",
        "type": "profile",
        "properties": {"timezone": zone},
    }
    receipt = http.post("/v1/events", json={"events": [event]}).json()
    assert (receipt["accepted"], [item["index"] for item in receipt["rejected"]]) == (0, [0])
    assert "timezone" in receipt["rejected"][0]["detail"]


def test_a_context_value_of_the_wrong_kind_is_named_with_its_mend(http: httpx.Client) -> None:
    for value in (7, True):
        asked = {"customer_id": "kind-2", "context": {"device": value}}
        document = problem(http.post("/v1/decisions", json=asked), 422)
        assert [error["field"] for error in document["errors"]] == ["context.device"]


PAGES = {
    "a word": ("after=x", "after"),
    "a negative number": ("after=-1", "after"),
    "too large a number": ("after=99999999999999999999", "after"),
    "digits of another script": ("after=%D9%A1", "after"),
    "nothing": ("limit=", "limit"),
    "none at all": ("limit=0", "limit"),
    "too many": ("limit=1001", "limit"),
    "another parameter": ("colour=red", "colour"),
    "a parameter twice": ("after=1&after=2", "query"),
    "no encoding": ("%ff=%fe", "\ufffd"),
}


@pytest.mark.parametrize(("query", "field"), PAGES.values(), ids=PAGES.keys())
def test_a_wrong_page_of_the_outbox_names_its_parameter(http: httpx.Client, query: str, field: str) -> None:
    document = problem(http.get(f"/v1/outbox?{query}"), 422)
    assert [error["field"] for error in document["errors"]] == [field]


def test_what_parses_is_taken_whatever_its_content_type(http: httpx.Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "x", "application/json; charset=latin-1"):
        headers = {"content-type": kind}
        answer = http.post("/v1/decisions", content=b'{"customer_id": "kind-1"}', headers=headers)
        assert answer.status_code == 201


def test_the_template_of_a_path_is_a_wrong_id_like_any_other(http: httpx.Client) -> None:
    problem(http.get("/v1/decisions/%7Bid%7D"), 422)
    problem(http.post("/v1/decisions/%7Bid%7D/activate"), 422)


def test_paths_and_methods_that_are_not_there_are_problems(http: httpx.Client) -> None:
    for path in ("/", "/v1", "/v1/decisions/", "/v1/decisions/a/b", "/v2/decisions", "/redoc", "/%ff%00"):
        problem(http.get(path), 404)
    for method, path in (("GET", "/v1/events"), ("PUT", "/v1/decisions"), ("DELETE", "/v1/policy")):
        answer = http.request(method, path)
        problem(answer, 405)
        assert answer.headers["allow"]
