"""The console in real Chromium: every page on a seeded store, at a desk and on a phone.

Needs `chromium` (Debian's package), and for the last test axe-core, whose file NBA_AXE names; `.ci/run` sees
to both. Where one is missing the tests are skipped, and under CI they fail.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from serving.console.pages import PAGES
from serving.console.users import SETTING
from tests.console.chromium import Chromium, chromium, found
from tests.console.seeded import NAME, PASSWORD, SCRIPT, console, told, users

DESK, PHONE = 1280, 390
DEEP = (
    "decisions/d-c-1-0",
    "decisions/d-c-0-3",
    "customers/c-1",
    "experiments/bolder",
    "customers?id=%3Cb%3E",
)
_SERIOUS = ("serious", "critical")


def _needed(what: str, there: bool) -> None:
    if there:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI has to have it")
    pytest.skip(f"{what} is missing")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SETTING, str(users(folder)))
        with console(folder) as http:
            told(http)
            yield http


@pytest.fixture(scope="module")
def browser(site: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """Logged in by filling in the form."""
    _needed("chromium", found() is not None)
    with chromium(tmp_path_factory.mktemp("chromium")) as one:
        one.size(DESK)
        one.goto(f"{site.base_url}/console")
        assert one.run("location.pathname") == "/console/login"
        one.run(f"document.getElementById('name').value = '{NAME}'")
        one.run(f"document.getElementById('password').value = '{PASSWORD}'")
        one.submit("document.querySelector('main form button').click()")
        assert one.run("location.pathname") == "/console"
        yield one


def paths(site: httpx.Client, browser: Chromium) -> list[str]:
    """Those of the menu, and some that lead deeper."""
    browser.goto(f"{site.base_url}/console")
    listed: list[str] = browser.run(
        "[...document.querySelectorAll('nav.pages a')].map(a => a.getAttribute('href'))"
    )
    assert len(listed) >= 7
    assert len(listed) <= len(PAGES)
    return [*listed, *(f"/console/{path}" for path in DEEP)]


def test_every_page_stands_without_complaint_or_a_request_outside(
    site: httpx.Client, browser: Chromium
) -> None:
    for path in paths(site, browser):
        for width in (DESK, PHONE):
            browser.size(width)
            browser.goto(f"{site.base_url}{path}")
            assert browser.run("document.querySelectorAll('h1').length") == 1, path
            assert browser.run("document.documentElement.scrollWidth") <= width, (path, width)
    # A search for what is no id answers 422, which the browser notes as a failed request: it is meant.
    complaints = [error for error in browser.errors if "422" not in error]
    assert complaints == []
    assert {address for address in browser.requests if not address.startswith(str(site.base_url))} <= {
        "about:blank"
    }


@pytest.mark.parametrize("language", ["nl", "de", "tr"])
def test_a_page_fits_a_phone_in_every_language(site: httpx.Client, browser: Chromium, language: str) -> None:
    browser.size(PHONE)
    browser.goto(f"{site.base_url}/console?language={language}")
    try:
        for path in ("/console", "/console/policy", "/console/playbook"):
            browser.goto(f"{site.base_url}{path}")
            assert browser.run("document.documentElement.lang") == language
            assert browser.run("document.documentElement.scrollWidth") <= PHONE, path
    finally:
        browser.goto(f"{site.base_url}/console?language=en")


def test_a_keyboard_reaches_content_and_menu(site: httpx.Client, browser: Chromium) -> None:
    browser.size(DESK)
    browser.goto(f"{site.base_url}/console/policy")
    browser.press("Tab", 9)
    assert browser.run("document.activeElement.className") == "skip"
    assert browser.run("document.activeElement.getBoundingClientRect().left") >= 0
    reached = set()
    for _ in range(20):
        browser.press("Tab", 9)
        if browser.run("document.activeElement === document.body"):
            break  # once around
        reached.add(browser.run("document.activeElement.getAttribute('href')"))
        assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert {"/console", "/console/policy", "/console/playbook"} <= reached


def test_what_customers_wrote_does_nothing(site: httpx.Client, browser: Chromium) -> None:
    browser.goto(f"{site.base_url}/console/feedback")
    assert SCRIPT in browser.run("document.querySelector('blockquote').textContent")
    assert browser.run("document.querySelectorAll('main script, main b').length") == 0


def test_a_change_is_tried_by_the_form(site: httpx.Client, browser: Chromium) -> None:
    browser.goto(f"{site.base_url}/console/playbook")
    browser.run(
        "document.getElementById('text').value = "
        "document.getElementById('text').value.replace('open_tickets > 0', 'visit_count_hl7 > 0')"
    )
    browser.submit("document.querySelector('form[action^=\"/console/playbook\"] button').click()")
    assert "contacts refused" in browser.run("document.querySelector('#effect').parentElement.textContent")
    assert "visit_count_hl7" in browser.run("document.getElementById('text').value")


def test_axe_finds_nothing_serious(site: httpx.Client, browser: Chromium) -> None:
    file = os.environ.get("NBA_AXE", "")
    _needed("axe-core (NBA_AXE names its axe.min.js)", bool(file) and Path(file).is_file())
    axe = Path(file).read_text(encoding="utf-8")
    wrong: list[str] = []
    every = paths(site, browser)
    for path, width in [
        *((path, DESK) for path in every),
        ("/console", PHONE),
        (f"/console/{DEEP[0]}", PHONE),
    ]:
        browser.size(width)
        browser.goto(f"{site.base_url}{path}")
        browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")
        browser.run(axe + ";0")
        found_here = browser.run("axe.run().then(told => told.violations)", settles=True)
        wrong += [
            f"{path} at {width}: {one['id']}: {node['html'][:120]}"
            for one in found_here
            if one["impact"] in _SERIOUS
            for node in one["nodes"]
        ]
    assert wrong == []
