"""Who gets in: nobody without a user file, nobody without the password, no form of others' making."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import httpx
import pytest

from nba.errors import InvalidInput, NotFound
from nba.stores.memory import MemoryStore
from serving.console.attempts import MOST_BY_ADDRESS, MOST_BY_NAME, WINDOW, Attempts
from serving.console.pages import PAGES
from serving.console.sessions import COOKIE, SECONDS, Signer
from serving.console.users import SETTING, Users
from tests.console.seeded import NAME, PASSWORD, console, log_in, token


def test_without_users_the_console_says_how_to_add_one_and_shows_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING, str(tmp_path / "none.json"))
    with console(tmp_path) as http:
        for path in ("", "/policy", "/login", "/decisions/x"):
            answer = http.get(f"/console{path}")
            assert answer.status_code == 200
            assert "nba console user add" in answer.text
            assert "Policy health" not in answer.text


def test_every_page_asks_who_you_are(closed_console: httpx.Client) -> None:
    for page in PAGES:
        path = f"/console/{page.path}".rstrip("/")
        answer = closed_console.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/console/login?next={path}"


def test_who_logs_in_comes_to_the_page_they_wanted(closed_console: httpx.Client) -> None:
    answer = log_in(closed_console, next="/console/policy")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/policy")
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(f"{COOKIE}="))
    for part in ("HttpOnly", "SameSite=strict", "Path=/console"):
        assert part.lower() in cookie.lower()
    assert closed_console.get("/console/policy").status_code == 200


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "/console//evil", "/v1/policy"])
def test_a_log_in_leads_nowhere_outside_the_console(closed_console: httpx.Client, wanted: str) -> None:
    assert log_in(closed_console, next=wanted).headers["location"] == "/console"


@pytest.mark.parametrize(("name", "password"), [(NAME, "wrong password"), ("nobody", PASSWORD), ("", "")])
def test_a_wrong_name_or_password_gets_nobody_in(
    closed_console: httpx.Client, name: str, password: str
) -> None:
    answer = log_in(closed_console, password, name)
    assert answer.status_code == 401
    assert closed_console.get("/console").status_code == 303


def test_a_log_in_needs_the_token_of_its_own_page(closed_console: httpx.Client) -> None:
    form = {"name": NAME, "password": PASSWORD}
    assert closed_console.post("/console/login", data=form).status_code == 403
    right = token(closed_console.get("/console/login").text)
    closed_console.cookies.clear()
    assert closed_console.post("/console/login", data={**form, "token": right}).status_code == 403


def test_a_form_without_its_token_changes_nothing(closed_console: httpx.Client) -> None:
    log_in(closed_console)
    for path in ("logout", "playbook"):
        assert closed_console.post(f"/console/{path}", data={"text": "name: x"}).status_code == 403
    assert closed_console.get("/console").status_code == 200


def test_who_logs_out_is_out(closed_console: httpx.Client) -> None:
    log_in(closed_console)
    form = token(closed_console.get("/console").text)
    assert closed_console.post("/console/logout", data={"token": form}).status_code == 303
    assert closed_console.get("/console").status_code == 303


def test_after_five_wrong_passwords_the_right_one_waits_too(closed_console: httpx.Client) -> None:
    for _ in range(MOST_BY_NAME):
        assert log_in(closed_console, "wrong password").status_code == 401
    answer = log_in(closed_console)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "900")


def test_attempts_count_over_all_workers_by_name_and_by_address_and_are_forgotten() -> None:
    store = MemoryStore()
    one, other = Attempts(store), Attempts(store)
    for i in range(MOST_BY_NAME):
        one.failed("ada", f"10.0.0.{i}", 0.0)
    assert not other.allowed("ada", "10.9.9.9", 1.0)
    for i in range(MOST_BY_ADDRESS):
        one.failed(f"name-{i}", "10.0.0.99", 0.0)
    assert not other.allowed("new", "10.0.0.99", 1.0)
    assert other.allowed("new", "10.9.9.9", 1.0)
    assert other.allowed("ada", "10.0.0.99", WINDOW + 1.0)
    one.failed("ada", "10.0.0.1", WINDOW + 1.0)
    assert len(store.notes("console.attempt")) == 1
    assert b"ada" not in store.notes("console.attempt")[0].body


def test_many_attempts_of_others_hide_none() -> None:
    store = MemoryStore()
    attempts = Attempts(store)
    for _ in range(1_100):
        store.note("console.attempt", 0.0, b'{"who":["x","y"]}')
    for _ in range(MOST_BY_NAME):
        attempts.failed("ada", "10.0.0.1", 1.0)
    assert not attempts.allowed("ada", "10.0.0.2", 2.0)


def test_a_session_ends_with_its_time_its_user_and_its_password() -> None:
    signer, users = Signer(bytes(32)), Users().having("ada", PASSWORD)
    cookie = signer.cookie("ada", users, 0.0)
    session = signer.session(cookie, users, 1.0)
    assert session is not None
    assert session.name == "ada"
    assert signer.session(cookie, users, SECONDS + 1.0) is None
    assert signer.session(cookie, users.without("ada"), 1.0) is None
    assert signer.session(cookie, users.having("ada", "another password"), 1.0) is None
    assert Signer(b"1" * 32).session(cookie, users, 1.0) is None


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c.d", "...", "YWRh.9999999999.n.", "\u00e9.1.2.3"])
def test_a_cookie_of_ones_own_making_is_no_session(cookie: str) -> None:
    assert Signer(bytes(32)).session(cookie, Users().having("ada", PASSWORD), 0.0) is None


def test_a_users_file_is_its_owners_and_holds_no_password(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    Users().having("ada", PASSWORD).write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in path.read_text()
    again = Users.read(path)
    assert again.knows("ada", PASSWORD)
    assert not again.knows("ada", PASSWORD + "x")
    assert not again.knows("bob", PASSWORD)


@pytest.mark.parametrize("text", ["", "[]", '{"users": 3}', json.dumps({"users": {"ada": "plain"}})])
def test_a_users_file_that_is_none_is_told_and_lets_nobody_in(tmp_path: Path, text: str) -> None:
    path = tmp_path / "users.json"
    path.write_text(text)
    with pytest.raises(InvalidInput, match="nba console user add"):
        Users.read(path)


def test_what_can_not_be_a_user_is_told() -> None:
    with pytest.raises(InvalidInput, match="10 to 1,024"):
        Users().having("ada", "short")
    with pytest.raises(InvalidInput, match="name"):
        Users().having("a b", PASSWORD)
    with pytest.raises(NotFound):
        Users().without("ada")


def test_users_are_added_listed_and_removed_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    from serving.commands.console_user import add, listed, remove

    path = tmp_path / "users.json"
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    add("ada", path)
    add("bob", path, generate=True)
    password = capsys.readouterr().out.splitlines()[-1].removeprefix("password: ")
    assert Users.read(path).knows("ada", PASSWORD)
    assert Users.read(path).knows("bob", password)
    listed(path)
    remove("bob", path)
    listed(path)
    assert capsys.readouterr().out.splitlines() == ["ada", "bob", "bob can't log in any more", "ada"]


def test_a_cookie_of_any_letters_is_nobodys(closed_console: httpx.Client) -> None:
    """Of a user that is there, so that the signature is what is wrong with it."""
    name = base64.urlsafe_b64encode(NAME.encode()).decode().rstrip("=")
    cookie = f"{COOKIE}={name}.9999999999.nonce.".encode() + b"\xe9\xff"
    answer = closed_console.get("/console/policy", headers=[(b"cookie", cookie)])
    assert answer.status_code == 303
