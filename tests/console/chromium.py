"""Real Chromium, spoken to over the DevTools protocol through two pipes: no driver, no library.

Messages are JSON ended by a zero byte, written to the browser's descriptor 3 and read from its 4.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
_SECONDS = 30.0


def found() -> str | None:
    """The browser's path; None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Chromium:
    """One browser with one page.

    Attributes:
        errors: what the page's console and the browser complained of.
        requests: the addresses that pages asked for.
    """

    def __init__(self, process: subprocess.Popen[bytes], writes: int, reads: int) -> None:
        self._process, self._writes, self._reads = process, writes, reads
        self._number, self._held = 0, b""
        self._session: str | None = None
        self._loaded = 0
        self.errors: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What the browser answers to a command."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        _write(self._writes, json.dumps(message).encode() + b"\0")
        wanted, until = self._number, time.monotonic() + _SECONDS
        while True:
            told = self._next(until, method)
            if told.get("id") == wanted:
                assert "error" not in told, (method, told["error"])
                result: dict[str, Any] = told["result"]
                return result

    def goto(self, address: str) -> None:
        """Open an address and wait until the page is there."""
        before, until = self._loaded, time.monotonic() + _SECONDS
        told = self.call("Page.navigate", url=address)
        assert "errorText" not in told, (address, told)
        while self._loaded == before:
            self._next(until, address)

    def run(self, script: str, *, settles: bool = False) -> Any:
        """The value of an expression in the page; with `settles` of the promise that it is."""
        told = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=settles)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def submit(self, script: str) -> None:
        """Do something that leads to another page, and wait until that is there."""
        before, until = self._loaded, time.monotonic() + _SECONDS
        self.run(script)
        while self._loaded == before:
            self._next(until, script)

    def press(self, key: str, code: int) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def size(self, width: int, height: int = 900) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        told = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(told["data"]))

    def _next(self, until: float, doing: str) -> dict[str, Any]:
        while b"\0" not in self._held:
            left = until - time.monotonic()
            ready = select.select([self._reads], [], [], max(left, 0))[0]
            assert ready, f"the browser did not answer in {_SECONDS:g} s: {doing}"
            data = os.read(self._reads, 1 << 20)
            assert data, "the browser is gone"
            self._held += data
        raw, _, self._held = self._held.partition(b"\0")
        told: dict[str, Any] = json.loads(raw)
        self._event(told.get("method", ""), told.get("params", {}))
        return told

    def _event(self, method: str, told: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded += 1
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(told["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.errors.append(str(told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.errors.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")


@contextmanager
def chromium(folder: Path) -> Iterator[Chromium]:
    """A browser with a fresh profile in `folder`; it ends with the block."""
    path = found()
    assert path is not None
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()

    # The shell puts the pipes where the browser looks for them.
    script = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
    process = subprocess.Popen(
        ["bash", "-c", script, path, *FLAGS, f"--user-data-dir={folder / 'profile'}"],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=(folder / "chromium.log").open("ab"),
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Chromium(process, ours_out, ours_in)
    finally:
        process.terminate()
        process.wait(15)
        os.close(ours_out)
        os.close(ours_in)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
