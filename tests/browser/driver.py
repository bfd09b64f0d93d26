"""A browser, driven through the WebDriver protocol: as much of it as the tests need."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.running import PATIENCE

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key under which the protocol puts the id of an element."""

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
CHROMEDRIVER = shutil.which("chromedriver")


class Browser:
    """One window of a headless Chromium."""

    def __init__(self, session: str) -> None:
        self._client = httpx.Client(base_url=session, timeout=PATIENCE)

    def _post(self, command: str, **values: object) -> Any:
        answer = self._client.post(command, json=values).json()["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(f"{command} {values}: {answer['error']}: {answer['message']}")
        return answer

    def open(self, address: str) -> None:
        """Go to a page and wait until it is loaded."""
        self._post("/url", url=address)

    def run(self, script: str, *arguments: object) -> Any:
        """The value that a piece of JavaScript returns."""
        return self._post("/execute/sync", script=script, args=list(arguments))

    def text(self, selector: str = "body") -> str:
        """The text that can be seen in the first element that the CSS selector finds."""
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def shows(self, text: str) -> bool:
        """Whether the page shows the text, or comes to show it before patience ends."""
        return self.until("return document.body.innerText.includes(arguments[0])", text)

    def until(self, script: str, *arguments: object) -> bool:
        """Whether a piece of JavaScript returns true, or comes to before patience ends."""
        end = time.monotonic() + PATIENCE
        while self.run(script, *arguments) is not True:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def texts(self, selector: str) -> list[str]:
        """The visible texts of all elements that the CSS selector finds."""
        script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)"
        return [str(text) for text in self.run(script, selector)]

    def click(self, using: str, value: str) -> None:
        """Click an element that is found by ``link text`` or ``css selector``."""
        element = self._post("/element", using=using, value=value)[_ELEMENT]
        self._post(f"/element/{element}/click")

    def type(self, selector: str, text: str) -> None:
        """Type into a field."""
        element = self._post("/element", using="css selector", value=selector)[_ELEMENT]
        self._post(f"/element/{element}/value", text=text)

    @property
    def address(self) -> str:
        """Where the window is."""
        return str(self._client.get("/url").json()["value"])

    def resize(self, width: int, height: int) -> None:
        """Make the window as large as this."""
        self._post("/window/rect", width=width, height=height)

    def emulate(self, width: int, height: int, scheme: str) -> None:
        """Be a screen of this size, which may be smaller than any window, light or dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", **size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._devtools("Emulation.setEmulatedMedia", features=features)

    def stop_emulating(self) -> None:
        """Be what the browser is."""
        self._devtools("Emulation.clearDeviceMetricsOverride")
        self._devtools("Emulation.setEmulatedMedia", features=[])

    def allow_scripts(self, allowed: bool) -> None:
        """Let pages run scripts of their own, or not."""
        self._devtools("Emulation.setScriptExecutionDisabled", value=not allowed)

    def _devtools(self, command: str, **parameters: object) -> Any:
        return self._post("/goog/cdp/execute", cmd=command, params=parameters)

    def press(self, keys: str) -> None:
        """Press keys one after the other, wherever the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._post("/actions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def paste(self) -> None:
        """Paste what has been copied, wherever the focus is."""
        self._devtools(
            "Input.dispatchKeyEvent", type="keyDown", key="v", modifiers=2, commands=["paste"]
        )

    def screenshot(self, path: Path) -> None:
        """Save what is seen as a PNG file."""
        path.write_bytes(base64.b64decode(self._client.get("/screenshot").json()["value"]))

    def complaints(self) -> list[str]:
        """What the browser has complained about since it was last asked: scripts, missing files."""
        log = self._post("/se/log", type="browser")
        return [entry["message"] for entry in log if entry["level"] == "SEVERE"]


@contextmanager
def browser(downloads: Path) -> Iterator[Browser]:
    """A browser which saves files in the folder ``downloads``."""
    assert CHROMIUM
    assert CHROMEDRIVER
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = {
        "binary": CHROMIUM,
        "args": [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ],
        "prefs": {"download.default_directory": str(downloads)},
    }
    capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
    command = [CHROMEDRIVER, f"--port={port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        try:
            base = f"http://127.0.0.1:{port}"
            _wait_for(base)
            body = {"capabilities": {"alwaysMatch": capabilities}}
            created = httpx.post(f"{base}/session", json=body, timeout=PATIENCE).json()["value"]
            session = f"{base}/session/{created['sessionId']}"
            try:
                yield Browser(session)
            finally:
                httpx.delete(session, timeout=PATIENCE)
        finally:
            driver.terminate()


def _wait_for(base: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            httpx.get(f"{base}/status")
        except httpx.TransportError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return
