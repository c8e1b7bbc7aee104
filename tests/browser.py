"""A headless Chromium, spoken to by its DevTools protocol."""

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from conftest import wait_until
from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_TOLD = {"Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening"}


class Browser:
    """One tab."""

    def __init__(self, tab: ClientConnection) -> None:
        self._tab, self._numbers = tab, count(1)
        self.errors: list[dict[str, Any]] = []
        """What the console would show in red, and every dialog that a script opened."""
        for domain in ("Runtime", "Log", "Page"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What a method of the protocol answers."""
        number = next(self._numbers)
        self._tab.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._tab.recv(60))
            if message.get("id") == number:
                assert "error" not in message, message
                return dict(message["result"])
            self._note(message)

    def open(self, url: str) -> None:
        """Goes there, and waits until the page is."""
        self.call("Page.navigate", url=url)
        wait_until(lambda: self.value("document.readyState") == "complete")

    def value(self, script: str) -> Any:
        """What an expression comes to, in the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, script: str) -> None:
        """Until an expression is true in the page."""
        wait_until(lambda: self.value(script))

    def click(self, selector: str) -> None:
        """Clicks on the first element of that kind, once it is there."""
        self.wait(f"document.querySelector({json.dumps(selector)}) !== null")
        self.value(f"document.querySelector({json.dumps(selector)}).click()")

    def press(self, key: str) -> None:
        """Presses a key."""
        text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
        code = {"Enter": 13, "Escape": 27}.get(key, ord(key[0].upper()))
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def text(self, selector: str) -> str:
        """What the first element of that kind says."""
        return str(self.value(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''"))

    def _note(self, message: dict[str, Any]) -> None:
        if message["method"] not in _TOLD:
            return
        entry = message["params"].get("entry", {})
        if entry.get("level", "error") == "error":
            self.errors.append(message["params"])


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with a new profile; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium")
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"]
    command += ["--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0"]
    command += ["--window-size=1280,900", f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            port = next(found[1] for line in process.stderr if (found := re.search(r"ws://[^:]+:(\d+)/", line)))
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
                tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
            with connect(tabs[0]["webSocketDebuggerUrl"], max_size=None) as tab:
                yield Browser(tab)
        finally:
            process.kill()
