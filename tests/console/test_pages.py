"""Every page, as it comes over HTTP."""

from __future__ import annotations

import html
import re
from pathlib import Path

import httpx
import pytest

from nba.artefacts import Artefact, Artefacts, Manifest
from nba.playbook.compile import parse
from nba.stores.memory import MemoryStore
from serving.console.pages import PAGES
from serving.console.users import SETTING
from serving.console.words import LANGUAGES
from tests.console.seeded import GATE, MOVED, SCRIPT, WEEKS, console, log_in, token, told, users
from tests.service.test_segments import by_recency
from tests.serving.running import SAMPLE

LATER = "2026-12-01T00:00:00Z"
LISTED = ["", "journey", "segments", "customers", "policy", "experiments", "feedback", "playbook"]


def text_of(answer: httpx.Response) -> str:
    """What a reader sees of the content, in one line."""
    assert answer.status_code == 200, answer.text
    inside = answer.text.split("<main", 1)[1]
    return re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]*>", " ", inside)))


def read(http: httpx.Client, path: str) -> str:
    return text_of(http.get(f"/console/{path}".rstrip("/")))


@pytest.mark.parametrize("path", LISTED)
def test_a_page_carries_its_guards_and_nothing_from_outside(open_console: httpx.Client, path: str) -> None:
    answer = open_console.get(f"/console/{path}".rstrip("/"))
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'self';")
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|https?://(?!www\.w3\.org/2000/svg)", answer.text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", LISTED)
def test_a_page_can_be_read_in_every_language(open_console: httpx.Client, language: str, path: str) -> None:
    cookies = dict(open_console.cookies) | {"nba_console_language": language}
    with httpx.Client(base_url=open_console.base_url, cookies=cookies, trust_env=False, timeout=60) as http:
        answer = http.get(f"/console/{path}".rstrip("/"))
    assert f'<html lang="{language}">' in answer.text


def test_the_overview_has_the_figures_with_their_tables(open_console: httpx.Client) -> None:
    page = open_console.get("/console")
    told = text_of(page)
    for title in ("Conversion", "Reward per customer", "Retention", "NPS", "Contact pressure", "Uplift"):
        assert title in told
    assert page.text.count("<svg") <= page.text.count("<table")


def test_a_decision_tells_every_refusal_and_its_rule(open_console: httpx.Client) -> None:
    told = read(open_console, "decisions/d-c-0-3")
    assert "No known consent for this channel and purpose." in told
    assert "consent" in told
    assert "no_contact" in told


def test_search_finds_a_decision_by_its_id_and_says_what_is_no_id(open_console: httpx.Client) -> None:
    answer = open_console.get("/console/customers", params={"id": "d-c-1-0"})
    assert answer.headers["location"] == "/console/decisions/d-c-1-0"
    wrong = open_console.get("/console/customers", params={"id": "<b>"})
    assert wrong.status_code == 422
    assert "&lt;b&gt;" in wrong.text
    assert "<b>" not in wrong.text


@pytest.mark.parametrize("path", ["decisions/none", "nothing", "policy/below", "experiments/none"])
def test_what_is_not_there_is_a_page_that_says_so(open_console: httpx.Client, path: str) -> None:
    answer = open_console.get(f"/console/{path}")
    assert answer.status_code == 404
    assert "can&#39;t be shown" in answer.text or "can't be shown" in answer.text


def test_policy_health_shows_what_is_out_of_bounds_and_what_the_gate_said(open_console: httpx.Client) -> None:
    told = read(open_console, "policy")
    assert "uniform@0" in told
    assert "1 of 2 checks out of bounds" in told
    assert MOVED in told
    assert GATE in told


def test_an_experiment_tells_its_verdict_and_its_tables(open_console: httpx.Client) -> None:
    assert "bolder" in read(open_console, "experiments")
    seen = read(open_console, "experiments/bolder")
    for expected in ("customers exposed", "Variants", "Differences to control", "always valid"):
        assert expected in seen


def test_what_customers_wrote_is_text(open_console: httpx.Client) -> None:
    answer = open_console.get("/console/feedback")
    assert html.escape(SCRIPT, quote=False).replace("'", "&#39;") in answer.text
    assert "<script" not in answer.text


def changed(http: httpx.Client, old: str, new: str) -> httpx.Response:
    """Send the playbook's form with a change in its text."""
    page = http.get("/console/playbook").text
    found = re.search(r"<textarea[^>]*>\n(.*)</textarea>", page, re.S)
    assert found is not None
    text = html.unescape(found.group(1))
    assert old in text
    return http.post("/console/playbook", data={"token": token(page), "text": text.replace(old, new)})


def test_a_changed_rule_tells_its_effect_and_changes_nothing(open_console: httpx.Client) -> None:
    before = open_console.get("/v1/policy").json()["playbook"]
    told = text_of(changed(open_console, 'when: "open_tickets > 0"', 'when: "visit_count_hl7 > 0"'))
    found = re.search(r"([\d,]+) of ([\d,]+) contacts refused", told)
    assert found is not None
    assert found.group(1) == found.group(2) != "0"
    assert "The stop “open-ticket” holds." in told
    assert open_console.get("/v1/policy").json()["playbook"] == before


def test_a_change_of_nothing_is_told_as_such(open_console: httpx.Client) -> None:
    assert "means the same" in text_of(changed(open_console, "name: coffee", "name:   coffee"))


def test_a_wrong_change_names_line_field_and_mend(open_console: httpx.Client) -> None:
    answer = changed(open_console, "open_tickets > 0", "opn_tickets > 0")
    assert answer.status_code == 422
    assert "did you mean &#39;open_tickets&#39;" in answer.text
    assert re.search(r"line \d+", answer.text)


@pytest.mark.parametrize("text", ["", "\x00", "- 1", "a: &a [*a]", "x" * 310_000, "[" * 5_000])
def test_no_playbook_at_all_is_an_error_and_no_defect(open_console: httpx.Client, text: str) -> None:
    form = token(open_console.get("/console/playbook").text)
    answer = open_console.post("/console/playbook", data={"token": form, "text": text})
    assert answer.status_code == 422


def test_a_form_that_is_too_large_or_no_text_is_refused(open_console: httpx.Client) -> None:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    large = open_console.post("/console/playbook", content=b"a" * 500_000, headers=kind)
    odd = open_console.post("/console/playbook", content=b"text=%ff", headers=kind)
    assert (large.status_code, odd.status_code) == (413, 422)


def test_an_empty_store_has_pages_that_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, str(users(tmp_path)))
    with console(tmp_path, MemoryStore("request")) as http:
        log_in(http)
        for page in PAGES:
            if page.listed and http.get(f"/console/{page.path}".rstrip("/")).status_code != 404:
                assert read(http, page.path)


def test_a_language_is_chosen_by_a_link_and_kept(open_console: httpx.Client) -> None:
    with httpx.Client(base_url=open_console.base_url, trust_env=False, timeout=60) as http:
        answer = http.get("/console/login?next=/console/policy&language=tr")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/console/login?next=/console/policy"
        assert '<html lang="tr">' in http.get("/console/login").text
        http.cookies.clear()
        assert '<html lang="de">' in http.get("/console/login", headers={"accept-language": "de-AT"}).text


def test_other_methods_are_refused(open_console: httpx.Client) -> None:
    answer = open_console.put("/console")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


def test_static_files_are_those_of_the_table(open_console: httpx.Client) -> None:
    assert open_console.get("/console/static/console.css").status_code == 200
    for name in ("../app.py", "%2e%2e/app.py", "none"):
        assert open_console.get(f"/console/static/{name}").status_code in (303, 404)


def test_a_customer_s_page_has_all_that_happened_once(open_console: httpx.Client) -> None:
    answer = open_console.get("/console/customers/c-1")
    told = text_of(answer)
    assert re.search(rf"visit {WEEKS} \d+ ", told)
    for expected in ("marketing, all channels: granted", "visit · web", "drawn at", "Stage: "):
        assert expected in told
    assert told.count(SCRIPT) == WEEKS
    assert told.count("· Decision") == WEEKS
    assert "<script" not in answer.text
    assert open_console.get("/console/customers/c-999").status_code == 404


def test_who_was_erased_is_gone_from_the_console_too(closed_console: httpx.Client) -> None:
    told(closed_console, customers=2, weeks=1)
    log_in(closed_console)
    assert closed_console.get("/console/customers/c-1").status_code == 200
    assert closed_console.delete("/v1/customers/c-1").status_code == 204
    for path in ("customers/c-1", "decisions/d-c-1-0"):
        assert closed_console.get(f"/console/{path}").status_code == 410
    for path in LISTED:
        assert SCRIPT[:8] not in closed_console.get(f"/console/{path}".rstrip("/")).text


def test_published_segments_are_told_as_personas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, str(users(tmp_path)))
    mean = {"value": 41.5, "low": 40.0, "high": 43.0, "n": 900}
    persona = {"id": "s1", "name": "lapsing <regulars>", "size": 900, "share": 0.45, "worth": mean}
    more = {"churn": None, "channel": {"name": "push", "share": 0.7, "n": 800}, "part_of_day": None}
    rule = {"rule": ["last purchase more than 34 days ago"], "catches": 0.8, "right": 0.9}
    told = {"customers": 2_000, "as_of": 1_790_000_000.0, "segments": [{**persona, **more, **rule}]}
    manifest = Manifest(
        kind="segments", specification="segments", playbook="x", features="y", parameters=told
    )
    version = Artefacts(tmp_path).write(Artefact.of(manifest, {"arrays.bin": b"x"}))
    store = MemoryStore("request")
    store.publish(kind="segments", version=version, specification="segments", at=1.0, who="t", why="t")
    with console(tmp_path, store) as http:
        log_in(http)
        answer = http.get("/console/segments")
        for path in LISTED:
            assert read(http, path)
    for expected in ("lapsing <regulars>", "€41.50", "45.0%", "push", "not in use", rule["rule"][0]):
        assert expected in text_of(answer)
    assert "lapsing &lt;regulars&gt;" in answer.text


def test_the_feedback_page_has_scores_by_stage_with_intervals_and_what_sets_the_unhappy_apart(
    open_console: httpx.Client,
) -> None:
    page = open_console.get("/console/feedback")
    told = text_of(page)
    for expected in (
        "80 answers of 20 customers; 95% interval",
        "NPS: By stage",
        "NPS: By channel",
        "What sets the unhappy apart",
        "visit in the 30 days before",
        "Contacts in the 30 days before",
        "Texts are counted and not read: there is no text model.",
    ):
        assert expected in told
    assert page.text.count("<svg") <= page.text.count("<table")


def test_the_policy_page_has_the_guardrails_of_the_playbook(open_console: httpx.Client) -> None:
    told = read(open_console, "policy")
    assert "leaving unsubscribed 1 day 2.0% 50.0%" in told


def test_a_customer_s_timeline_has_changes_of_stage_and_tickets(closed_console: httpx.Client) -> None:
    told(closed_console, customers=6, weeks=3)
    log_in(closed_console)
    opened = closed_console.get("/v1/tickets", params={"customer_id": "c-0"}).json()["tickets"]
    assert opened[0]["reason"] == "nps 0"
    page = closed_console.get("/console/customers/c-0")
    assert f'href="/console/tickets/{opened[0]["ticket_id"]}"' in page.text
    seen = text_of(page)
    assert re.search(r"· Stage change \S+ → \S+", seen)
    for expected in ("NPS 0", "Ticket nps 0", "due "):
        assert expected in seen


def test_linked_ids_lead_to_each_other(closed_console: httpx.Client) -> None:
    told(closed_console, customers=2, weeks=1)
    claim = {"type": "identify", "properties": {"kind": "email_hash", "value": "9f86d081"}}
    events = [{**claim, "event_id": f"i-{i}", "customer_id": f"c-{i}", "occurred_at": LATER} for i in (0, 1)]
    assert closed_console.post("/v1/events", json={"events": events}).json()["rejected"] == []
    log_in(closed_console)
    assert '<a href="/console/customers/c-1">c-1</a>' in closed_console.get("/console/customers/c-0").text


def test_a_language_has_no_english_but_what_somebody_wrote(open_console: httpx.Client) -> None:
    paths = [*LISTED, "experiments/bolder", "customers/c-1", "decisions/d-c-1-0", "nothing", "decisions/none"]
    for language in (one for one in LANGUAGES if one != "en"):
        cookies = dict(open_console.cookies) | {"nba_console_language": language}
        with httpx.Client(
            base_url=open_console.base_url, cookies=cookies, trust_env=False, timeout=60
        ) as http:
            for path in paths:
                main = http.get(f"/console/{path}".rstrip("/")).text.split("<main", 1)[1]
                assert 'lang="en"' not in main, (language, path)


def test_segments_older_than_their_features_are_told_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING, str(users(tmp_path)))
    other = parse(SAMPLE.read_text("utf-8").replace("touchpoints: [visit, ", "touchpoints: [demo, visit, "))
    version = Artefacts(tmp_path).write(by_recency(other))
    store = MemoryStore("request")
    store.publish(kind="segments", version=version, specification="segments", at=1.0, who="t", why="t")
    with console(tmp_path, store) as http:
        log_in(http)
        for language, said in (("en", "do not fit the playbook"), ("de", "passen nicht zum Regelbuch")):
            http.cookies.set("nba_console_language", language)
            page = http.get("/console/segments")
            assert said in text_of(page)
            assert "nba journey segments" in page.text
            assert 'lang="en"' not in page.text.split("<main", 1)[1]
