"""The console as an ASGI app: who may see what, and where errors become pages.

The order for every request: static files, then the log-in, then the page. Nothing but the log-in page is
shown to who has not logged in, and nothing but how to set it up where nobody can.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from nba.errors import Gone, InvalidInput, NbaError, NotFound, TooLarge
from serving.console import render
from serving.console.attempts import WINDOW, Attempts
from serving.console.desk import Ask, Desk, Shown
from serving.console.pages import PAGES, Page
from serving.console.sessions import COOKIE, LANGUAGE, SECONDS, VISIT, Session, Signer, new_visit
from serving.console.turns import TURNS
from serving.console.users import Users, users_file
from serving.console.words import LANGUAGES, Words, chosen
from serving.logs import log, unexpected
from serving.problems import Problem

ROOT = "/console"
_METHODS = ("GET", "HEAD", "POST")
_MOST_BYTES = 400_000
_WAITING = 24  # requests for pages beyond which a new one is sent away
_STATIC = {"console.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
_HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def console_routes() -> list[Route]:
    """`/console` and all below it."""
    return [Route(ROOT, _Endpoint(), name="console"), Route(ROOT + "/{rest:path}", _Endpoint())]


class _Endpoint:
    """Hands requests to the console of the app that runs."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        state = scope["app"].state
        console: Console = state.console
        try:
            reply = await console.answer(Request(scope, receive))
        except ClientDisconnect:
            return
        await reply(scope, receive, send)
        seconds = time.perf_counter() - started
        method = scope["method"] if scope["method"] in _METHODS else "other"
        state.engine.metrics.request(ROOT, method, reply.status_code, seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visitor:
    """Who asks: their words and, once they have logged in, their session."""

    words: Words
    session: Session | None
    visit: str
    users: Users = field(default_factory=Users)


class Console:
    """The console of one worker. `close` ends its threads."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._signer = Signer(desk.store.secret)
        self._attempts = Attempts(desk.store)
        self._pages = ThreadPoolExecutor(max_workers=2, thread_name_prefix="console")
        self._doors = ThreadPoolExecutor(max_workers=1, thread_name_prefix="console-log-in")
        self._open = 0

    def close(self) -> None:
        self._pages.shutdown(wait=False, cancel_futures=True)
        self._doors.shutdown(wait=False, cancel_futures=True)

    async def answer(self, request: Request) -> Response:
        """The reply to any request, errors included."""
        if self._open >= _WAITING:
            return _secured(Response("busy; ask again in a few seconds", 503, {"retry-after": "3"}))
        self._open += 1
        visitor = _Visitor(words=self._words(request), session=None, visit="")
        try:
            rest = str(request.path_params.get("rest", "")).strip("/")
            if rest.startswith("static/"):
                return _static(rest.removeprefix("static/"))
            visitor = await asyncio.get_running_loop().run_in_executor(self._doors, self._visitor, request)
            return _secured(await self._answer(request, visitor, rest))
        except ClientDisconnect:
            raise
        except Exception as error:  # whatever it is, the reader gets a page and the log the rest
            return _secured(self._trouble(error, visitor))
        finally:
            self._open -= 1

    async def _answer(self, request: Request, visitor: _Visitor, rest: str) -> Response:
        if request.method not in _METHODS:
            return Response(status_code=405, headers={"allow": "GET, HEAD, POST"})
        language = request.query_params.get("language")
        if language is not None and language in LANGUAGES and request.method != "POST":
            return _back(request, language)
        if not visitor.users.hashes:
            return self._page(visitor, Shown(template="setup.html", values={"file": str(users_file())}))
        form = await _form(request) if request.method == "POST" else None
        if rest == "login":
            return await self._login(request, visitor, form)
        if visitor.session is None:
            wanted = ROOT + (f"/{rest}" if rest else "")
            return RedirectResponse(f"{ROOT}/login?next={quote(wanted)}", 303)
        if form is not None and not self._signer.carries(form.get("token", ""), visitor.session.nonce):
            return self._page(visitor, Shown(template="stale.html", status=403))
        if rest == "logout":
            return _logout(form)
        page, below = _page_of(rest)
        ask = Ask(rest=below, query=dict(request.query_params), words=visitor.words, form=form)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pages, self._rendered, visitor, page, ask)

    def _rendered(self, visitor: _Visitor, page: Page, ask: Ask) -> Response:
        try:
            with TURNS:
                shown = page.show(self._desk, ask)
            return (
                self._page(visitor, shown, page) if shown.goto is None else RedirectResponse(shown.goto, 303)
            )
        except (NotFound, Gone, InvalidInput) as error:
            problem = Problem.of(error)
            shown = Shown(
                template="trouble.html", values={"detail": problem.detail}, status=problem.kind.status
            )
            return self._page(visitor, shown, page)

    def _visitor(self, request: Request) -> _Visitor:
        """Raises InvalidInput: the users' file can't be read."""
        users = Users.read(users_file())
        session = self._signer.session(request.cookies.get(COOKIE), users, time.time())
        visit = request.cookies.get(VISIT) or new_visit()
        return _Visitor(words=self._words(request), session=session, visit=visit[:64], users=users)

    async def _login(self, request: Request, visitor: _Visitor, form: Mapping[str, str] | None) -> Response:
        wanted = _inside((form or request.query_params).get("next", ""))
        if form is None:
            return self._login_page(request, visitor, wanted, 200, "")
        if not self._signer.carries(form.get("token", ""), request.cookies.get(VISIT)):
            return self._login_page(request, visitor, wanted, 403, "That form was out of date. Try again.")
        loop = asyncio.get_running_loop()
        address = request.client.host if request.client else ""
        name, password = form.get("name", "")[:64], form.get("password", "")
        found = await loop.run_in_executor(self._doors, self._try, visitor.users, name, password, address)
        if found is not None:
            return self._login_page(request, visitor, wanted, *found)
        reply = RedirectResponse(wanted, 303)
        cookie = self._signer.cookie(name, visitor.users, time.time())
        _put(reply, request, COOKIE, cookie, SECONDS)
        reply.delete_cookie(VISIT, path=ROOT)
        log().info("console_log_in", user=name)
        return reply

    def _try(self, users: Users, name: str, password: str, address: str) -> tuple[int, str] | None:
        """None where the log-in is right; else status and words. Raises StoreUnavailable."""
        now = time.time()
        if not self._attempts.allowed(name, address, now):
            return 429, "Too many attempts. Wait a quarter of an hour."
        if users.knows(name, password):
            return None
        self._attempts.failed(name, address, now)
        log().warning("console_log_in_failed")
        return 401, "Name and password do not go together."

    def _login_page(
        self, request: Request, visitor: _Visitor, wanted: str, status: int, said: str
    ) -> Response:
        values = {"token": self._signer.token(visitor.visit), "next": wanted, "said": said}
        reply = self._page(visitor, Shown(template="login.html", values=values, status=status))
        if status == 429:
            reply.headers["retry-after"] = str(int(WINDOW))
        _put(reply, request, VISIT, visitor.visit, SECONDS)
        return reply

    def _page(self, visitor: _Visitor, shown: Shown, page: Page | None = None) -> Response:
        session = visitor.session
        frame: dict[str, Any] = {
            "pages": [one for one in PAGES if one.listed] if session else [],
            "page": page,
            "user": session.name if session else None,
            "form_token": self._signer.token(session.nonce) if session else "",
            "languages": LANGUAGES,
            "read_at": shown.at,
            "playbook_name": self._desk.live.playbook.spec.name,
        }
        html = render.page(shown.template, visitor.words, {**frame, **shown.values})
        return Response(html, shown.status, media_type="text/html")

    def _trouble(self, error: Exception, visitor: _Visitor) -> Response:
        problem = Problem.of(error)
        if not isinstance(error, NbaError):
            log().error("unexpected_error", route=ROOT, **unexpected(error))
        shown = Shown(template="trouble.html", values={"detail": problem.detail}, status=problem.kind.status)
        return self._page(visitor, shown)

    def _words(self, request: Request) -> Words:
        spec = self._desk.live.playbook.spec
        told = chosen(request.cookies.get(LANGUAGE), request.headers.get("accept-language", ""))
        return Words(language=told, currency=spec.currency, zone=spec.timezone)


def _page_of(rest: str) -> tuple[Page, str]:
    """The page, and what follows its name. Raises NotFound."""
    name, _, below = rest.partition("/")
    for page in PAGES:
        if page.path == name and (page.deep or not below):
            return page, below
    raise NotFound("there is no such page in the console")


def _logout(form: Mapping[str, str] | None) -> Response:
    if form is None:
        return RedirectResponse(ROOT, 303)
    reply = RedirectResponse(f"{ROOT}/login", 303)
    reply.delete_cookie(COOKIE, path=ROOT)
    return reply


def _back(request: Request, language: str) -> Response:
    """To the same page in another language."""
    kept = [(key, value) for key, value in request.query_params.multi_items() if key != "language"]
    query = "&".join(f"{quote(key)}={quote(value)}" for key, value in kept)
    reply = RedirectResponse(quote(request.url.path) + (f"?{query}" if query else ""), 303)
    _put(reply, request, LANGUAGE, language, 365 * 24 * 3_600)
    return reply


def _put(reply: Response, request: Request, name: str, value: str, seconds: int) -> None:
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))
    reply.set_cookie(name, value, max_age=seconds, path=ROOT, httponly=True, samesite="strict", secure=secure)


def _inside(wanted: str) -> str:
    """Where to go after the log-in: a page of the console, and nowhere else."""
    sound = wanted == ROOT or wanted.startswith(f"{ROOT}/")
    odd = any(c in wanted for c in "\\\r\n") or "//" in wanted or wanted == f"{ROOT}/login"
    return wanted if sound and not odd else ROOT


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form. Raises TooLarge, InvalidInput."""
    size, parts = 0, []
    async for part in request.stream():
        size += len(part)
        if size > _MOST_BYTES:
            raise TooLarge(f"a form has at most {_MOST_BYTES:,} bytes")
        parts.append(part)
    try:
        text = b"".join(parts).decode("ascii")
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=50))
    except ValueError:
        raise InvalidInput.of("form", "must be a form of UTF-8 text, as browsers send it") from None


def _static(name: str) -> Response:
    if name not in _STATIC:
        return _secured(Response("there is no such file", 404, media_type="text/plain"))
    body = files("serving.console").joinpath(f"static/{name}").read_bytes()
    reply = _secured(Response(body, media_type=_STATIC[name]))
    reply.headers["cache-control"] = "max-age=300"
    return reply


def _secured(reply: Response) -> Response:
    for name, value in _HEADERS.items():
        reply.headers.setdefault(name, value)
    return reply
