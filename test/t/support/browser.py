"""
Headless Chromium, driven through its DevTools protocol over two pipes: nothing to install but the browser.
"""

import base64
import json
import os
import select
import subprocess
import time
from pathlib import Path

# The page is our own, and the tests run where there may be no sandbox: in containers, and as any user.
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe",
           "--no-first-run", "--no-default-browser-check", "--disable-background-networking", "--disable-extensions",
           "--disable-component-update", "--disable-sync", "--disable-breakpad", "--hide-scrollbars",
           "--force-color-profile=srgb"]
PATIENCE = 300  # seconds: the machine may be busy


class Browser:
    def __init__(self, work):
        self.number, self.events, self.rest = 0, [], b""
        to_browser, self.writer = os.pipe()
        self.reader, from_browser = os.pipe()
        os.set_inheritable(to_browser, True)
        os.set_inheritable(from_browser, True)
        # It reads from file descriptor 3 and writes to 4.
        with open(Path(work) / "chromium.log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", 'r=$1 w=$2; shift 2; exec "$@" 3<&"$r" 4>&"$w"', "_", str(to_browser),
                 str(from_browser), "chromium", *OPTIONS, f"--user-data-dir={work}/profile", "about:blank"],
                pass_fds=(to_browser, from_browser), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "HOME": str(work)})
        os.close(to_browser)
        os.close(from_browser)

    def stop(self):
        os.close(self.writer)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def receive(self, over):
        """The next message, or None if the time is over."""
        while b"\0" not in self.rest:
            if not select.select([self.reader], [], [], max(0, over - time.monotonic()))[0]:
                return None
            part = os.read(self.reader, 1 << 20)
            assert part, "the browser is gone"
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        rest = json.dumps(message).encode() + b"\0"
        while rest:
            rest = rest[os.write(self.writer, rest):]
        over = time.monotonic() + PATIENCE
        while answer := self.receive(over):
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)
        raise AssertionError(f"{method}: no answer")


class Page:
    """A tab."""

    def __init__(self, browser, width=1100, height=900, dark=False):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.target = target
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM", "Accessibility"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 500)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def run(self, expression):
        """The value of a JavaScript expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, f"{expression}: {result['exceptionDetails']}"
        return result["result"].get("value")

    def open(self, address):
        self.call("Page.navigate", url=address)
        return self.settle()

    def settle(self, condition="document.querySelector('main section, main [role=alert]')"):
        over = time.monotonic() + PATIENCE
        # A page that is just being left cannot be asked.
        while time.monotonic() < over:
            try:
                if self.run(f"document.readyState === 'complete' && !!({condition})"):
                    return self
            except AssertionError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"never true: {condition}")

    def press(self, key, shift=False):
        code = {"Tab": 9, "Enter": 13, " ": 32}[key]
        text = {"Enter": "\r", " ": " "}.get(key, "")
        common = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code,
                  "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def screenshot(self, file):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True,
                         clip={"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 4000),
                               "scale": 1})
        Path(file).write_bytes(base64.b64decode(shot["data"]))

    def happened(self):
        """What the browser told since the page was made: requests, and what went wrong."""
        self.run("1")  # what is on its way comes before the answer
        events = [event for event in self.browser.events if event.get("sessionId") == self.session]
        requests = [event["params"]["request"]["url"] for event in events
                    if event["method"] == "Network.requestWillBeSent"]
        wrong = [f"{event['method']}: {json.dumps(event['params'])[:500]}" for event in events
                 if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled",
                                        "Page.javascriptDialogOpening", "Network.loadingFailed")]
        return requests, wrong

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
